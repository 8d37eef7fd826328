"""The disk queue is bounded and measured, and a disk that is full costs nothing but time."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from contracts.ids import uuid7
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.link.aws import Taken
from edge_bridge.link.journal import InboxRow, Journal, OutboxRow
from edge_bridge.link.outbox import OutboxBounds, OutboxGauge, OutboxGuard, WrittenMessage
from edge_bridge.link.publisher import Publisher
from edge_bridge.ports import StorageFull
from tests.edge_bridge.dirty_ticks import make_dirty_ticks, to_chunk
from tests.edge_bridge.test_link import Ear, all_taken
from tests.support.builders import NOW, FixedClock

PAGES = 120
BODY = '{"meta":{},"data":"' + "x" * 3_000 + '"}'


def message(body: str = BODY) -> WrittenMessage:
    return WrittenMessage(str(uuid7()), "sinyal.data_bridge", "TickBatch", body)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Journal]:
    """A journal on a disk of few pages."""
    journal = Journal(tmp_path / "edge.db", pages_max=PAGES)
    yield journal
    journal.close()


def fill(journal: Journal) -> int:
    """Write until the disk is full; return how many messages it took."""
    for count in range(PAGES * 2):
        try:
            journal.write(batches=[message()])
        except StorageFull:
            return count
    raise AssertionError("the disk was never full")


def test_rows_and_bytes_are_measured_as_they_come_and_go_and_after_a_restart(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "edge.db")
    journal.write(events=[message()], batches=[message(), message("{}")])
    expected = ({"bus": 1, "market": 2}, {"bus": len(BODY), "market": len(BODY) + 2})
    assert (journal.outbox.rows, journal.outbox.bytes) == expected
    journal.close()
    journal = Journal(tmp_path / "edge.db")
    assert (journal.outbox.rows, journal.outbox.bytes) == expected
    journal.forget_sent("market", journal.read_outbox("market", 1))
    journal.set_aside("bus", journal.read_outbox("bus", 1)[0])
    assert (journal.outbox.rows, journal.outbox.bytes) == (
        {"bus": 0, "market": 1},
        {"bus": 0, "market": 2},
    )
    journal.close()


def test_a_full_disk_takes_a_step_wholly_or_not_at_all(small: Journal) -> None:
    taken = fill(small)
    before = small.load("kind")
    assert not small.is_writable()
    with pytest.raises(StorageFull):
        small.write(batches=[message() for _ in range(5)], records=[("kind", "a", "1")])
    assert small.depth("market") == taken == len(small.read_outbox("market", 1_000))
    assert small.load("kind") == before
    small.forget_sent("market", small.read_outbox("market", 40))
    small.write(batches=[message()], records=[("kind", "a", "1")])
    assert small.is_writable()
    assert (small.depth("market"), small.load("kind")) == (taken - 39, {"a": "1"})


def test_a_single_record_and_a_message_that_find_no_space_say_so(small: Journal) -> None:
    fill(small)
    with pytest.raises(StorageFull):
        for number in range(2_000):
            small.write(records=[("kind", str(number), "x" * 500)])
    assert not small.is_writable()
    with pytest.raises(StorageFull):
        for _ in range(2_000):
            small.store_message(InboxRow(str(uuid7()), "SignalIssued", "x" * 500))


def test_the_bridge_keeps_what_the_disk_did_not_take(small: Journal) -> None:
    chunk = to_chunk(make_dirty_ticks(3_000, seed=3, dirt=0.1))
    bridge = MarketBridge("test", {"EURUSD": 5}, small, FixedClock())
    fill(small)
    bridge.ingest(chunk.part(0, 300))
    for _ in range(3):
        with pytest.raises(StorageFull):
            bridge.commit({"next": 300})
    assert bridge.cursor == {}
    assert small.load("stream") == {}
    small.forget_sent("market", small.read_outbox("market", 1_000))
    bridge.commit({"next": 300})
    again = MarketBridge("test", {"EURUSD": 5}, small, FixedClock())
    assert again.cursor == {"next": 300}
    assert again.count_ticks() == bridge.count_ticks()
    assert small.depth("market") == bridge.batches_made()


def test_the_publisher_sends_nothing_twice_while_it_cannot_forget(small: Journal) -> None:
    """The disk refuses the deletion of what was sent, then takes it."""
    fill(small)
    waiting = small.depth()
    refused = threading.Event()
    forget = small.forget_sent

    def refuse_at_first(lane: str, rows: Sequence[OutboxRow]) -> None:
        if not refused.is_set():
            refused.set()
            raise StorageFull("database or disk is full")
        forget(lane, rows)  # type: ignore[arg-type]

    small.forget_sent = refuse_at_first  # type: ignore[method-assign, assignment]
    market = Ear(all_taken)
    publisher = Publisher(small, {"bus": Ear(all_taken), "market": market})
    publisher.start()
    assert publisher.wait_below(0, 10)
    publisher.stop()
    assert refused.is_set()
    assert len(market.heard) == len(set(market.heard)) == waiting


def test_order_events_still_fit_when_ticks_are_no_longer_taken(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "edge.db")
    bounds = OutboxBounds(rows_max=100)
    guard = OutboxGuard(journal.outbox, bounds)
    while guard.takes_ticks():
        journal.write(batches=[message("{}")])
    assert journal.depth() == 90
    journal.write(events=[message("{}") for _ in range(10)])
    assert journal.depth() == bounds.rows_max
    journal.close()


@pytest.mark.parametrize("by_bytes", [False, True])
def test_the_alarm_is_raised_at_70_percent_and_cleared_at_50(by_bytes: bool) -> None:
    gauge = OutboxGauge()
    guard = OutboxGuard(gauge, OutboxBounds(rows_max=1_000, bytes_max=1_000))
    told = []
    for share in (69, 70, 75, 60, 51, 49, 69, 70):
        change = share * 10 - (gauge.bytes if by_bytes else gauge.rows)["market"]
        gauge.add("market", *((0, change) if by_bytes else (change, 0)))
        alarm = guard.check(NOW)
        told.append(None if alarm is None else alarm.alarm)
    assert told == [None, True, None, None, None, False, None, True]


def test_a_slow_publisher_never_lets_the_outbox_pass_its_bound(tmp_path: Path) -> None:
    """A bridge that asks before it takes, and a publisher that is slower than it."""
    journal = Journal(tmp_path / "edge.db")
    guard = OutboxGuard(journal.outbox, OutboxBounds(rows_max=40))
    bridge = MarketBridge("test", {"EURUSD": 5}, journal, FixedClock())
    market, bus = Ear(_take_slowly), Ear(all_taken)
    publisher = Publisher(journal, {"bus": bus, "market": market})
    publisher.start()
    chunk = to_chunk(make_dirty_ticks(2_000, seed=8, dirt=0.0))
    start, waits, deepest = 0, 0, 0
    deadline = time.monotonic() + 30
    while start < len(chunk) and time.monotonic() < deadline:
        if not guard.takes_ticks():
            waits += 1
            publisher.wait_below(0, 0.002)
            continue
        bridge.ingest(chunk.part(start, start + 5))
        start += 5
        bridge.commit({"next": start})
        deepest = max(deepest, journal.depth())
    bridge.flush()
    bridge.commit({})
    assert publisher.wait_below(0, 20)
    publisher.stop()
    assert waits > 0
    assert deepest <= 40
    assert len(market.heard) == bridge.batches_made()
    assert len(bus.heard) == bridge.bars_closed
    journal.close()


def _take_slowly(rows: Sequence[OutboxRow], call: int) -> Taken:
    time.sleep(0.03)
    return all_taken(rows, call)
