"""The link under faults of disk, queue and bus: its threads live on, and nothing is lost."""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from contracts.envelope import Envelope, Message
from contracts.ids import uuid7
from contracts.trading_engine import EngageKillSwitch
from edge_bridge.link import aws, publisher
from edge_bridge.link.aws import EventBus, Received
from edge_bridge.link.inbox import Inbox
from edge_bridge.link.intake import Intake
from edge_bridge.link.intents import IntentLog
from edge_bridge.link.journal import InboxRow, Journal, OutboxRow
from edge_bridge.link.publisher import Publisher
from edge_bridge.ports import StorageFull
from tests.edge_bridge.cloud import entitle, wrap
from tests.edge_bridge.test_link import Ear, all_taken, events, wait_for


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "edge.db")
    yield journal
    journal.close()


class Polls:
    """An edge queue that gives these polls, and cannot put anything back."""

    def __init__(self, *polls: list[Received]) -> None:
        self.polls = list(polls)
        self.deleted: list[str] = []

    def receive(self, wait_s: int) -> list[Received]:
        del wait_s
        return self.polls.pop(0) if self.polls else []

    def delete(self, handles: Sequence[str]) -> None:
        self.deleted += handles

    def put_back(self, handle: str, seconds: int) -> None:
        raise EndpointConnectionError(endpoint_url="http://gone")

    def count(self) -> int:
        return len(self.polls)


def received(message: Message, handle: str) -> tuple[Received, Envelope]:
    envelope = wrap(message, uuid7())
    body = {
        "source": envelope.source, "detail-type": envelope.detail_type,
        "detail": json.loads(envelope.to_json()),
    }  # fmt: skip
    return Received(handle, json.dumps(body)), envelope


def test_a_message_stored_before_one_that_cannot_be_put_back_is_handed_over(
    journal: Journal,
) -> None:
    first, envelope = received(entitle(), "a")
    intake = Intake(journal, Polls([first, Received("b", "no json")]))
    stored = intake.receive(0)
    assert (stored.envelopes, stored.handles) == ([envelope], ["a"])


def test_an_order_to_stop_is_obeyed_though_the_journal_takes_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = EngageKillSwitch(command_id=uuid7(), version=1, flatten=True, reason="stop")
    taken, envelope = received(stop, "stop")
    other, _ = received(entitle(), "plan")
    queue = Polls([other, taken])

    def take_nothing(row: InboxRow) -> bool:
        raise StorageFull("full")

    monkeypatch.setattr(journal, "store_message", take_nothing)
    stored = Intake(journal, queue).receive(0)
    assert (stored.envelopes, stored.handles) == ([envelope], [])
    monkeypatch.undo()
    queue.polls = [[taken]]  # it comes again, and is stored then
    assert Intake(journal, queue).receive(0) == ([envelope], ["stop"])


def test_the_inbox_lives_through_a_journal_that_another_program_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_bridge.link.journal.BUSY_TIMEOUT_S", 0.02)
    journal = Journal(tmp_path / "edge.db")
    first, envelope = received(entitle(), "a")
    other = sqlite3.connect(tmp_path / "edge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFull):
        journal.write(events=events(1))
    queue: Any = Polls([first])
    inbox = Inbox(journal, queue, eager_poll_ms=2)
    inbox.start()
    wait_for(lambda: not queue.polls)
    other.execute("ROLLBACK")
    queue.polls.append([first])  # the queue gives it again
    inbox.expect(True)
    assert inbox.take(5) == envelope
    inbox.stop()
    other.close()
    journal.close()


class Fickle:
    """A journal's method that fails so often before it works."""

    def __init__(self, works: Any, *errors: Exception) -> None:
        self.works, self.errors = works, list(errors)

    def __call__(self, *given: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return self.works(*given)


@pytest.mark.parametrize("method", ["read_outbox", "forget_sent", "set_aside", "checkpoint"])
@pytest.mark.parametrize("error", [StorageFull("full"), sqlite3.OperationalError("disk I/O error")])
def test_the_publisher_lives_through_every_error_of_the_journal(
    journal: Journal, method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CHECKPOINT_ROWS", 1)
    monkeypatch.setattr(publisher, "REFUSALS_MAX", 1)
    fickle = Fickle(getattr(journal, method), error, error)
    monkeypatch.setattr(journal, method, fickle)
    sent = events(12)
    journal.write(events=sent)
    poison = str(sent[3].meta.event_id)

    def refuse_one(rows: Sequence[OutboxRow], _: int) -> aws.Taken:
        split: tuple[list[OutboxRow], list[OutboxRow]] = ([], [])
        for row in rows:
            split[row.event_id == poison].append(row)
        return aws.Taken(*split)

    bus = Ear(refuse_one)
    sender = Publisher(journal, {"bus": bus, "market": Ear(all_taken)})
    sender.start()
    assert sender.wait_below(0, 10)
    sender.stop()
    assert len(bus.heard) == len(set(bus.heard)) == 11
    assert journal.count_set_aside() == 1
    assert not fickle.errors


def test_draining_once_never_waits_and_says_how_long_to_pause(journal: Journal) -> None:
    journal.write(events=events(1))

    def fail_at_first(rows: Sequence[OutboxRow], call: int) -> aws.Taken:
        if call <= 2:
            raise EndpointConnectionError(endpoint_url="http://gone")
        return aws.Taken(list(rows), [])

    sender = Publisher(journal, {"bus": Ear(fail_at_first), "market": Ear(all_taken)})
    pauses = []
    while not sender.drain_once():
        pauses.append(sender.pause_s)
    assert pauses == [publisher.BACKOFF_FIRST_S, 2 * publisher.BACKOFF_FIRST_S]
    assert sender.pause_s == 0


def test_the_write_ahead_log_is_shortened_while_nothing_can_be_sent(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CHECKPOINT_EVERY_S", 0.0)
    shortened: list[bool] = []
    monkeypatch.setattr(journal, "checkpoint", lambda: shortened.append(True))

    def fail(rows: Sequence[OutboxRow], _: int) -> aws.Taken:
        raise EndpointConnectionError(endpoint_url="http://gone")

    journal.write(events=events(1))
    sender = Publisher(journal, {"bus": Ear(fail), "market": Ear(fail)})
    sender.start()
    wait_for(lambda: len(shortened) > 1)
    sender.stop()


@pytest.mark.parametrize(
    ("code", "refused"),
    [("MalformedDetail", True), ("InternalException", False), ("AccessDeniedException", False)],
)
def test_only_a_fault_of_the_entry_itself_counts_against_it(code: str, refused: bool) -> None:
    class Client:
        def put_events(self, **_: Any) -> dict[str, Any]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code}]}

    bus = EventBus.__new__(EventBus)
    bus._name, bus._client = "bus", Client()  # type: ignore[assignment]
    row = OutboxRow(1, "e", "sinyal.edge", "OrderFilled", "{}")
    assert bus.send([row]) == ([], [row] if refused else [])


def test_a_call_refused_for_its_content_is_sent_in_parts_and_the_fault_is_found() -> None:
    class Client:
        def put_events(self, **call: Any) -> dict[str, Any]:
            details = [entry["Detail"] for entry in call["Entries"]]
            if "too long" in details:
                raise ClientError({"Error": {"Code": "ValidationException"}}, "PutEvents")
            return {"FailedEntryCount": 0, "Entries": []}

    bus = EventBus.__new__(EventBus)
    bus._name, bus._client = "bus", Client()  # type: ignore[assignment]
    rows = [
        OutboxRow(number, "e", "sinyal.edge", "OrderFilled", body)
        for number, body in enumerate(("{}", "too long", "{}"))
    ]
    assert bus.send(rows) == ([rows[0], rows[2]], [rows[1]])
    Client.put_events = _deny  # type: ignore[method-assign, assignment]
    with pytest.raises(ClientError):  # an outage says nothing against a message
        bus.send(rows)


def _deny(*_: Any, **__: Any) -> dict[str, Any]:
    raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutEvents")


def test_no_intention_is_written_behind_a_torn_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows a torn step would be cut off with it at the next start."""
    path = tmp_path / "edge.intents"
    log = IntentLog(path)
    log.append(1, [("order", "a", "1")])
    write, cut = os.write, os.ftruncate
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:20]))
    monkeypatch.setattr(os, "ftruncate", Fickle(cut, OSError("no"), OSError("no")))
    for _ in range(2):
        with pytest.raises(StorageFull):
            log.append(2, [("order", "b", "2")])
        monkeypatch.setattr(os, "write", write)
    log.append(2, [("order", "c", "3")])
    log.close()
    assert [step for step, _ in IntentLog(path).found] == [1, 2]
