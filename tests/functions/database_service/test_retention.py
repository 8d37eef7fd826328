"""Technical records go at their age and not before, whoever's they are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.database_service import PruneRecords
from contracts.ids import uuid7
from functions.database_service import consumer
from functions.database_service.logic.catalogue import RETENTION
from kit.db import Database
from tests.functions.database_service.planting import Person, plant_rows, read_schema
from tests.support.builders import NOW, FixedClock, sqs_event, sqs_record, wrap

AGES = {rule.table: rule for rule in RETENTION}


@pytest.fixture
def prune(room: Database) -> Callable[..., dict[str, Any]]:
    def run(limit: int = 10_000) -> dict[str, Any]:
        return consumer.handler(sqs_event(wrap(PruneRecords(limit=limit))), None)

    return run


def count(admin: psycopg.Connection[Any], table: str, tenant_id: UUID | None = None) -> int:
    where = f" WHERE tenant_id = '{tenant_id}'" if tenant_id else ""
    row = admin.execute(f"SELECT count(*) FROM {table}{where}").fetchone()
    assert row is not None
    return int(row[0])


def age(admin: psycopg.Connection[Any], tenant_id: UUID, table: str, days: float) -> None:
    """Make the tenant's row of a table as old as told, as of the test's now."""
    when = NOW - timedelta(days=days)
    created = dict(read_schema(admin)[table]).get("created_at")
    extra = f", created_at = '{when - timedelta(days=1)}'" if created else ""
    column = AGES[table].column
    if column == "created_at":
        extra = ""
    admin.execute(
        f"UPDATE {table} SET {column} = %s{extra} WHERE tenant_id = %s", [when, tenant_id]
    )


@pytest.mark.parametrize(
    "table",
    sorted({t for t in AGES if not t.endswith((".inbox", "_updates", "_attempts", "_slots"))}),
)
def test_rows_go_at_their_age_and_not_before(
    table: str, prune: Any, admin: psycopg.Connection[Any], tenant: UUID, other_tenant: UUID
) -> None:
    for tenant_id, days in ((tenant, AGES[table].days + 1.1), (other_tenant, AGES[table].days - 1)):
        plant_rows(admin, Person(tenant_id))
        age(admin, tenant_id, table, days)
    assert prune() == {"batchItemFailures": []}
    assert count(admin, table, tenant) == 0
    assert count(admin, table, other_tenant) == 1


def test_an_inbox_remembers_thirty_days(
    prune: Any, admin: psycopg.Connection[Any], clock: FixedClock
) -> None:
    old, young = uuid7(), uuid7()
    for event_id, days in ((old, 31), (young, 29)):
        admin.execute(
            "INSERT INTO user_service.inbox VALUES (%s, 'test', %s)",
            [event_id, NOW - timedelta(days=days)],
        )
    prune()
    rows = admin.execute(
        "SELECT event_id FROM user_service.inbox WHERE event_id = ANY(%s)", [[old, young]]
    ).fetchall()
    assert rows == [(young,)]


def test_numbers_of_telegram_updates_go_after_thirty_days(
    prune: Any, admin: psycopg.Connection[Any]
) -> None:
    admin.execute("DELETE FROM notification_service.telegram_updates")
    admin.execute(
        "INSERT INTO notification_service.telegram_updates VALUES (1, %s), (2, %s)",
        [NOW - timedelta(days=31), NOW - timedelta(days=29)],
    )
    prune()
    rows = admin.execute("SELECT update_id FROM notification_service.telegram_updates").fetchall()
    assert rows == [(2,)]


def test_a_run_removes_no_more_than_it_is_told(prune: Any, admin: psycopg.Connection[Any]) -> None:
    fill_inbox(admin, 2_500)
    prune(limit=1_500)
    assert count(admin, "ai_provider.inbox") == 1_000
    prune(limit=1_500)
    assert count(admin, "ai_provider.inbox") == 0


def fill_inbox(admin: psycopg.Connection[Any], rows: int) -> None:
    admin.execute("DELETE FROM ai_provider.inbox")
    admin.execute(
        "INSERT INTO ai_provider.inbox SELECT gen_random_uuid(), 'test', %s"
        " FROM generate_series(1, %s)",
        [NOW - timedelta(days=40), rows],
    )


def test_rows_that_somebody_holds_are_left_for_the_next_run(
    prune: Any, admin: psycopg.Connection[Any], stores: Any
) -> None:
    fill_inbox(admin, 10)
    with psycopg.connect(stores.dsn) as other:
        other.execute("SELECT 1 FROM ai_provider.inbox LIMIT 3 FOR UPDATE")
        assert prune() == {"batchItemFailures": []}
        assert count(admin, "ai_provider.inbox") == 3
    prune()
    assert count(admin, "ai_provider.inbox") == 0


def test_redelivery_of_the_command_prunes_nothing_more(
    room: Database, admin: psycopg.Connection[Any]
) -> None:
    fill_inbox(admin, 5)
    record = sqs_record(wrap(PruneRecords()))
    for _ in range(3):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert count(admin, "ai_provider.inbox") == 0


def test_a_clock_that_runs_ahead_prunes_nothing_younger(
    prune: Any, admin: psycopg.Connection[Any], clock: FixedClock
) -> None:
    admin.execute("DELETE FROM ai_provider.inbox")
    admin.execute("INSERT INTO ai_provider.inbox VALUES (%s, 'test', now())", [uuid7()])
    clock.advance(days=3_650)
    prune()
    assert count(admin, "ai_provider.inbox") == 1


def test_the_role_can_prune_no_table_without_a_rule(room: Database) -> None:
    with pytest.raises(psycopg.errors.NoDataFound), room.transaction(None) as tx:
        tx.execute("SELECT prune_rows('billing_service.invoices', now(), 10)")
