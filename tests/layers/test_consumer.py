"""The queue door: what can be read runs once, what cannot is kept, and neither stops the others."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.ai_provider import RequestViews
from contracts.billing_service import RunBilling
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.trading_engine import AccountUnlinked
from kit import consumer
from kit.consumer import (
    Handlers,
    make_batch_consumer,
    make_consumer,
    own_transactions,
    read_message,
)
from kit.db import Database, Transaction
from kit.errors import Forbidden, PoisonMessage, Unavailable
from tests.support.builders import raw_record, sqs_event, sqs_record, wrap
from tests.support.publisher import RecordingPublisher

ROOM = "trading_engine"
KEEP = (
    "INSERT INTO entitlements (tenant_id, version, tier, paper_accounts, live_accounts)"
    " VALUES (%s, %s, 'free', 1, 0)"
)


def unlinked(version: int = 1) -> AccountUnlinked:
    return AccountUnlinked(account_id=uuid7(), version=version)


class Door:
    """A consumer over one handler, and what became visible again at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.returned: list[str] = []
        self.seen: list[Envelope] = []
        self.error: Exception | None = None

    def handle(self, envelope: Envelope, tx: Transaction) -> None:
        tx.execute(KEEP, [envelope.meta.tenant_id, envelope.data.version])  # type: ignore[attr-defined]
        tx.publish(unlinked())
        self.seen.append(envelope)
        if self.error:
            raise self.error

    def __call__(self, *records: dict[str, Any]) -> list[str]:
        def on_unlinked(envelope: Envelope, tx: Transaction) -> None:
            self.handle(envelope, tx)

        handlers: Handlers = {AccountUnlinked: on_unlinked}
        handler = make_consumer(handlers, lambda: self.database)
        answer = handler({"Records": list(records)}, None)
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]]

    def kept(self, tenant: UUID) -> list[int]:
        with self.database.transaction(tenant) as tx:
            return [row["version"] for row in tx.fetch_all("SELECT version FROM entitlements")]

    def noted(self, envelope: Envelope) -> int:
        with self.database.transaction(None) as tx:
            rows = tx.fetch_all(
                "SELECT handler FROM inbox WHERE event_id = %s", [envelope.meta.event_id]
            )
        return len(rows)


@pytest.fixture
def door(open_room: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    door = Door(open_room(ROOM))
    monkeypatch.setattr(
        consumer, "_return_at_once", lambda record: door.returned.append(record["messageId"])
    )
    yield door


def event_body(**changes: Any) -> str:
    body = json.loads(sqs_record(wrap(unlinked(), uuid7()))["body"])
    return json.dumps({**body, **changes})


def of_version(version: int) -> str:
    body = json.loads(event_body())
    body["detail"]["meta"]["schema_version"] = version
    return json.dumps(body)


UNREADABLE = {
    "no JSON": "{not json",
    "empty": "",
    "a list": "[]",
    "a number": "7",
    "null": "null",
    "no type": "{}",
    "no detail": '{"detail-type": "AccountUnlinked"}',
    "a text for detail": event_body(detail="hello"),
    "a list for detail": event_body(detail=[1]),
    "null for meta": event_body(detail={"meta": None, "data": {}}),
    "no data": event_body(detail={"meta": json.loads(of_version(1))["detail"]["meta"]}),
    "an unknown type": event_body(**{"detail-type": "SomethingNew"}),
    "a list for a type": event_body(**{"detail-type": []}),
    "an unknown version": of_version(2),
    "version nought": of_version(0),
    "an unknown command": '{"command": "DropEverything"}',
    "a list for a command": '{"command": []}',
    "a wrong command": '{"command": "RunBilling", "data": {"as_of": "yesterday"}}',
    "nested without end": "[" * 100_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_fails_alone_and_soon(door: Door, tenant: UUID, body: str) -> None:
    bad, good = raw_record(body), sqs_record(wrap(unlinked(), tenant))
    assert door(bad, good) == [bad["messageId"]]
    assert door.returned == [bad["messageId"]]
    assert door.kept(tenant) == [1]


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_does_not_fail_a_batch(door: Door, tenant: UUID, body: str) -> None:
    stored: list[Envelope] = []
    handler = make_batch_consumer(stored.extend, {AccountUnlinked})
    bad, good = raw_record(body), sqs_record(wrap(unlinked(), tenant))
    answer = handler({"Records": [bad, good]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}
    assert len(stored) == 1


def test_the_reason_names_the_field_and_not_the_value() -> None:
    body = json.loads(event_body())
    body["detail"]["data"]["version"] = "s3cret"
    with pytest.raises(PoisonMessage) as caught:
        read_message(raw_record(json.dumps(body)))
    assert "version" in caught.value.detail
    assert "s3cret" not in caught.value.detail


def test_a_message_without_a_handler_here_is_kept(door: Door, tenant: UUID) -> None:
    record = sqs_record(wrap(RunBilling()))
    assert door(record) == [record["messageId"]]
    assert door.returned == [record["messageId"]]


def test_an_event_of_a_newer_writer_with_more_fields_is_read(door: Door, tenant: UUID) -> None:
    record = sqs_record(wrap(unlinked(), tenant))
    body = json.loads(record["body"])
    body["detail"]["data"]["added_later"] = {"deep": [1]}
    body["detail"]["meta"]["added_later"] = True
    record["body"] = json.dumps(body)
    assert door(record) == []
    assert door.kept(tenant) == [1]


def test_a_message_runs_in_its_tenants_transaction(door: Door, tenant: UUID) -> None:
    envelope = wrap(unlinked(5), tenant)
    assert door(sqs_record(envelope)) == []
    assert door.seen == [envelope]
    assert door.kept(tenant) == [5]
    assert door.noted(envelope) == 1


def test_a_redelivery_runs_nothing_and_publishes_nothing(
    door: Door, published: RecordingPublisher, tenant: UUID
) -> None:
    record = sqs_record(wrap(unlinked(), tenant))
    for _ in range(3):
        assert door(record) == []
    assert door(sqs_record(door.seen[0])) == []
    assert (len(door.seen), len(published.rows)) == (1, 1)


def test_a_crash_leaves_the_inbox_empty_so_that_a_redelivery_does_the_work(
    door: Door, published: RecordingPublisher, tenant: UUID
) -> None:
    record = sqs_record(wrap(unlinked(), tenant))
    door.error = RuntimeError("power cut")
    assert door(record) == [record["messageId"]]
    assert door.returned == []
    assert door.kept(tenant) == []
    assert door.noted(door.seen[0]) == 0
    assert published.rows == []
    door.error = None
    assert door(record) == []
    assert door.kept(tenant) == [1]


def test_a_failure_that_may_pass_waits_and_one_that_may_not_goes_on_soon(
    door: Door, tenant: UUID
) -> None:
    record = sqs_record(wrap(unlinked(), tenant))
    door.error = Unavailable("the vendor sleeps")
    assert door(record) == [record["messageId"]]
    assert door.returned == []
    door.error = Forbidden("never")
    assert door(record) == [record["messageId"]]
    assert door.returned == [record["messageId"]]


def test_one_failure_leaves_the_rest_of_the_batch_done(
    door: Door, tenant: UUID, other_tenant: UUID
) -> None:
    records = [sqs_record(wrap(unlinked(), owner)) for owner in (tenant, tenant, other_tenant)]
    assert door(*records) == [records[1]["messageId"]], "the second breaks a unique key"
    assert door.kept(tenant) == door.kept(other_tenant) == [1]


def test_a_handler_with_its_own_transactions_runs_each_time(
    door: Door, open_room: Callable[[str], Database]
) -> None:
    runs: list[Database] = []

    @own_transactions
    def on_unlinked(envelope: Envelope, database: Database) -> None:
        runs.append(database)

    handlers: Handlers = {AccountUnlinked: on_unlinked}
    handler = make_consumer(handlers, lambda: door.database)
    event = sqs_event(wrap(unlinked(), uuid7()))
    for _ in range(2):
        assert handler(event, None) == {"batchItemFailures": []}
    assert runs == [door.database] * 2


def test_a_schedules_command_is_read_with_an_id_of_its_message() -> None:
    record = raw_record('{"command": "RunBilling", "data": {"as_of": "2026-03-01T00:00:00+07:00"}}')
    first, second = read_message(record), read_message(record)
    assert first.data == RunBilling(as_of=datetime(2026, 2, 28, 17, tzinfo=UTC))
    assert first.meta.event_id == second.meta.event_id
    assert first.meta.tenant_id is None
    other = read_message({**record, "messageId": str(uuid7())})
    assert other.meta.event_id != first.meta.event_id


def test_a_command_without_data_has_its_defaults() -> None:
    assert read_message(raw_record('{"command": "RequestViews"}')).data == RequestViews()


def test_a_bare_envelope_is_read_by_its_type(tenant: UUID) -> None:
    envelope = wrap(unlinked(), tenant)
    body = {"type": "AccountUnlinked", **json.loads(envelope.to_json())}
    assert read_message(raw_record(json.dumps(body))) == envelope


def test_a_batch_that_cannot_be_stored_fails_whole_but_for_the_unreadable(door: Door) -> None:
    def refuse(envelopes: list[Envelope]) -> None:
        raise Unavailable("ClickHouse does not answer")

    handler = make_batch_consumer(refuse, {AccountUnlinked})
    bad = raw_record("{")
    good = [sqs_record(wrap(unlinked(), uuid7())) for _ in range(2)]
    answer = handler({"Records": [good[0], bad, good[1]]}, None)
    failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
    assert sorted(failed) == sorted(r["messageId"] for r in (bad, *good))
    assert door.returned == [bad["messageId"]]


def test_a_batch_of_unreadable_messages_stores_nothing(door: Door) -> None:
    stored: list[list[Envelope]] = []
    handler = make_batch_consumer(stored.append, {AccountUnlinked})
    handler({"Records": [raw_record("{"), sqs_record(wrap(RunBilling()))]}, None)
    assert stored == []
    assert len(door.returned) == 2
