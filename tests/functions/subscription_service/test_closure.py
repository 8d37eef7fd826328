"""A closed tenant: its subscription runs out, its last period is billed, and nothing is renewed."""

from datetime import timedelta

import psycopg
import pytest

from contracts.audit import AuditRecorded
from contracts.billing_service import BillingRunStarted
from contracts.ids import uuid7
from contracts.subscription_service import (
    ApiLimits,
    BillingPeriodClosed,
    EntitlementsChanged,
)
from contracts.user_management import TenantClosed
from functions.subscription_service import consumer
from functions.subscription_service.logic import lifecycle
from functions.subscription_service.store import SubscriptionStore
from kit.db import Database
from tests.functions.subscription_service.conftest import delivered, verified
from tests.support.builders import sqs_event, wrap


def closed(database: Database) -> TenantClosed:
    return TenantClosed(erase_after=database.clock.now() + timedelta(days=30), version=3)


def choose(database: Database, tenant, plan) -> None:
    with database.transaction(tenant) as tx:
        lifecycle.choose_plan(
            SubscriptionStore(tx),
            tx.publish,
            plan,
            tx.now,
            time_zone="Asia/Jakarta",
            new_id=uuid7(),
        )


def states(database: Database, tenant) -> list[str]:
    with database.transaction(tenant) as tx:
        rows = tx.fetch_all("SELECT state FROM subscriptions ORDER BY created_at")
    return [row["state"] for row in rows]


def run_billing(handle, database: Database, days: int) -> None:
    database.clock.advance(days=days)
    handle(BillingRunStarted(run_id=uuid7(), as_of=database.clock.now()), tenant=None)


def bills(published, tenant) -> list[BillingPeriodClosed]:
    return [e.data for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]


def test_a_closed_tenants_last_period_is_billed_and_no_other_begins(
    handle, database, published, tenant
) -> None:
    handle(verified(), tenant=tenant)
    choose(database, tenant, "pro")
    handle(delivered(), closed(database), tenant=tenant)
    assert states(database, tenant) == ["canceled"]
    for _ in range(3):
        run_billing(handle, database, 32)
    [bill] = bills(published, tenant)
    assert bill.plan_price == 299_000
    assert (bill.usage[0].meter, bill.usage[0].quantity) == ("prediction", 1)
    assert states(database, tenant) == ["ended"]
    nothing = [e.data for e in published.envelopes(EntitlementsChanged)][-1]
    assert (nothing.predictions_per_day, nothing.paper_accounts, nothing.symbols) == (0, 0, ())
    assert nothing.api == ApiLimits(requests_per_second=1, burst=5, requests_per_day=1_000)


def test_redelivery_of_a_closure_changes_nothing_more(handle, database, published, tenant) -> None:
    handle(verified(), tenant=tenant)
    event = sqs_event(wrap(closed(database), tenant))
    for _ in range(3):
        assert consumer.handler(event, None) == {"batchItemFailures": []}
    handle(closed(database), tenant=tenant)  # another event that says the same
    assert states(database, tenant) == ["canceled"]
    [audited] = published.messages(AuditRecorded)
    assert (audited.action, audited.actor_kind) == ("subscription.canceled", "system")
    assert audited.detail == {"plan": "free", "reason": "tenant_closed"}


def test_a_closure_leaves_other_tenants_alone(
    handle, database, published, tenant, other_tenant
) -> None:
    handle(verified(), tenant=tenant)
    handle(verified(), tenant=other_tenant)
    handle(closed(database), tenant=other_tenant)
    assert states(database, tenant) == ["active"]
    run_billing(handle, database, 32)
    assert states(database, tenant) == ["active"]
    assert len(bills(published, tenant)) == len(bills(published, other_tenant)) == 1
    with database.transaction(tenant) as tx:
        assert tx.fetch_all("SELECT 1 FROM closures") == []


def test_a_closure_without_a_tenant_is_kept_for_a_human(handle, database) -> None:
    assert handle(closed(database), tenant=None) == 1


@pytest.mark.parametrize("repeat", [1, 2])
def test_a_verification_that_comes_after_the_closure_starts_nothing(
    handle, database, published, tenant, repeat
) -> None:
    """Queues deliver out of order."""
    for _ in range(repeat):
        assert handle(closed(database), tenant=tenant) == 0
    assert handle(verified(), tenant=tenant) == 0
    assert states(database, tenant) == []
    assert published.messages(EntitlementsChanged) == []


def test_a_cancelled_or_planned_change_is_overtaken_by_the_closure(
    handle, database, published, tenant, other_tenant
) -> None:
    for one in (tenant, other_tenant):
        handle(verified(), tenant=one)
        choose(database, one, "pro")
    with database.transaction(tenant) as tx:
        lifecycle.schedule_plan(SubscriptionStore(tx), tx.publish, "enterprise", tx.now)
    with database.transaction(other_tenant) as tx:
        lifecycle.cancel_subscription(SubscriptionStore(tx), tx.publish, tx.now)
    for one in (tenant, other_tenant):
        assert handle(closed(database), tenant=one) == 0
        assert states(database, one) == ["canceled"]
    run_billing(handle, database, 32)
    assert {states(database, one)[0] for one in (tenant, other_tenant)} == {"ended"}


def test_the_room_cannot_take_a_closure_back(database, handle, tenant) -> None:
    handle(closed(database), tenant=tenant)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(tenant) as tx:
        tx.execute("DELETE FROM closures")
