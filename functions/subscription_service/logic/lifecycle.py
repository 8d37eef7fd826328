"""The life of a subscription: start, change of plan, cancellation, and the turn of its periods.

Whoever calls has locked the tenant's subscription, so decisions are made one at a time a tenant.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.envelope import Event
from contracts.ids import derived_id
from contracts.subscription_service import EntitlementsChanged, SubscriptionRenewed, Tier
from functions.subscription_service.errors import PlanUnknown, SubscriptionMissing
from functions.subscription_service.logic.calendar import period_bounds
from functions.subscription_service.models import Period, Plan, Subscription

PERIODS_AHEAD_MAX = 120
"""Ten years without a billing run; more is a broken clock."""

Publish = Callable[[Event], Any]


class SubscriptionBook(Protocol):
    """The subscription, its plan and its periods, as the tenant's transaction sees them."""

    def find_plan(self, code: Tier, version: int | None = None) -> Plan | None: ...
    def find_default_plan(self) -> Plan: ...
    def find_latest(self, *, lock: bool) -> Subscription | None: ...
    def find_living(self, *, lock: bool) -> Subscription | None: ...
    def add_subscription(self, subscription: Subscription, now: datetime) -> None: ...
    def save_subscription(self, subscription: Subscription) -> None: ...
    def last_period(self, subscription_id: UUID) -> Period: ...
    def open_period_at(self, subscription_id: UUID, at: datetime) -> Period | None: ...
    def add_period(self, period: Period) -> None: ...
    def bill_period_by(
        self, period_id: UUID, plan: Plan, used: Plan | None, uses_before: int
    ) -> None: ...
    def count_uses(self, period_id: UUID) -> int: ...
    def next_grant_version(self) -> int: ...
    def add_grant(self, granted: EntitlementsChanged, now: datetime) -> None: ...
    def mark_period_paid(
        self, subscription_id: UUID, period_end: datetime, paid_at: datetime
    ) -> bool: ...


def start_default_plan(
    book: SubscriptionBook, publish: Publish, time_zone: str, now: datetime, new_id: UUID
) -> bool:
    """Give a new tenant the default plan; False when it has, or had, a subscription."""
    if book.find_latest(lock=True) is not None:
        return False
    _start(book, publish, book.find_default_plan(), now, time_zone=time_zone, new_id=new_id)
    return True


def _start(
    book: SubscriptionBook,
    publish: Publish,
    plan: Plan,
    now: datetime,
    *,
    time_zone: str,
    new_id: UUID,
) -> None:
    subscription = Subscription(
        new_id, plan.code, plan.version, "active", now, time_zone, None, None
    )
    book.add_subscription(subscription, now)
    book.add_period(_make_period(subscription, 0))
    _grant(book, publish, plan, time_zone, now)


def choose_plan(
    book: SubscriptionBook,
    publish: Publish,
    code: Tier,
    now: datetime,
    *,
    time_zone: str,
    new_id: UUID,
) -> bool:
    """Start a subscription, or change its plan now; True when it was started.

    Nothing of the running period was billed yet (fees are billed when it ends), so the new plan
    becomes the plan of the whole running period: no proration in this version. What the tenant may
    use changes at once, but the period is never billed by less than the dearest plan used in it.
    """
    plan = require_plan(book, code)
    subscription = book.find_living(lock=True)
    if subscription is not None:
        subscription = roll_forward(book, publish, subscription, now, now)
    if subscription is None or subscription.state == "ended":
        _start(book, publish, plan, now, time_zone=time_zone, new_id=new_id)
        return True
    if subscription.plan_code == code:
        book.save_subscription(replace(subscription, state="active", pending_plan=None))
        return False
    book.save_subscription(
        replace(
            subscription,
            plan_code=plan.code,
            plan_version=plan.version,
            state="active",
            pending_plan=None,
        )
    )
    _bill_running_period_by(book, subscription, plan, now)
    _grant(book, publish, plan, subscription.time_zone, now)
    return False


def _bill_running_period_by(
    book: SubscriptionBook, left: Subscription, plan: Plan, now: datetime
) -> None:
    """Bill the running period by the new plan, or by a dearer one that was used before it."""
    running = book.open_period_at(left.subscription_id, now)
    if running is None:
        return
    used = None
    if running.used_plan_code is not None:
        used = book.find_plan(running.used_plan_code, running.used_plan_version)
    uses = book.count_uses(running.period_id)
    if uses > running.uses_before:
        used = _find_dearer(used, book.find_plan(left.plan_code, left.plan_version))
    billed = _find_dearer(used, plan)
    assert billed is not None, "the new plan is there"
    book.bill_period_by(running.period_id, billed, used, uses)


def _find_dearer(one: Plan | None, other: Plan | None) -> Plan | None:
    if one is None or (other is not None and other.price >= one.price):
        return other
    return one


def schedule_plan(book: SubscriptionBook, publish: Publish, code: Tier, now: datetime) -> None:
    """Change the plan when the running period ends; the present plan again takes that back."""
    plan = require_plan(book, code)
    subscription = _require_living(book, publish, now)
    pending = None if plan.code == subscription.plan_code else plan.code
    book.save_subscription(replace(subscription, state="active", pending_plan=pending))


def cancel_subscription(book: SubscriptionBook, publish: Publish, now: datetime) -> None:
    """Let the subscription end with its running period."""
    subscription = _require_living(book, publish, now)
    book.save_subscription(replace(subscription, state="canceled", pending_plan=None))


def _require_living(book: SubscriptionBook, publish: Publish, now: datetime) -> Subscription:
    subscription = book.find_living(lock=True)
    if subscription is not None:
        subscription = roll_forward(book, publish, subscription, now, now)
    if subscription is None or subscription.state == "ended":
        raise SubscriptionMissing("choose a plan first: POST /v1/subscription")
    return subscription


def require_plan(book: SubscriptionBook, code: Tier) -> Plan:
    """The newest published version of a plan. Raises PlanUnknown."""
    plan = book.find_plan(code)
    if plan is None:
        raise PlanUnknown(f"choose one of GET /v1/plans instead of {code}")
    return plan


def roll_forward(
    book: SubscriptionBook,
    publish: Publish,
    subscription: Subscription,
    until: datetime,
    now: datetime,
) -> Subscription:
    """Open every period that begins by ``until``; what was planned for a period's end happens."""
    last = book.last_period(subscription.subscription_id)
    for _ in range(PERIODS_AHEAD_MAX):
        if last.ends_at > until or subscription.state == "ended":
            break
        subscription, last = _turn_period(book, publish, subscription, last, now)
    return subscription


def _turn_period(
    book: SubscriptionBook,
    publish: Publish,
    subscription: Subscription,
    last: Period,
    now: datetime,
) -> tuple[Subscription, Period]:
    if subscription.state == "canceled":
        ended = replace(subscription, state="ended")
        book.save_subscription(ended)
        _grant_nothing(book, publish, subscription.time_zone, now)
        return ended, last
    if subscription.pending_plan is not None:
        plan = require_plan(book, subscription.pending_plan)
        subscription = replace(
            subscription, plan_code=plan.code, plan_version=plan.version, pending_plan=None
        )
        book.save_subscription(subscription)
        _grant(book, publish, plan, subscription.time_zone, now)
    following = _make_period(subscription, last.number + 1)
    book.add_period(following)
    return subscription, following


def _make_period(subscription: Subscription, number: int) -> Period:
    start, end = period_bounds(subscription.anchor_at, number, ZoneInfo(subscription.time_zone))
    return Period(
        period_id=derived_id("period", subscription.subscription_id, number),
        subscription_id=subscription.subscription_id,
        number=number,
        starts_at=start,
        ends_at=end,
        plan_code=subscription.plan_code,
        plan_version=subscription.plan_version,
        used_plan_code=None,
        used_plan_version=None,
        uses_before=0,
        closed=False,
    )


def describe_entitlements(plan: Plan, version: int, time_zone: str) -> EntitlementsChanged:
    """What a plan allows, as every other room reads it."""
    predictions, features = plan.rule("prediction"), plan.features
    return EntitlementsChanged(
        version=version,
        tier=plan.code,
        symbols=tuple(features["symbols"]),
        max_symbols=features["max_symbols"],
        predictions_per_day=0 if predictions is None else predictions.quota,
        prediction_delay_s=features["prediction_delay_s"],
        live_accounts=features["live_accounts"],
        paper_accounts=features["paper_accounts"],
        time_zone=time_zone,
    )


def _grant(
    book: SubscriptionBook, publish: Publish, plan: Plan, time_zone: str, now: datetime
) -> None:
    granted = describe_entitlements(plan, book.next_grant_version(), time_zone)
    book.add_grant(granted, now)
    publish(granted)


def _grant_nothing(book: SubscriptionBook, publish: Publish, time_zone: str, now: datetime) -> None:
    """An ended subscription allows nothing; the tier is the default plan's, the limits are zero."""
    granted = EntitlementsChanged(
        version=book.next_grant_version(),
        tier=book.find_default_plan().code,
        symbols=(),
        max_symbols=None,
        predictions_per_day=0,
        prediction_delay_s=0,
        live_accounts=0,
        paper_accounts=0,
        time_zone=time_zone,
    )
    book.add_grant(granted, now)
    publish(granted)


def renew_subscription(
    book: SubscriptionBook,
    publish: Publish,
    subscription_id: UUID,
    period_end: datetime,
    paid_at: datetime,
) -> None:
    """Note that a period's invoice is paid; announce the renewal once, if it goes on."""
    subscription = book.find_living(lock=True)
    if not book.mark_period_paid(subscription_id, period_end, paid_at):
        return
    if subscription is None or subscription.subscription_id != subscription_id:
        return
    paid_until = max(filter(None, [subscription.paid_until, period_end]))
    book.save_subscription(replace(subscription, paid_until=paid_until))
    publish(
        SubscriptionRenewed(
            subscription_id=subscription_id, plan_code=subscription.plan_code, paid_until=paid_until
        )
    )
