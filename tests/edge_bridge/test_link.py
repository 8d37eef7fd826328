"""The link keeps what it must: in order, once a call, through refusals, failures and restarts."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from contracts.ai_orchestration import SignalWithheld
from contracts.data_bridge import TickBatch
from contracts.envelope import Envelope
from contracts.ids import uuid7
from edge_bridge.errors import LinkDied, QueueMissing
from edge_bridge.link.aws import EdgeQueue, EventBus, MarketQueue, Taken, split_calls
from edge_bridge.link.inbox import Inbox
from edge_bridge.link.journal import InboxRow, Journal, OutboxRow
from edge_bridge.link.publisher import REFUSALS_MAX, Publisher
from iac.local.testing import AwsServer, start_ministack
from tests.edge_bridge.cloud import BUS, Cloud, entitle, environment, wrap


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "edge.db")
    yield journal
    journal.close()


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = start_ministack(tmp_path_factory.mktemp("ministack"))
    yield server
    server.stop()


@pytest.fixture
def cloud(ministack: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in environment(ministack.endpoint).items():
        monkeypatch.setenv(name, value)
    with Cloud(ministack.endpoint) as cloud:
        yield cloud


def events(count: int) -> list[Envelope]:
    return [wrap(entitle(version=i + 1), uuid7()) for i in range(count)]


def batch(sequence: int, ticks: int = 3) -> Envelope:
    column = tuple(range(1, ticks + 1))
    return wrap(
        TickBatch(stream="test", sequence=sequence, symbol="EURUSD", digits=5, first_index=0,
                  ts_ns=column, bid=column, ask=column, read=ticks, rejected={})
    )  # fmt: skip


class Ear:
    """The other side of a lane, as ill-tempered as a test wants it."""

    def __init__(self, answer: Callable[[Sequence[OutboxRow], int], Taken]) -> None:
        self.answer, self.calls = answer, 0
        self.heard: list[str] = []

    def send(self, rows: Sequence[OutboxRow]) -> Taken:
        self.calls += 1
        taken = self.answer(rows, self.calls)
        self.heard += [row.event_id for row in taken.sent]
        return taken


def all_taken(rows: Sequence[OutboxRow], _: int) -> Taken:
    return Taken(list(rows), [])


def drain(journal: Journal, bus: Ear, market: Ear, wait_s: float = 5.0) -> None:
    publisher = Publisher(journal, {"bus": bus, "market": market})
    publisher.start()
    try:
        assert publisher.wait_below(0, wait_s)
    finally:
        publisher.stop()


def test_everything_is_sent_in_order_ten_at_a_time(journal: Journal) -> None:
    sent = events(25)
    journal.write(events=sent, batches=[batch(0), batch(1)])
    bus, market = Ear(all_taken), Ear(all_taken)
    drain(journal, bus, market)
    assert bus.heard == [str(e.meta.event_id) for e in sent]
    assert bus.calls == 3
    assert len(market.heard) == 2
    assert journal.depth() == 0


def test_an_entry_that_failed_is_sent_again_and_the_others_are_not(journal: Journal) -> None:
    sent = events(5)
    journal.write(events=sent)

    def fail_third_at_first(rows: Sequence[OutboxRow], call: int) -> Taken:
        return Taken([row for i, row in enumerate(rows) if call > 1 or i != 2], [])

    bus = Ear(fail_third_at_first)
    drain(journal, bus, Ear(all_taken))
    ids = [str(e.meta.event_id) for e in sent]
    assert bus.heard == [ids[0], ids[1], ids[3], ids[4], ids[2]]


def test_an_outage_is_waited_out(journal: Journal) -> None:
    journal.write(events=events(3))

    def fail_twice(rows: Sequence[OutboxRow], call: int) -> Taken:
        if call <= 2:
            raise EndpointConnectionError(endpoint_url="http://gone")
        return Taken(list(rows), [])

    bus = Ear(fail_twice)
    drain(journal, bus, Ear(all_taken))
    assert len(bus.heard) == 3


def test_a_message_refused_for_good_is_set_aside_and_holds_nothing_up(journal: Journal) -> None:
    sent = events(3)
    journal.write(events=sent)
    poison = str(sent[0].meta.event_id)

    def refuse_poison(rows: Sequence[OutboxRow], _: int) -> Taken:
        return Taken(
            [row for row in rows if row.event_id != poison],
            [row for row in rows if row.event_id == poison],
        )

    bus = Ear(refuse_poison)
    drain(journal, bus, Ear(all_taken), wait_s=10)
    assert len(bus.heard) == 2
    assert bus.calls >= REFUSALS_MAX
    assert journal.count_set_aside() == 1


def test_a_waiting_reader_is_told_when_there_is_room_again(journal: Journal) -> None:
    publisher = Publisher(journal, {"bus": Ear(all_taken), "market": Ear(all_taken)})
    journal.write(events=events(30))
    assert not publisher.wait_below(10, 0.05)  # nobody drains yet
    publisher.start()
    assert publisher.wait_below(10, 5)
    publisher.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_publisher_that_died_is_noticed_by_whoever_waits(journal: Journal) -> None:
    def break_down(rows: Sequence[OutboxRow], _: int) -> Taken:
        raise RuntimeError("a defect")

    publisher = Publisher(journal, {"bus": Ear(break_down), "market": Ear(all_taken)})
    publisher.start()
    journal.write(events=events(1))
    with pytest.raises(LinkDied):
        publisher.wait_below(0, 5)
    publisher.stop()


def test_calls_keep_to_ten_entries_and_to_the_size_of_a_call() -> None:
    rows = [OutboxRow(i, "e", "s", "T", "x" * 100_000) for i in range(5)]
    assert [len(call) for call in split_calls(rows)] == [2, 2, 1]
    small = [OutboxRow(i, "e", "s", "T", "x") for i in range(23)]
    assert [len(call) for call in split_calls(small)] == [10, 10, 3]
    assert [len(call) for call in split_calls([OutboxRow(1, "e", "s", "T", "x" * 300_000)])] == [1]


def test_a_step_is_written_wholly_or_not_at_all(journal: Journal) -> None:
    unwritable: Any = object()
    with pytest.raises(Exception, match="binding"):
        journal.write(events=events(2), records=[("kind", "a", "1"), ("kind", "b", unwritable)])
    assert journal.depth() == 0
    assert journal.load("kind") == {}
    journal.write(events=events(1), records=[("kind", "a", "1")])
    assert (journal.depth(), journal.load("kind")) == (1, {"a": "1"})
    journal.write(records=[("kind", "a", None), ("kind", "b", "2")])
    assert journal.load("kind") == {"b": "2"}


def test_an_inbox_message_is_new_once_and_open_until_done(journal: Journal) -> None:
    event_id = uuid7()
    row = InboxRow(str(event_id), "SignalIssued", "{}")
    assert journal.store_message(row)
    assert not journal.store_message(row)
    assert journal.read_inbox() == [row]
    journal.write(done=[event_id])
    journal.checkpoint()
    assert journal.read_inbox() == []
    assert not journal.store_message(row)
    assert journal.count_messages() == {"SignalIssued": 1}


def test_bus_and_queue_receive_what_the_rooms_read(cloud: Cloud, journal: Journal) -> None:
    bar_room = events(3)
    journal.write(events=bar_room, batches=[batch(i, 1_000) for i in range(12)])
    publisher = Publisher(
        journal, {"bus": EventBus(BUS), "market": MarketQueue(f"{BUS}-market-data")}
    )
    publisher.start()
    assert publisher.wait_below(0, 20)
    publisher.stop()
    assert sorted(e.data.sequence for e in cloud.drain("market-data")) == list(range(12))
    assert {e.meta.event_id for e in cloud.drain("edge")} == {e.meta.event_id for e in bar_room}


def test_a_queue_that_does_not_exist_is_named(cloud: Cloud) -> None:
    with pytest.raises(QueueMissing, match="no-such-queue"):
        EdgeQueue("no-such-queue")


def test_messages_are_handed_over_once_and_deleted_from_the_queue(
    cloud: Cloud, journal: Journal
) -> None:
    inbox = Inbox(journal, EdgeQueue(f"{BUS}-edge"), eager_poll_ms=2)
    inbox.start()
    inbox.expect(True)
    sent = wrap(
        SignalWithheld(decision_id=uuid7(), bar_id=uuid7(), symbol="EURUSD", timeframe="M1",
                       reason="warmup", as_of="2014-05-14T00:00:00Z")
    )  # fmt: skip
    cloud.publish(sent)
    cloud.publish(sent)  # the bus may say it twice
    taken = inbox.take(5)
    assert taken == sent
    inbox.note_handled()
    assert inbox.take(0.5) is None
    journal.write(done=[sent.meta.event_id])
    wait_for(inbox.is_empty)
    inbox.stop()


def test_what_was_stored_and_not_handled_comes_first_after_a_restart(
    cloud: Cloud, journal: Journal
) -> None:
    kept = wrap(entitle(), uuid7())
    journal.store_message(InboxRow(str(kept.meta.event_id), "EntitlementsChanged", kept.to_json()))
    inbox = Inbox(journal, EdgeQueue(f"{BUS}-edge"), eager_poll_ms=2)
    inbox.start()
    assert inbox.take(0) == kept
    inbox.stop()


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[]",
        json.dumps({"detail-type": "SignalIssued", "detail": {"meta": {}}}),
        json.dumps({"detail-type": "NoSuchThing", "detail": {}}),
        "future",
    ],
)
def test_a_message_that_cannot_be_read_stays_in_the_queue(
    cloud: Cloud, journal: Journal, body: str
) -> None:
    if body == "future":  # a version that this release does not know
        detail = json.loads(wrap(entitle(), uuid7()).to_json())
        detail["meta"]["schema_version"] = 99
        body = json.dumps({"detail-type": "EntitlementsChanged", "detail": detail})
    cloud.send_raw("edge", body)
    inbox = Inbox(journal, EdgeQueue(f"{BUS}-edge"), eager_poll_ms=2)
    inbox.start()
    wait_for(lambda: inbox.unreadable > 0)
    assert inbox.take(0) is None
    inbox.stop()
    assert not inbox.is_empty()


def wait_for(fact: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_several_threads_may_write_at_once(journal: Journal) -> None:
    threads = [
        threading.Thread(target=lambda: [journal.write(events=events(1)) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.depth() == 200 == len(journal.read_outbox("bus", 1_000))
