"""A tenant's predictions a day, counted on its own calendar and the wall clock.

The count is the number of deliveries that the engine's own orders remember, so it needs no record
of its own; the metering room may close a day earlier (QuotaExhausted), and that is latched.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.subscription_service import EntitlementsChanged, QuotaExhausted

DAYS_KEPT = 3
_QUARTER_S = 900


class DailyQuota:
    """Deliveries by tenant and local day."""

    def __init__(self) -> None:
        self._used: dict[tuple[UUID, str], int] = {}
        self._latched: dict[UUID, datetime] = {}

    def has_room(self, tenant_id: UUID, plan: EntitlementsChanged, day: str, now: datetime) -> bool:
        """Tell whether one more prediction fits into the tenant's day."""
        resets_at = self._latched.get(tenant_id)
        if resets_at is not None and now < resets_at:
            return False
        limit = plan.predictions_per_day
        return limit is None or self._used.get((tenant_id, day), 0) < limit

    def count(self, tenant_id: UUID, day: str) -> None:
        """Count one delivery; days long gone are forgotten."""
        key = (tenant_id, day)
        if key not in self._used:
            days = sorted(each for owner, each in self._used if owner == tenant_id)
            for old in days[: max(0, len(days) + 1 - DAYS_KEPT)]:
                del self._used[(tenant_id, old)]
        self._used[key] = self._used.get(key, 0) + 1

    def forget(self, tenant_id: UUID, day: str) -> None:
        """Count one delivery less, of a day that is over."""
        used = self._used.get((tenant_id, day), 0)
        if used > 1:
            self._used[(tenant_id, day)] = used - 1
        elif used:
            del self._used[(tenant_id, day)]

    def describe(self) -> object:
        """Everything counted and latched, for the digest."""
        used = {f"{tenant}/{day}": count for (tenant, day), count in self._used.items()}
        return [used, {str(tenant): at.isoformat() for tenant, at in self._latched.items()}]

    def latch(self, tenant_id: UUID | None, message: QuotaExhausted) -> bool:
        """Stop a tenant's predictions until the meter says; tell whether this was news."""
        if tenant_id is None or message.meter != "prediction":
            return False
        known = self._latched.get(tenant_id)
        if known is not None and known >= message.resets_at:
            return False
        self._latched[tenant_id] = message.resets_at
        return True


@lru_cache(maxsize=256)
def _find_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("Asia/Jakarta")


def make_calendar(plan: EntitlementsChanged) -> Callable[[datetime], str]:
    """Tell the day of an instant on a tenant's calendar, as YYYY-MM-DD."""
    name = plan.time_zone
    return lambda moment: _find_day(name, int(moment.timestamp()) // _QUARTER_S)


@lru_cache(maxsize=1_024)
def _find_day(zone: str, quarter: int) -> str:
    """Days begin on a quarter of an hour everywhere, so one answer holds for all of it."""
    moment = datetime.fromtimestamp(quarter * _QUARTER_S, _find_zone(zone))
    return moment.date().isoformat()
