"""What PostgreSQL itself refuses in subscription_service, whatever the code above it does."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from functions.subscription_service.logic import closing, lifecycle
from functions.subscription_service.store import PlanStore, SubscriptionStore
from kit.db import Database


@pytest.fixture
def period_id(database: Database, tenant: UUID) -> UUID:
    """The first period of a tenant on the free plan."""
    with database.transaction(tenant) as tx:
        store = SubscriptionStore(tx)
        lifecycle.start_default_plan(store, tx.publish, "Asia/Jakarta", tx.now, uuid7())
        latest = store.find_latest(lock=False)
        return store.last_period(latest.subscription_id).period_id


def refuse(database: Database, tenant: UUID | None, sql: str, *params: object) -> None:
    with pytest.raises(psycopg.Error), database.transaction(tenant) as tx:
        tx.execute(sql, params)


def test_the_three_tiers_are_seeded_as_the_design_says(database) -> None:
    with database.transaction(None) as tx:
        plans = {plan.code: plan for plan in PlanStore(tx).list_plans()}
    assert {code: plan.price for code, plan in plans.items()} == {
        "free": 0,
        "pro": 299_000,
        "enterprise": 1_499_000,
    }
    predictions = {code: plan.rule("prediction").quota for code, plan in plans.items()}
    assert predictions == {"free": 20, "pro": 1_000, "enterprise": None}


def test_the_room_cannot_write_plans_and_nobody_changes_a_published_one(database, stores) -> None:
    refuse(database, None, "UPDATE prices SET amount = 1 WHERE plan_code = 'pro'")
    refuse(database, None, "INSERT INTO plan_versions VALUES ('pro', 2, now())")
    with psycopg.connect(stores.dsn) as admin, pytest.raises(psycopg.errors.RestrictViolation):
        admin.execute("UPDATE subscription_service.prices SET amount = 1 WHERE plan_code = 'pro'")


def test_a_closed_period_takes_no_usage_and_no_change(database, tenant, period_id) -> None:
    with database.transaction(tenant) as tx:
        later = tx.now + timedelta(days=40)
        assert closing.close_period(
            SubscriptionStore(tx),
            tx.publish,
            period_id=period_id,
            run_id=uuid7(),
            as_of=later,
            now=tx.now,
        )
    insert = (
        "INSERT INTO usage_events SELECT %s, %s, 'prediction', 'counted', 'x', now(),"
        " current_date, %s, now()"
    )
    refuse(database, tenant, insert, tenant, uuid7(), period_id)
    reopen = "UPDATE periods SET state = 'open', closed_at = NULL WHERE period_id = %s"
    refuse(database, tenant, reopen, period_id)


def test_a_period_must_follow_the_one_before(database, tenant, period_id) -> None:
    gap = (
        "INSERT INTO periods (tenant_id, period_id, subscription_id, number, follows, starts_at,"
        " ends_at, plan_code, plan_version, state) SELECT tenant_id, %s,"
        " subscription_id, 1, ends_at + %s::interval, ends_at + %s::interval,"
        " ends_at + interval '40 days', plan_code, plan_version, 'open' FROM periods"
        " WHERE period_id = %s"
    )
    for shift in ("1 second", "-1 second"):
        refuse(database, tenant, gap, uuid7(), shift, shift, period_id)


def test_a_hard_quota_is_a_limit_of_the_table(database, tenant) -> None:
    over = "INSERT INTO quota_counters VALUES (%s, 'prediction', current_date, 20, true, 21)"
    refuse(database, tenant, over, tenant)


def test_usage_is_never_rewritten(database, tenant, period_id) -> None:
    refuse(database, tenant, "UPDATE usage_events SET outcome = 'counted'")
    refuse(database, tenant, "DELETE FROM usage_events")


def test_a_tenant_reads_and_writes_its_own_rows_only(
    database, tenant, other_tenant, period_id
) -> None:
    """Invariant 19, at the table."""
    with database.transaction(other_tenant) as tx:
        assert SubscriptionStore(tx).find_latest(lock=False) is None
        assert SubscriptionStore(tx).lock_period(period_id) is None
        changed = tx.execute("UPDATE subscriptions SET plan_code = 'enterprise'")
        assert changed.rowcount == 0
    foreign = "INSERT INTO quota_counters VALUES (%s, 'prediction', current_date, 20, true, 1)"
    refuse(database, other_tenant, foreign, tenant)
    refuse(database, None, foreign, tenant)
