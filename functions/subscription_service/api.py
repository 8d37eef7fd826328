"""HTTP door of subscription_service: plans, the tenant's subscription, its usage."""

from typing import Any
from zoneinfo import ZoneInfo

from fastapi.responses import JSONResponse

from contracts.ids import uuid7
from contracts.subscription_service import EntitlementsChanged, Tier
from functions.subscription_service.errors import SubscriptionMissing
from functions.subscription_service.logic import lifecycle, metering
from functions.subscription_service.models import (
    ChangePlan,
    ChoosePlan,
    MeterUsage,
    PeriodBounds,
    PeriodUsage,
    Plan,
    PlanPage,
    Price,
    ShownMeter,
    ShownPeriod,
    ShownPlan,
    ShownSubscription,
    ShownUsage,
    StreamUse,
    Subscription,
)
from functions.subscription_service.settings import settings
from functions.subscription_service.store import PlanStore, SubscriptionStore
from kit import audit
from kit.api import CurrentPrincipal, make_app, make_handler, problems
from kit.db import Database, Transaction, open_database
from kit.idempotency import IdempotencyKey, answer_once

app = make_app("subscription_service", "Plans, the tenant's subscription and its usage")

_UNUSED = StreamUse(ticks=0, bytes=0, streams_max=0)
STARTED_OR_CHANGED: dict[int | str, dict[str, Any]] = {
    200: {"model": ShownSubscription, "description": "Changed, or as it was."},
    201: {"model": ShownSubscription, "description": "Started."},
    **problems(404, 409),
}


def _database() -> Database:
    return open_database("subscription_service", settings().event_bus_name)


def _show_plan(plan: Plan) -> ShownPlan:
    return ShownPlan(
        code=plan.code,
        version=plan.version,
        name=plan.name,
        price=Price(amount=plan.price),
        entitlements=plan.features,
        meters=[
            ShownMeter(
                meter=rule.meter,
                window=rule.window,
                limit=rule.quota,
                hard=rule.hard,
                unit_price=rule.unit_price,
            )
            for rule in plan.meters
        ],
    )


def _show_subscription(store: SubscriptionStore, tx: Transaction) -> ShownSubscription:
    subscription = _require(store)
    period = store.open_period_at(subscription.subscription_id, tx.now)
    period = period or store.last_period(subscription.subscription_id)
    paid_until, grant = subscription.paid_until, store.find_grant()
    return ShownSubscription(
        subscription_id=subscription.subscription_id,
        plan=subscription.plan_code,
        plan_version=subscription.plan_version,
        state=subscription.state,
        pending_plan=subscription.pending_plan,
        time_zone=subscription.time_zone,
        period=ShownPeriod(
            number=period.number,
            starts_at=period.starts_at.isoformat(),
            ends_at=period.ends_at.isoformat(),
            billed_plan=period.plan_code,
        ),
        paid_until=paid_until.isoformat() if paid_until else None,
        entitlements=EntitlementsChanged.model_validate(grant) if grant else None,
    )


def _require(store: SubscriptionStore) -> Subscription:
    subscription = store.find_latest(lock=False)
    if subscription is None:
        raise SubscriptionMissing("choose a plan first: POST /v1/subscription")
    return subscription


@app.get("/v1/plans")
def get_plans() -> PlanPage:
    """The plans on offer. Open to everybody."""
    with _database().transaction(None) as tx:
        plans = PlanStore(tx).list_plans()
    return PlanPage(items=[_show_plan(plan) for plan in plans])


@app.get("/v1/subscription", responses=problems(404))
def get_subscription(principal: CurrentPrincipal) -> ShownSubscription:
    """The tenant's subscription and what it allows."""
    with _database().transaction(principal.tenant_id) as tx:
        return _show_subscription(SubscriptionStore(tx), tx)


@app.post("/v1/subscription", response_model=ShownSubscription, responses=STARTED_OR_CHANGED)
def post_subscription(
    body: ChoosePlan, principal: CurrentPrincipal, key: IdempotencyKey = None
) -> JSONResponse:
    """Start a plan, or change to it now.

    Nothing of the running period was billed yet, so the plan chosen sets the fee of the whole
    running period, though never below that of the dearest plan used in it.
    """
    principal.require_role("owner", "admin")
    with _database().transaction(principal.tenant_id) as tx:
        request = ["POST /v1/subscription", body.model_dump()]
        return answer_once(tx, key, request, lambda: _choose_plan(tx, body.plan))


def _choose_plan(tx: Transaction, plan: Tier) -> tuple[int, Any]:
    store = SubscriptionStore(tx)
    before = store.find_latest(lock=True)
    started = lifecycle.choose_plan(
        store,
        tx.publish,
        plan,
        tx.now,
        time_zone=settings().default_time_zone,
        new_id=uuid7(),
    )
    _audit_change(tx, "subscription.started" if started else "subscription.changed", before)
    return 201 if started else 200, _answer(tx)


def _answer(tx: Transaction) -> Any:
    return _show_subscription(SubscriptionStore(tx), tx).model_dump(mode="json")


def _audit_change(tx: Transaction, action: str, before: Subscription | None) -> None:
    """Note who changed the plan, if it changed."""
    after = SubscriptionStore(tx).find_latest(lock=False)
    if after is None or after == before:
        return
    audit.record(
        tx,
        action,
        "subscription",
        after.subscription_id,
        plan_before=before.plan_code if before else None,
        plan=after.plan_code,
        pending_plan=after.pending_plan,
        state=after.state,
    )


@app.patch("/v1/subscription", response_model=ShownSubscription, responses=STARTED_OR_CHANGED)
def patch_subscription(
    body: ChangePlan, principal: CurrentPrincipal, key: IdempotencyKey = None
) -> JSONResponse:
    """Change the plan now, or when the running period ends."""
    principal.require_role("owner", "admin")
    with _database().transaction(principal.tenant_id) as tx:
        store = SubscriptionStore(tx)

        def run() -> tuple[int, Any]:
            _require(store)
            if body.when == "now":
                return _choose_plan(tx, body.plan)
            before = store.find_latest(lock=True)
            lifecycle.schedule_plan(store, tx.publish, body.plan, tx.now)
            _audit_change(tx, "subscription.scheduled", before)
            return 200, _answer(tx)

        return answer_once(tx, key, ["PATCH /v1/subscription", body.model_dump()], run)


@app.delete("/v1/subscription", response_model=ShownSubscription, responses=problems(404, 409))
def delete_subscription(principal: CurrentPrincipal, key: IdempotencyKey = None) -> JSONResponse:
    """Cancel: the subscription runs to the end of its period, then allows nothing."""
    principal.require_role("owner", "admin")
    with _database().transaction(principal.tenant_id) as tx:
        store = SubscriptionStore(tx)

        def run() -> tuple[int, Any]:
            before = store.find_latest(lock=True)
            lifecycle.cancel_subscription(store, tx.publish, tx.now)
            _audit_change(tx, "subscription.canceled", before)
            return 200, _answer(tx)

        return answer_once(tx, key, ["DELETE /v1/subscription"], run)


@app.get("/v1/usage", responses=problems(404))
def get_usage(principal: CurrentPrincipal) -> ShownUsage:
    """Use of each meter: in its present window, and in the running period."""
    with _database().transaction(principal.tenant_id) as tx:
        store = SubscriptionStore(tx)
        subscription = _require(store)
        plan = store.find_plan(subscription.plan_code, subscription.plan_version)
        assert plan is not None, "a foreign key holds the plan"
        period = store.open_period_at(subscription.subscription_id, tx.now)
        zone = ZoneInfo(subscription.time_zone)
        windows = metering.current_windows(plan, period, tx.now, zone)
        counters = {m: store.find_counter(m, window.start) for m, window in windows.items()}
        totals = store.sum_usage(period.period_id) if period else {}
        stream = store.sum_stream_usage(period.starts_at, period.ends_at) if period else _UNUSED
    meters = []
    for rule in plan.meters:
        counter, window = counters[rule.meter], windows[rule.meter]
        total = totals.get(rule.meter, {"counted": 0, "over_limit": 0})
        meters.append(
            MeterUsage(
                meter=rule.meter,
                window=rule.window,
                used=counter.used if counter else 0,
                limit=rule.quota,
                over_limit=counter.over_limit if counter else 0,
                resets_at=window.resets_at.isoformat(),
                period=PeriodUsage(**total),
            )
        )
    bounds = None
    if period is not None:
        bounds = PeriodBounds(
            starts_at=period.starts_at.isoformat(), ends_at=period.ends_at.isoformat()
        )
    return ShownUsage(meters=meters, stream=stream, period=bounds)


handler = make_handler(app)
