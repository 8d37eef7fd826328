"""One transaction a message: it commits whole or not at all, and its events are never lost."""

from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from contracts.trading_engine import AccountUnlinked
from kit.db import MAX_EVENTS_A_TRANSACTION, Database, make_conninfo, open_database
from kit.errors import Unavailable
from kit.outbox import OutboxRow
from tests.conftest import Stores
from tests.support.builders import FixedClock, wrap
from tests.support.publisher import RecordingPublisher

ROOM = "trading_engine"
KEEP = (
    "INSERT INTO entitlements (tenant_id, version, tier, paper_accounts, live_accounts)"
    " VALUES (%s, %s, 'free', 1, 0)"
)


def unlinked() -> AccountUnlinked:
    return AccountUnlinked(account_id=uuid7(), version=1)


@pytest.fixture
def database(open_room: Callable[[str], Database]) -> Database:
    return open_room(ROOM)


def versions(database: Database, tenant: UUID) -> list[int]:
    with database.transaction(tenant) as tx:
        return [row["version"] for row in tx.fetch_all("SELECT version FROM entitlements")]


def outbox(database: Database, event_id: UUID) -> list[dict[str, object]]:
    with database.transaction(None) as tx:
        return tx.fetch_all("SELECT * FROM outbox WHERE event_id = %s", [event_id])


def test_work_is_committed_at_the_end_of_the_block(database: Database, tenant: UUID) -> None:
    with database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
    database.close()
    assert versions(database, tenant) == [3]


def test_an_error_takes_work_and_events_back(
    database: Database, published: RecordingPublisher, tenant: UUID
) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
        event_id = tx.publish(unlinked()).meta.event_id
        raise RuntimeError("in the middle")
    assert versions(database, tenant) == []
    assert outbox(database, event_id) == []
    assert published.rows == []


def test_an_interrupt_takes_work_back_too(database: Database, tenant: UUID) -> None:
    with pytest.raises(KeyboardInterrupt), database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
        raise KeyboardInterrupt
    assert versions(database, tenant) == []


def test_a_failed_statement_takes_the_whole_transaction_back(
    database: Database, tenant: UUID
) -> None:
    with (
        pytest.raises(psycopg.errors.UniqueViolation),
        database.transaction(tenant) as tx,
    ):
        tx.execute(KEEP, [tenant, 3])
        tx.execute(KEEP, [tenant, 4])
    assert versions(database, tenant) == []


def test_events_leave_after_the_commit_and_their_rows_go(
    database: Database, published: RecordingPublisher, tenant: UUID
) -> None:
    with database.transaction(tenant) as tx:
        event_id = tx.publish(unlinked()).meta.event_id
        assert published.rows == []
    (envelope,) = published.envelopes(AccountUnlinked)
    assert (envelope.meta.event_id, envelope.meta.tenant_id) == (event_id, tenant)
    assert outbox(database, event_id) == []


def test_the_outbox_row_survives_a_refused_publish(
    database: Database, published: RecordingPublisher, tenant: UUID
) -> None:
    published.refusing = True
    with database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
        envelope = tx.publish(unlinked())
    (row,) = outbox(database, envelope.meta.event_id)
    assert row["source"] == "sinyal.trading_engine"
    assert row["detail_type"] == "AccountUnlinked"
    assert row["envelope"] == envelope.to_json()
    assert versions(database, tenant) == [3]


def test_only_the_rows_that_the_bus_took_go(
    stores: Stores, published: RecordingPublisher, clock: FixedClock, tenant: UUID
) -> None:
    class HalfDeaf:
        def publish(self, rows: Sequence[OutboxRow]) -> list[UUID]:
            return [row.event_id for row in rows[::2]]

    database = Database(ROOM, make_conninfo(stores.secret(ROOM)), HalfDeaf(), clock)
    with database.transaction(tenant) as tx:
        ids = [tx.publish(unlinked()).meta.event_id for _ in range(5)]
    assert [bool(outbox(database, event_id)) for event_id in ids] == [
        False,
        True,
        False,
        True,
        False,
    ]
    database.close()


def test_an_event_with_a_given_id_is_written_once(
    database: Database, published: RecordingPublisher, tenant: UUID
) -> None:
    published.refusing = True
    event_id = uuid7()
    for _ in range(2):
        with database.transaction(tenant) as tx:
            tx.publish(unlinked(), event_id=event_id)
    assert len(outbox(database, event_id)) == 1


def test_an_event_knows_its_cause(
    database: Database, published: RecordingPublisher, tenant: UUID, clock: FixedClock
) -> None:
    cause = wrap(unlinked(), tenant).meta
    with database.transaction(tenant, cause=cause) as tx:
        tx.publish(unlinked())
    (envelope,) = published.envelopes()
    assert envelope.meta.causation_id == cause.event_id
    assert envelope.meta.correlation_id == cause.correlation_id
    assert envelope.meta.occurred_at == clock.now()


def test_a_transaction_does_not_take_events_without_end(database: Database, tenant: UUID) -> None:
    with (
        pytest.raises(ValueError, match="events in a transaction"),
        database.transaction(tenant) as tx,
    ):
        for _ in range(MAX_EVENTS_A_TRANSACTION + 1):
            tx.publish(unlinked())


def kill_backends(stores: Stores, room: str) -> None:
    """What a failover does: every session of the room's role ends."""
    with psycopg.connect(stores.dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [f"sinyal_{room}"],
        )


def test_a_killed_idle_connection_is_replaced(
    database: Database, stores: Stores, tenant: UUID
) -> None:
    assert versions(database, tenant) == []
    kill_backends(stores, ROOM)
    with database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
    assert versions(database, tenant) == [3]


def test_a_connection_killed_at_work_commits_nothing_and_the_next_one_works(
    database: Database, stores: Stores, published: RecordingPublisher, tenant: UUID
) -> None:
    with pytest.raises(psycopg.OperationalError), database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
        tx.publish(unlinked())
        kill_backends(stores, ROOM)
        tx.fetch_all("SELECT 1")
    assert published.rows == []
    assert versions(database, tenant) == []


def test_a_connection_killed_after_publishing_does_not_undo_what_is_done(
    stores: Stores, clock: FixedClock, tenant: UUID
) -> None:
    """The row stays and the relay sends it again, which readers survive."""
    taken: list[UUID] = []

    class KillsAfterwards:
        def publish(self, rows: Sequence[OutboxRow]) -> list[UUID]:
            kill_backends(stores, ROOM)
            taken.extend(row.event_id for row in rows)
            return taken

    database = Database(ROOM, make_conninfo(stores.secret(ROOM)), KillsAfterwards(), clock)
    with database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
        tx.publish(unlinked())
    assert versions(database, tenant) == [3]
    assert len(outbox(database, taken[0])) == 1
    database.close()


def test_the_tenant_ends_with_the_transaction(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    with database.transaction(tenant) as tx:
        tx.execute(KEEP, [tenant, 3])
    assert versions(database, other_tenant) == []
    with database.transaction(None) as tx:
        assert tx.fetch_all("SELECT * FROM entitlements") == []
        assert tx.fetch_one("SELECT current_setting('app.tenant_id') AS t") == {"t": ""}


def test_a_slow_statement_is_cancelled(database: Database, tenant: UUID) -> None:
    with database.transaction(tenant) as tx:
        assert tx.fetch_one("SHOW statement_timeout") == {"statement_timeout": "5s"}
        tx.execute("SET LOCAL statement_timeout = 50")
        with pytest.raises(psycopg.errors.QueryCanceled):
            tx.execute("SELECT pg_sleep(5)")


def test_a_database_that_is_away_is_unavailable_and_worth_another_try(
    published: RecordingPublisher, tenant: UUID
) -> None:
    secret = {"host": "127.0.0.1", "port": 1, "dbname": "x", "user": "x", "password": "x"}
    database = Database(ROOM, make_conninfo(secret), published)
    with pytest.raises(Unavailable) as caught, database.transaction(tenant):
        raise AssertionError("not reached")
    assert caught.value.retryable


def test_a_room_opens_its_database_by_its_secret(
    stores: Stores, set_secret: Callable[[str, dict[str, object]], None], tenant: UUID
) -> None:
    open_database.cache_clear()
    set_secret(f"db/{ROOM}", stores.secret(ROOM))
    database = open_database(ROOM, "sinyal-test")
    assert open_database(ROOM, "sinyal-test") is database
    with database.transaction(tenant) as tx:
        assert tx.fetch_one("SELECT current_schema() AS name") == {"name": ROOM}
    database.close()
    open_database.cache_clear()
