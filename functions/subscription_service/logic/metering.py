"""Metering: every use is recorded once, counted up to its hard quota, and never lost."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.subscription_service import Meter, QuotaExhausted
from functions.subscription_service.errors import SubscriptionMissing, UsageKeyReused
from functions.subscription_service.logic.book import Publish, SubscriptionBook
from functions.subscription_service.logic.calendar import end_of_day, local_day
from functions.subscription_service.logic.lifecycle import roll_forward
from functions.subscription_service.models import (
    Counter,
    MeterRule,
    Outcome,
    Period,
    Plan,
    Subscription,
    Usage,
    UsageEntry,
)

NOTHING_ALLOWED = 0


class UsageBook(SubscriptionBook, Protocol):
    """Usage and counters of the transaction's tenant."""

    def find_usage_hash(self, key: UUID) -> str | None: ...
    def add_usage(self, entry: UsageEntry, now: datetime) -> None: ...
    def find_counter(self, meter: Meter, window_start: date) -> Counter | None: ...
    def save_counter(
        self, meter: Meter, window_start: date, hard: bool, counter: Counter
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Admission:
    """A verdict on one use, the counter after it, and whether the quota's end is news."""

    outcome: Outcome
    counter: Counter
    announce: bool


def admit_use(counter: Counter | None, rule: MeterRule) -> Admission:
    """Count one more use against the rule's quota.

    After a change to a smaller quota the counter keeps what was used and admits nothing more.
    """
    before = counter or Counter(rule.quota, 0, 0, None)
    if not rule.hard or rule.quota is None:
        return Admission("counted", replace(before, quota=rule.quota, used=before.used + 1), False)
    counted = before.used < rule.quota
    used = before.used + counted
    announce = used >= rule.quota and before.announced_quota != rule.quota
    after = Counter(
        quota=max(rule.quota, used),
        used=used,
        over_limit=before.over_limit + (not counted),
        announced_quota=rule.quota if announce else before.announced_quota,
    )
    return Admission("counted" if counted else "over_limit", after, announce)


def record_usage(book: UsageBook, publish: Publish, usage: Usage, now: datetime) -> None:
    """Record a use in the period that takes it: its own, or the open one after it when it is late.

    Raises SubscriptionMissing (comes back later) and UsageKeyReused.
    """
    subscription = book.find_latest(lock=True)
    if subscription is None:
        raise SubscriptionMissing("usage waits for the tenant's first subscription")
    known = book.find_usage_hash(usage.key)
    if known is not None:
        if known != usage.payload_hash:
            raise UsageKeyReused(f"usage {usage.key} was recorded with another content")
        return
    zone, reached = ZoneInfo(subscription.time_zone), min(usage.occurred_at, now)
    if subscription.state != "ended":
        subscription = roll_forward(book, publish, subscription, reached, now)
    period = book.open_period_at(subscription.subscription_id, reached)
    rule = _find_rule(book, subscription, period, usage.meter)
    window = _find_window(rule, period, usage.occurred_at, zone)
    admission = admit_use(book.find_counter(usage.meter, window.start), rule)
    book.save_counter(usage.meter, window.start, rule.hard, admission.counter)
    book.add_usage(
        UsageEntry(
            usage=usage,
            outcome=admission.outcome,
            day=local_day(usage.occurred_at, zone),
            period_id=period.period_id if period is not None else None,
        ),
        now,
    )
    if admission.announce:
        publish(
            QuotaExhausted(
                meter=usage.meter,
                day=window.start,
                limit=rule.quota or NOTHING_ALLOWED,
                resets_at=window.resets_at,
            )
        )


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch a quota counts in, named by its first local date."""

    start: date
    resets_at: datetime


def _find_window(
    rule: MeterRule, period: Period | None, occurred_at: datetime, zone: ZoneInfo
) -> Window:
    if rule.window == "period" and period is not None:
        return Window(local_day(period.starts_at, zone), period.ends_at)
    day = local_day(occurred_at, zone)
    return Window(day, end_of_day(day, zone))


def current_windows(
    plan: Plan, period: Period | None, now: datetime, zone: ZoneInfo
) -> dict[Meter, Window]:
    """The window each of a plan's meters counts in at ``now``."""
    return {rule.meter: _find_window(rule, period, now, zone) for rule in plan.meters}


def _find_rule(
    book: UsageBook, subscription: Subscription, period: Period | None, meter: Meter
) -> MeterRule:
    """The rule in force; without one, or after the subscription's end, nothing is allowed."""
    plan = book.find_plan(subscription.plan_code, subscription.plan_version)
    rule = plan.rule(meter) if plan is not None else None
    if rule is None or period is None:
        return MeterRule(meter, "day", NOTHING_ALLOWED, hard=True, unit_price=0)
    return rule
