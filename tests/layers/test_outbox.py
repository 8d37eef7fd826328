"""What the bus took is known entry by entry; what it did not take stays for the relay."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.trading_engine import AccountUnlinked
from kit.aws import client
from kit.db import Database, make_conninfo
from kit.outbox import MAX_CALL_BYTES, BusPublisher, OutboxRow, make_row
from tests.conftest import Stores
from tests.support.builders import wrap

ROOM = "trading_engine"


@pytest.fixture
def bus(aws: str) -> Iterator[str]:
    """A bus of its own with a queue that hears everything; the value is the bus's name."""
    name = f"bus-{uuid7()}"
    client("events").create_event_bus(Name=name)
    yield name
    client("events").delete_event_bus(Name=name)


@pytest.fixture
def heard(bus: str) -> Callable[[], list[dict[str, Any]]]:
    queue = client("sqs").create_queue(QueueName=f"all-{uuid7()}")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    pattern = json.dumps({"source": [{"prefix": "sinyal."}]})
    client("events").put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
    client("events").put_targets(
        Rule="all",
        EventBusName=bus,
        Targets=[{"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}],
    )

    def read() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(10):
            answer = client("sqs").receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            if not answer.get("Messages"):
                break
            found += [json.loads(message["Body"]) for message in answer["Messages"]]
        return found

    return read


def rows(count: int, size: int = 0) -> list[OutboxRow]:
    made = [make_row(wrap(AccountUnlinked(account_id=uuid7(), version=1))) for _ in range(count)]
    return [
        OutboxRow(row.event_id, row.source, row.detail_type, row.envelope + " " * size)
        for row in made
    ]


def test_every_event_reaches_the_bus_as_it_was_written(
    bus: str, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    sent = rows(23)
    assert BusPublisher(bus).publish(sent) == [row.event_id for row in sent]
    arrived = {body["detail"]["meta"]["event_id"]: body for body in heard()}
    assert set(arrived) == {str(row.event_id) for row in sent}
    for row in sent:
        body = arrived[str(row.event_id)]
        assert (body["source"], body["detail-type"]) == (row.source, row.detail_type)
        assert body["detail"] == json.loads(row.envelope)


def test_a_rooms_transaction_ends_on_the_bus(
    bus: str, heard: Callable[[], list[dict[str, Any]]], stores: Stores, tenant: UUID
) -> None:
    database = Database(ROOM, make_conninfo(stores.secret(ROOM)), BusPublisher(bus))
    with database.transaction(tenant) as tx:
        envelope = tx.publish(AccountUnlinked(account_id=uuid7(), version=1))
    with database.transaction(None) as tx:
        left = tx.fetch_all("SELECT * FROM outbox WHERE event_id = %s", [envelope.meta.event_id])
    database.close()
    assert left == []
    (body,) = heard()
    assert body["detail"] == json.loads(envelope.to_json())


def test_nothing_to_publish_asks_nothing_of_the_bus() -> None:
    assert BusPublisher("no-such-bus").publish([]) == []


class Bus(BaseHTTPRequestHandler):
    """EventBridge's PutEvents on loopback; ``judge`` says what becomes of each call."""

    calls: list[list[dict[str, Any]]]
    judge: Callable[[list[dict[str, Any]]], tuple[int, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).calls.append(body["Entries"])
        status, answer = type(self).judge(body["Entries"])
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args: Any) -> None:
        """Stay quiet."""


@contextmanager
def run_bus(
    monkeypatch: pytest.MonkeyPatch,
    judge: Callable[[list[dict[str, Any]]], tuple[int, dict[str, Any]]],
) -> Iterator[list[list[dict[str, Any]]]]:
    handler = type("OneBus", (Bus,), {"calls": [], "judge": staticmethod(judge)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    client.cache_clear()
    try:
        yield handler.calls
    finally:
        server.shutdown()
        server.server_close()
        client.cache_clear()


def take(entries: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    return 200, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in entries]}


def test_an_entry_that_failed_is_not_counted_as_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_the_second(entries: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        results = [{"EventId": str(number)} for number in range(len(entries))]
        results[1] = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
        return 200, {"FailedEntryCount": 1, "Entries": results}

    given = rows(3)
    with run_bus(monkeypatch, refuse_the_second):
        assert BusPublisher("b").publish(given) == [given[0].event_id, given[2].event_id]


def test_a_call_that_failed_does_not_stop_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    given = rows(15)

    def refuse_the_first(entries: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        if str(given[0].event_id) in entries[0]["Detail"]:
            return 400, {"__type": "ValidationException", "message": "no"}
        return take(entries)

    with run_bus(monkeypatch, refuse_the_first) as calls:
        assert BusPublisher("b").publish(given) == [row.event_id for row in given[10:]]
    assert [len(entries) for entries in calls] == [10, 5]


def test_a_bus_that_is_away_leaves_everything_to_the_relay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    client.cache_clear()
    assert BusPublisher("b").publish(rows(2)) == []
    client.cache_clear()


def test_no_call_is_bigger_than_the_bus_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    given = rows(9, size=60_000)
    with run_bus(monkeypatch, take) as calls:
        assert BusPublisher("b").publish(given) == [row.event_id for row in given]
    assert [len(entries) for entries in calls] == [4, 4, 1]
    assert all(sum(len(e["Detail"]) for e in entries) <= MAX_CALL_BYTES for entries in calls)


def test_an_event_too_big_for_any_call_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    small, big, last = *rows(1), *rows(1, size=MAX_CALL_BYTES), *rows(1)

    def refuse_big(entries: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        if sum(len(entry["Detail"]) for entry in entries) > MAX_CALL_BYTES:
            return 400, {"__type": "ValidationException", "message": "too big"}
        return take(entries)

    with run_bus(monkeypatch, refuse_big):
        assert BusPublisher("b").publish([small, big, last]) == [small.event_id, last.event_id]
