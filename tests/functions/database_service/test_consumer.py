"""What a crash left in an outbox reaches the bus, and one room's relay sees nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.database_service import RelayOutbox
from contracts.ids import uuid7
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import AccountUnlinked
from functions.database_service import consumer
from functions.database_service.migrate import ROOMS, migrate
from kit.db import Database
from tests.conftest import Stores
from tests.support.builders import FixedClock, sqs_event, sqs_record, wrap
from tests.support.publisher import RecordingPublisher

EVENT = AccountUnlinked(account_id=uuid7(), version=2)


@pytest.fixture
def relay(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
    stores: Stores,
) -> Callable[[], dict[str, Any]]:
    """Runs the relay a day later than everything that was written before."""
    room = open_room("database_service")
    monkeypatch.setattr(consumer, "_database", lambda: room)
    monkeypatch.setattr(consumer, "_publisher", lambda: published)
    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
    with psycopg.connect(stores.dsn, autocommit=True) as admin:
        for name in ROOMS:
            admin.execute(f"DELETE FROM {name}.outbox")
    from datetime import UTC, datetime

    clock.current = datetime.now(UTC) + timedelta(days=1)
    return lambda: consumer.handler(sqs_event(wrap(RelayOutbox())), None)


def write_and_crash(room: Database, published: RecordingPublisher, tenant: UUID) -> None:
    """Commit an event whose publishing fails, as a crash after the commit would leave it."""
    published.refusing = True
    with room.transaction(tenant) as tx:
        tx.publish(EVENT)
    published.refusing = False


def test_events_left_behind_by_a_crash_are_published_once(
    relay: Callable[[], Any],
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    tenant: UUID,
) -> None:
    write_and_crash(open_room("trading_engine"), published, tenant)
    assert published.rows == []
    assert relay() == {"batchItemFailures": []}
    (envelope,) = published.envelopes(AccountUnlinked)
    assert envelope.meta.tenant_id == tenant
    relay()
    assert len(published.rows) == 1


def test_redelivery_of_the_command_publishes_nothing_twice(
    relay: Callable[[], Any],
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    tenant: UUID,
) -> None:
    write_and_crash(open_room("trading_engine"), published, tenant)
    record = sqs_record(wrap(RelayOutbox()))
    for _ in range(3):
        consumer.handler({"Records": [record]}, None)
    assert len(published.rows) == 1


def test_a_bus_that_refuses_loses_nothing(
    relay: Callable[[], Any],
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    tenant: UUID,
) -> None:
    write_and_crash(open_room("trading_engine"), published, tenant)
    published.refusing = True
    assert len(relay()["batchItemFailures"]) == 1
    published.refusing = False
    relay()
    assert len(published.rows) == 1


def test_young_rows_are_left_to_their_own_transaction(
    relay: Callable[[], Any],
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    clock: FixedClock,
    tenant: UUID,
) -> None:
    from datetime import UTC, datetime

    write_and_crash(open_room("trading_engine"), published, tenant)
    clock.current = datetime.now(UTC)
    relay()
    assert published.rows == []


def test_a_transaction_publishes_for_its_own_tenant_only(
    open_room: Callable[[str], Database], tenant: UUID, other_tenant: UUID
) -> None:
    room = open_room("trading_engine")
    with pytest.raises(ValueError, match="own tenant"), room.transaction(tenant) as tx:
        tx.publish(EVENT, tenant_id=other_tenant)


def test_every_table_with_a_tenant_has_forced_row_level_security(stores: Stores) -> None:
    with psycopg.connect(stores.dsn) as admin:
        rows = admin.execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
            " AND NOT a.attisdropped"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY(%s)"
            " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
            [list(ROOMS)],
        ).fetchall()
    assert rows == []


def test_every_policy_is_the_tenants_own(stores: Stores) -> None:
    with psycopg.connect(stores.dsn) as admin:
        rows = admin.execute(
            "SELECT schemaname, tablename, policyname, qual FROM pg_policies"
            " WHERE schemaname = ANY(%s)",
            [list(ROOMS)],
        ).fetchall()
    assert len(rows) > len(ROOMS)
    assert [row for row in rows if "app.tenant_id" not in row[3]] == []


def test_without_a_tenant_nothing_is_seen(
    open_room: Callable[[str], Database], tenant: UUID
) -> None:
    from functions.trading_engine.store import AccountStore

    room = open_room("trading_engine")
    event = EntitlementsChanged(
        version=1,
        tier="free",
        symbols=("EURUSD",),
        predictions_per_day=20,
        prediction_delay_s=60,
        live_accounts=0,
    )
    with room.transaction(tenant) as tx:
        AccountStore(tx).keep_entitlements(event)
    with room.transaction(None) as tx:
        assert tx.fetch_all("SELECT * FROM entitlements") == []


def test_migrating_again_applies_nothing(stores: Stores) -> None:
    assert migrate(stores.dsn, stores.passwords) == []


def test_rows_of_another_tenant_cannot_be_written(
    open_room: Callable[[str], Database], tenant: UUID, other_tenant: UUID
) -> None:
    room = open_room("trading_engine")
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        room.transaction(tenant) as tx,
    ):
        tx.execute(
            "INSERT INTO entitlements (tenant_id, version, tier, paper_accounts, live_accounts)"
            " VALUES (%s, 1, 'free', 1, 0)",
            [other_tenant],
        )
