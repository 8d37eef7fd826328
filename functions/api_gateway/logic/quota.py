"""The day's quota: what a tenant's day is, and how many units PostgreSQL hands out at once.

Blocks are a sixteenth of what remains, at most five hundred; the last units go one by one. A Redis
that forgets loses what it had not spent: at most one block, so the day ends at most one block
short and never over.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from functions.api_gateway.models import Day, DayRow

BLOCK_MAX = 500
BLOCK_SHARE = 16
SINGLES_BELOW = 32
"""From here on a lease is one unit, which its own request spends."""
DEFAULT_ZONE = "Asia/Jakarta"
_SEARCH = timedelta(hours=50)


def find_day(time_zone: str, now: datetime) -> Day:
    """The local date that ``now`` falls in; it begins at its first valid instant."""
    zone = _open_zone(time_zone)
    label = now.astimezone(zone).date()
    if _first_instant(zone, label + timedelta(days=1)) <= now:
        label += timedelta(days=1)  # clocks went back over midnight: the new date stays
    begins = _first_instant(zone, label)
    ends = _first_instant(zone, label + timedelta(days=1))
    return Day(label, int(begins.timestamp()), int(ends.timestamp()))


@lru_cache(maxsize=64)
def _open_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(DEFAULT_ZONE)


@lru_cache(maxsize=512)
def _first_instant(zone: ZoneInfo, day: date) -> datetime:
    """The first instant whose local date is ``day`` or later: some midnights do not exist."""
    midnight = datetime.combine(day, time())
    guess = midnight.replace(tzinfo=zone).astimezone(UTC)
    if guess.astimezone(zone).replace(tzinfo=None) == midnight:
        return guess
    before, after = guess - _SEARCH, guess + _SEARCH
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).date() >= day:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def choose_block(quota: int, row: DayRow, seen_no: int | None) -> tuple[int, DayRow] | None:
    """How many units to lease now, and the row after it; None: a block is on its way, wait for it.

    ``seen_no`` is the newest block that the asker has seen arrive; None takes whatever comes. Zero
    units: the quota is handed out.
    """
    remaining = quota - row.leased
    behind = seen_no is not None and seen_no < row.lease_no
    if remaining <= 0:
        return None if behind else (0, row)
    if remaining <= SINGLES_BELOW:
        return 1, DayRow(row.leased + 1, row.lease_no)
    if behind:
        return None
    units = max(1, min(BLOCK_MAX, remaining // BLOCK_SHARE))
    return units, DayRow(row.leased + units, row.lease_no + 1)
