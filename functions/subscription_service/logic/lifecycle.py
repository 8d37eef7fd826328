"""The life of a subscription: start, change of plan, cancellation, and the turn of its periods.

Whoever calls has locked the tenant's subscription, so decisions are made one at a time a tenant.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.ids import derived_id
from contracts.subscription_service import SubscriptionRenewed, Tier
from functions.subscription_service.errors import (
    PlanUnknown,
    SubscriptionMissing,
    TenantIsClosed,
)
from functions.subscription_service.logic.book import Publish, SubscriptionBook
from functions.subscription_service.logic.calendar import period_bounds
from functions.subscription_service.logic.granting import grant_nothing, grant_plan
from functions.subscription_service.models import Period, Plan, Subscription

PERIODS_AHEAD_MAX = 120
"""Ten years without a billing run; more is a broken clock."""


def start_default_plan(
    book: SubscriptionBook, publish: Publish, time_zone: str, now: datetime, new_id: UUID
) -> bool:
    """Give a new tenant the default plan; False when it has, or had, a subscription, or closed."""
    if book.find_latest(lock=True) is not None or book.is_closed():
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
    grant_plan(book, publish, plan, time_zone, now)


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
    Raises PlanUnknown, TenantIsClosed.
    """
    plan = require_plan(book, code)
    subscription = book.find_living(lock=True)
    _require_open(book)
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
    grant_plan(book, publish, plan, subscription.time_zone, now)
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
    _require_open(book)
    pending = None if plan.code == subscription.plan_code else plan.code
    book.save_subscription(replace(subscription, state="active", pending_plan=pending))


def cancel_subscription(book: SubscriptionBook, publish: Publish, now: datetime) -> None:
    """Let the subscription end with its running period."""
    subscription = _require_living(book, publish, now)
    book.save_subscription(replace(subscription, state="canceled", pending_plan=None))


def close_tenant(book: SubscriptionBook, publish: Publish, now: datetime) -> Subscription | None:
    """End a closed tenant's subscription with its running period, and let none begin again.

    Answers the subscription that was cancelled; None when none was living or it was before.
    """
    subscription = book.find_living(lock=True)
    book.note_closure(now)
    if subscription is None:
        return None
    subscription = roll_forward(book, publish, subscription, now, now)
    if subscription.state != "active":
        return None
    canceled = replace(subscription, state="canceled", pending_plan=None)
    book.save_subscription(canceled)
    return canceled


def turn_suspension(
    book: SubscriptionBook, publish: Publish, version: int, now: datetime, *, suspended: bool
) -> bool:
    """Grant a suspended tenant nothing to trade, a reinstated one its plan again.

    The subscription runs on. False when a later turn of the tenant's life is known.
    """
    subscription = book.find_latest(lock=True)
    if not book.note_suspension(version, suspended=suspended):
        return False
    if subscription is None:
        return True
    if subscription.state == "ended":
        grant_nothing(book, publish, subscription.time_zone, now)
        return True
    plan = book.find_plan(subscription.plan_code, subscription.plan_version)
    assert plan is not None, "a foreign key holds the plan"
    grant_plan(book, publish, plan, subscription.time_zone, now)
    return True


def _require_open(book: SubscriptionBook) -> None:
    if book.is_closed():
        raise TenantIsClosed("a closed tenant chooses no plan; register anew")


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
        grant_nothing(book, publish, subscription.time_zone, now)
        return ended, last
    if subscription.pending_plan is not None:
        plan = require_plan(book, subscription.pending_plan)
        subscription = replace(
            subscription, plan_code=plan.code, plan_version=plan.version, pending_plan=None
        )
        book.save_subscription(subscription)
        grant_plan(book, publish, plan, subscription.time_zone, now)
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
