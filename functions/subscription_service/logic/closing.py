"""Closing of periods: counts what was used, once, and lets the next period begin."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.subscription_service import BillingPeriodClosed, Meter, UsageLine
from functions.subscription_service.errors import EarlierPeriodOpen
from functions.subscription_service.logic.book import Publish, SubscriptionBook
from functions.subscription_service.logic.lifecycle import roll_forward
from functions.subscription_service.models import Period, Plan


class ClosingBook(SubscriptionBook, Protocol):
    """Periods and their usage, as the tenant's transaction sees them."""

    def lock_period(self, period_id: UUID) -> Period | None: ...
    def has_open_before(self, subscription_id: UUID, number: int) -> bool: ...
    def count_usage(self, period_id: UUID) -> dict[Meter, int]: ...
    def close_period(self, period_id: UUID, run_id: UUID, now: datetime) -> None: ...


def close_period(
    book: ClosingBook,
    publish: Publish,
    *,
    period_id: UUID,
    run_id: UUID,
    as_of: datetime,
    now: datetime,
) -> bool:
    """Close a period that is over and open the next; False when there is nothing to close."""
    living = book.find_living(lock=True)
    period = book.lock_period(period_id)
    if period is None or period.closed or period.ends_at > as_of:
        return False
    if book.has_open_before(period.subscription_id, period.number):
        raise EarlierPeriodOpen(f"period {period.number - 1} must close first")
    plan = book.find_plan(period.plan_code, period.plan_version)
    assert plan is not None, "a foreign key holds the plan"
    closed = BillingPeriodClosed(
        subscription_id=period.subscription_id,
        run_id=run_id,
        plan_code=plan.code,
        plan_version=plan.version,
        plan_price=plan.price,
        period_start=period.starts_at,
        period_end=period.ends_at,
        usage=draw_usage_lines(plan, book.count_usage(period_id)),
    )
    book.close_period(period_id, run_id, now)
    publish(closed)
    if living is not None and living.subscription_id == period.subscription_id:
        roll_forward(book, publish, living, period.ends_at, now)
    return True


def draw_usage_lines(plan: Plan, counted: dict[Meter, int]) -> tuple[UsageLine, ...]:
    """One line a meter: those of the plan, and any other that was used before a change of plan."""
    lines = [
        UsageLine(
            meter=rule.meter,
            quantity=counted.get(rule.meter, 0),
            included=rule.included,
            unit_price=rule.unit_price,
        )
        for rule in plan.meters
    ]
    extra = sorted(set(counted) - {rule.meter for rule in plan.meters})
    return (*lines, *(UsageLine(meter=meter, quantity=counted[meter]) for meter in extra))
