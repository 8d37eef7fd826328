"""Billing periods and local days, safe against short months and daylight saving.

Period n begins at anchor + n months on the tenant's own clock: counted from the anchor, never
stepped from the period before, so that the 31st does not drift to the 28th.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_BISECTIONS_MAX = 40


def add_months(anchor: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The instant ``months`` after the anchor on the zone's clock; a missing day is clamped.

    A local time that daylight saving skips becomes the one as much later.
    """
    local = anchor.astimezone(zone)
    count = local.year * 12 + local.month - 1 + months
    year, month = divmod(count, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def period_bounds(anchor: datetime, number: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end of period ``number`` (0 is the first); half open."""
    start = anchor.astimezone(UTC) if number == 0 else add_months(anchor, number, zone)
    return start, add_months(anchor, number + 1, zone)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The date that the zone's calendar shows."""
    return instant.astimezone(zone).date()


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after ``day``; in some zones a midnight, or a whole day, never was."""
    midnight = datetime.combine(day + timedelta(days=1), time())
    low, high = sorted(midnight.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if local_day(low, zone) > day:
        return low
    for _ in range(_BISECTIONS_MAX):
        if high - low <= timedelta(seconds=1):
            break
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (low, middle) if local_day(middle, zone) > day else (middle, high)
    return high
