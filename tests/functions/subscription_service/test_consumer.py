"""The queue door of subscription_service over the real database."""

import threading
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.billing_service import BillingRunStarted, InvoicePaid
from contracts.ids import uuid7
from contracts.subscription_service import (
    BillingPeriodClosed,
    EntitlementsChanged,
    QuotaExhausted,
    SubscriptionRenewed,
)
from functions.subscription_service import consumer
from functions.subscription_service.errors import TenantMissing
from functions.subscription_service.logic import lifecycle
from functions.subscription_service.store import SubscriptionStore
from kit.db import Database, make_conninfo
from tests.functions.subscription_service.conftest import ROOM, delivered, verified
from tests.support.builders import FixedClock, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

FREE_A_DAY = 20


def read(database: Database, tenant: UUID | None, sql: str) -> list[dict]:
    with database.transaction(tenant) as tx:
        return tx.fetch_all(sql)


def choose(database: Database, tenant: UUID, plan: str) -> None:
    with database.transaction(tenant) as tx:
        lifecycle.choose_plan(
            SubscriptionStore(tx), tx.publish, plan, tx.now, time_zone="UTC", new_id=uuid7()
        )


def run_at(as_of) -> BillingRunStarted:
    return BillingRunStarted(run_id=uuid7(), as_of=as_of)


def test_a_verified_tenant_starts_on_the_free_plan(handle, database, published, tenant) -> None:
    assert handle(verified(), tenant=tenant) == 0
    [granted] = published.messages(EntitlementsChanged)
    assert (granted.version, granted.tier, granted.symbols) == (1, "free", ("EURUSD",))
    assert (granted.predictions_per_day, granted.prediction_delay_s) == (FREE_A_DAY, 60)
    [period] = read(database, tenant, "SELECT * FROM periods")
    assert period["starts_at"] == database.clock.now()
    assert period["ends_at"].isoformat() == "2026-04-02T08:00:00+00:00"


def test_redelivered_messages_change_nothing(handle, database, published, tenant) -> None:
    """Invariant 3, for every message of this room, with the same and with a new event id."""
    signal = delivered()
    run = run_at(database.clock.now() + timedelta(days=40))
    event = sqs_event(wrap(verified(), tenant), wrap(signal, tenant), wrap(run))
    assert consumer.handler(event, None) == {"batchItemFailures": []}
    state = "SELECT (SELECT count(*) FROM usage_events) u, (SELECT count(*) FROM periods) p"
    before, rows = read(database, tenant, state), len(published.rows)
    assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert handle(signal, verified(), tenant=tenant) == 0
    assert handle(run_at(run.as_of), tenant=None) == 0
    assert (read(database, tenant, state), len(published.rows)) == (before, rows)


def test_one_key_with_another_content_is_refused(handle, database, tenant) -> None:
    """Invariant 5, in the queue's terms: the message comes back and nothing is recorded."""
    signal_id = uuid7()
    handle(verified(), delivered(signal_id), tenant=tenant)
    assert handle(delivered(signal_id, "GBPUSD"), tenant=tenant) == 1
    assert len(read(database, tenant, "SELECT * FROM usage_events")) == 1


def test_usage_before_the_first_subscription_waits(handle, database, tenant) -> None:
    assert handle(delivered(), tenant=tenant) == 1
    assert handle(verified(), delivered(), tenant=tenant) == 0


def test_past_the_days_limit_use_is_kept_but_not_counted(
    handle, database, published, tenant
) -> None:
    handle(verified(), *(delivered() for _ in range(FREE_A_DAY + 3)), tenant=tenant)
    [exhausted] = published.messages(QuotaExhausted)
    assert exhausted.limit == FREE_A_DAY
    assert exhausted.resets_at.isoformat() == "2026-03-02T17:00:00+00:00"  # midnight in Jakarta
    outcomes = "SELECT outcome, count(*) n FROM usage_events GROUP BY 1 ORDER BY 1"
    assert [row["n"] for row in read(database, tenant, outcomes)] == [FREE_A_DAY, 3]
    database.clock.advance(days=1)
    assert handle(delivered(), tenant=tenant) == 0
    used = "SELECT used FROM quota_counters ORDER BY window_start DESC LIMIT 1"
    assert read(database, tenant, used) == [{"used": 1}]


def test_concurrent_deliveries_admit_exactly_the_limit(stores, handle, database, tenant) -> None:
    """Invariant 8: admitted = min(N, limit), each announced once, across connections."""
    handle(verified(), tenant=tenant)
    publisher, clock = RecordingPublisher(), FixedClock()
    signals = [delivered() for _ in range(FREE_A_DAY + 12)]

    def work(mine: list) -> None:
        own = Database(ROOM, make_conninfo(stores.secret(ROOM)), publisher, clock)
        for signal in mine:
            with own.transaction(tenant) as tx:
                consumer.meter_prediction(wrap(signal, tenant), tx)
        own.close()

    threads = [threading.Thread(target=work, args=(signals[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    counter = "SELECT used, over_limit FROM quota_counters"
    assert read(database, tenant, counter) == [{"used": FREE_A_DAY, "over_limit": 12}]
    assert len(publisher.messages(QuotaExhausted)) == 1


def test_a_billing_run_closes_what_is_over_and_opens_what_follows(
    handle, database, published, tenant
) -> None:
    handle(verified(), tenant=tenant)
    choose(database, tenant, "pro")
    handle(*(delivered() for _ in range(5)), tenant=tenant)
    run = run_at(database.clock.now() + timedelta(days=31))
    assert handle(run, tenant=None) == 0
    [closed] = [e for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    assert (closed.data.plan_code, closed.data.plan_price) == ("pro", 299_000)
    assert closed.data.run_id == run.run_id
    quantities = {line.meter: (line.quantity, line.included) for line in closed.data.usage}
    assert quantities == {"prediction": (5, None), "llm_insight": (0, 50)}
    periods = read(
        database, tenant, "SELECT state, follows, starts_at FROM periods ORDER BY number"
    )
    assert [row["state"] for row in periods] == ["closed", "open"]
    assert periods[1]["follows"] == periods[1]["starts_at"] == closed.data.period_end


def test_a_run_after_a_long_silence_closes_every_period_in_order(
    handle, database, published, tenant, other_tenant
) -> None:
    handle(verified(), tenant=tenant)
    database.clock.advance(days=10)
    handle(verified(), tenant=other_tenant)
    handle(run_at(database.clock.now() + timedelta(days=100)), tenant=None)
    for one in (tenant, other_tenant):
        closed = [
            e.data for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == one
        ]
        assert len(closed) == 3
        assert all(a.period_end == b.period_start for a, b in pairwise(closed))


def test_concurrent_runs_close_a_period_once(stores, handle, database, tenant) -> None:
    """Invariant 18, this room's half: k runs at once publish one closing."""
    handle(verified(), tenant=tenant)
    publisher, clock = RecordingPublisher(), FixedClock()
    as_of = database.clock.now() + timedelta(days=40)

    def work() -> None:
        own = Database(ROOM, make_conninfo(stores.secret(ROOM)), publisher, clock)
        consumer.close_due_periods(wrap(run_at(as_of)), own)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    closings = [e for e in publisher.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    assert len(closings) == 1


def test_late_use_enters_the_open_period_never_the_closed_one(
    handle, database, published, tenant
) -> None:
    handle(verified(), tenant=tenant)
    early = database.clock.now()
    database.clock.advance(days=32)
    handle(delivered(), tenant=tenant, now=early)  # before the run: its own period
    handle(run_at(database.clock.now()), tenant=None)
    handle(delivered(), tenant=tenant, now=early)  # after it: the open one
    placed = "SELECT number FROM usage_events JOIN periods USING (period_id) ORDER BY number"
    assert [row["number"] for row in read(database, tenant, placed)] == [0, 1]
    [closed] = [e for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    assert closed.data.usage[0].quantity == 1


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_and_any_repeats_give_the_same_closing(
    handle, database, published, order, repeats
) -> None:
    """Invariants 3 and 4: usage shuffled and redelivered, the same lines."""
    tenant = uuid7()
    handle(verified(), tenant=tenant)
    envelopes = [wrap(delivered(), tenant) for _ in range(6)]
    for index in [*order, *repeats]:
        consumer.handler(sqs_event(envelopes[index]), None)
    handle(run_at(database.clock.now() + timedelta(days=31)), tenant=None)
    [closed] = [e for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    assert [(line.meter, line.quantity) for line in closed.data.usage] == [("prediction", 6)]


PRICES = {"free": 0, "pro": 299_000, "enterprise": 1_499_000}
steps = st.lists(st.sampled_from([*PRICES, "use"]), max_size=10)


@given(steps)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_period_costs_the_last_plan_and_never_less_than_the_dearest_used(
    handle, database, published, steps
) -> None:
    """No order of upgrades, use and downgrades makes what was used cheaper."""
    tenant, plan, owed = uuid7(), "free", 0
    handle(verified(), tenant=tenant)
    for step in steps:
        if step == "use":
            handle(delivered(), tenant=tenant)
            owed = max(owed, PRICES[plan])
        else:
            choose(database, tenant, step)
            plan = step
    handle(run_at(database.clock.now() + timedelta(days=31)), tenant=None)
    [closed] = [e for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    assert closed.data.plan_price == max(owed, PRICES[plan])


def test_a_planned_change_and_a_cancellation_happen_at_the_periods_end(
    handle, database, published, tenant, other_tenant
) -> None:
    for one in (tenant, other_tenant):
        handle(verified(), tenant=one)
        choose(database, one, "pro")
    with database.transaction(tenant) as tx:
        lifecycle.schedule_plan(SubscriptionStore(tx), tx.publish, "enterprise", tx.now)
    with database.transaction(other_tenant) as tx:
        lifecycle.cancel_subscription(SubscriptionStore(tx), tx.publish, tx.now)
    handle(run_at(database.clock.now() + timedelta(days=31)), tenant=None)
    granted = {e.meta.tenant_id: e.data for e in published.envelopes(EntitlementsChanged)}
    assert (granted[tenant].tier, granted[tenant].version) == ("enterprise", 3)
    ended = granted[other_tenant]
    assert (ended.predictions_per_day, ended.paper_accounts, ended.symbols) == (0, 0, ())
    assert read(database, other_tenant, "SELECT state FROM subscriptions") == [{"state": "ended"}]


def test_a_paid_invoice_renews_once(handle, database, published, tenant) -> None:
    handle(verified(), tenant=tenant)
    handle(run_at(database.clock.now() + timedelta(days=31)), tenant=None)
    [closed] = [e for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    paid = InvoicePaid(
        invoice_id=uuid7(),
        number="INV/2026/04/000001",
        subscription_id=closed.data.subscription_id,
        total=0,
        period_end=closed.data.period_end,
        payment_id=None,
        paid_at=database.clock.now(),
    )
    assert handle(paid, paid, tenant=tenant) == 0
    [renewed] = published.messages(SubscriptionRenewed)
    assert renewed.paid_until == closed.data.period_end


def test_another_tenants_invoice_and_usage_touch_nothing(
    handle, database, published, tenant, other_tenant
) -> None:
    """Invariant 19: a tenant's messages act on that tenant only; without one nothing is read."""
    handle(verified(), delivered(), tenant=tenant)
    handle(verified(), tenant=other_tenant)
    [own] = read(
        database,
        tenant,
        "SELECT subscription_id, ends_at FROM subscriptions JOIN periods USING (subscription_id)",
    )
    foreign = InvoicePaid(
        invoice_id=uuid7(),
        number="INV/2026/04/000001",
        subscription_id=own["subscription_id"],
        total=0,
        period_end=own["ends_at"],
        payment_id=None,
        paid_at=database.clock.now(),
    )
    assert handle(foreign, tenant=other_tenant) == 0
    assert published.messages(SubscriptionRenewed) == []
    assert read(database, other_tenant, "SELECT * FROM usage_events") == []
    assert read(database, None, "SELECT 1 FROM subscriptions UNION ALL SELECT 1 FROM periods") == []
    with pytest.raises(TenantMissing), database.transaction(None) as tx:
        consumer.meter_prediction(wrap(delivered()), tx)


def test_a_run_bounded_by_its_message_comes_back_for_the_rest(
    handle, database, published, monkeypatch
) -> None:
    tenants = [uuid7() for _ in range(4)]
    for one in tenants:
        handle(verified(), tenant=one)
    bounded = consumer.settings().model_copy(update={"closings_a_message_max": 1})
    monkeypatch.setattr(consumer, "settings", lambda: bounded)
    run = sqs_event(wrap(run_at(database.clock.now() + timedelta(days=31))))
    rounds = 0
    while consumer.handler(run, None)["batchItemFailures"]:
        rounds += 1
        assert rounds < 20
    monkeypatch.undo()
    closed = {e.meta.tenant_id for e in published.envelopes(BillingPeriodClosed)}
    assert closed >= set(tenants)
