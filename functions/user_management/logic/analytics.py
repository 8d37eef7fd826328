"""Sign-ups, activation and retention by month, for the platform's staff; counts only.

A tenant belongs to the month of its registration, in Asia/Jakarta, and a step of the funnel counts
those that took every step before it too. A month in which nobody signed up is shown with zeros.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from functions.user_management.errors import PeriodTooLong
from functions.user_management.models import Answer

BUSINESS_TIME_ZONE = "Asia/Jakarta"
MONTHS_MAX = 24
MONTHS_SHOWN = 12
YEARS = range(2020, 2100)


class FunnelStep(Answer):
    """How far the tenants that signed up came."""

    registered: int = 0
    verified: int = 0
    first_prediction: int = 0
    first_order: int = 0
    paid_invoice: int = 0


class MonthOfSignups(FunnelStep):
    """The funnel of the tenants that signed up in one month."""

    month: date


class Cohort(Answer):
    """Of the tenants of a month, how many were active in that month and in each one after it."""

    month: date
    tenants: int
    active: tuple[int, ...]


class UserAnalytics(Answer):
    """Sign-ups, activation and retention; months by their first days, both ends included."""

    first_month: date
    last_month: date
    funnel: FunnelStep
    months: tuple[MonthOfSignups, ...]
    cohorts: tuple[Cohort, ...]


class Counts(Protocol):
    """What the analysis reads of the store."""

    def count_funnel(self, months: "Months") -> Sequence[Mapping[str, Any]]: ...
    def count_active(self, months: "Months") -> Sequence[Mapping[str, Any]]: ...


class Months(tuple[date, ...]):
    """Consecutive months by their first days."""

    @property
    def starts_at(self) -> datetime:
        """The instant at which the first month begins in Jakarta."""
        return _begin(self[0])

    @property
    def ends_at(self) -> datetime:
        """The instant at which the month after the last begins."""
        return _begin(_add_months(self[-1], 1))


def _begin(month: date) -> datetime:
    local = datetime(month.year, month.month, 1, tzinfo=ZoneInfo(BUSINESS_TIME_ZONE))
    return local.astimezone(UTC)


def _add_months(month: date, count: int) -> date:
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def choose_months(first: date | None, last: date | None, now: datetime) -> Months:
    """The months from one day's to another's; the twelve that end now unless told otherwise.

    Raises PeriodTooLong.
    """
    today = now.astimezone(ZoneInfo(BUSINESS_TIME_ZONE)).date()
    if any(day and day.year not in YEARS for day in (first, last)):
        raise PeriodTooLong(f"ask for a year from {YEARS[0]} to {YEARS[-1]}")
    end = (last or today).replace(day=1)
    begin = first.replace(day=1) if first else _add_months(end, 1 - MONTHS_SHOWN)
    length = (end.year - begin.year) * 12 + end.month - begin.month + 1
    if not 1 <= length <= MONTHS_MAX:
        raise PeriodTooLong(f"ask for 1 to {MONTHS_MAX} months, the first one first")
    return Months(_add_months(begin, number) for number in range(length))


def describe_users(store: Counts, months: Months) -> UserAnalytics:
    """The funnel in all and by month, and how many of each month's tenants stayed."""
    funnel = {row["month"]: row for row in store.count_funnel(months)}
    rows = tuple(
        MonthOfSignups.model_validate({**funnel.get(month, {}), "month": month}) for month in months
    )
    active = {(row["month"], row["age"]): row["tenants"] for row in store.count_active(months)}
    return UserAnalytics(
        first_month=months[0],
        last_month=months[-1],
        funnel=FunnelStep(
            **{name: sum(getattr(row, name) for row in rows) for name in FunnelStep.model_fields}
        ),
        months=rows,
        cohorts=tuple(
            Cohort(
                month=row.month,
                tenants=row.registered,
                active=tuple(
                    active.get((row.month, age), 0) for age in range(len(months) - position)
                ),
            )
            for position, row in enumerate(rows)
        ),
    )
