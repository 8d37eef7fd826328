"""When the market should be open: silence is a gap then, and nothing but a weekend otherwise."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from edge_bridge.times import nanoseconds

_NEW_YORK = ZoneInfo("America/New_York")
_EDGE = time(17)
_SUNDAY = 6
DAY_NS = 86_400 * 10**9


class MarketHours(Protocol):
    """Tells how long a market was open."""

    def open_ns(self, from_ns: int, to_ns: int) -> int:
        """Nanoseconds of opening between two times."""


class ForexWeek:
    """Open from Sunday 17:00 to Friday 17:00 in New York; holidays count as open."""

    def open_ns(self, from_ns: int, to_ns: int) -> int:
        """Nanoseconds of opening between two times."""
        total, at_ns = max(0, to_ns - from_ns), from_ns
        while at_ns < to_ns:
            closes_ns, opens_ns = find_weekend(at_ns)
            total -= max(0, min(to_ns, opens_ns) - max(at_ns, closes_ns))
            at_ns = opens_ns
        return total


class AlwaysOpen:
    """Open at every hour."""

    def open_ns(self, from_ns: int, to_ns: int) -> int:
        """Nanoseconds between two times."""
        return max(0, to_ns - from_ns)


def find_weekend(time_ns: int) -> tuple[int, int]:
    """The weekend under way or the next one: when it begins and when it ends."""
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=time_ns // DAY_NS)).date()
    weekend = _weekend_of(day + timedelta(days=_SUNDAY - day.weekday()))
    if time_ns >= weekend[1]:
        weekend = _weekend_of(day + timedelta(days=_SUNDAY - day.weekday() + 7))
    return weekend


@lru_cache(maxsize=64)
def _weekend_of(sunday: date) -> tuple[int, int]:
    edges = (
        datetime.combine(day, _EDGE, _NEW_YORK).astimezone(UTC)
        for day in (sunday - timedelta(days=2), sunday)
    )
    closes, opens = (nanoseconds(edge) for edge in edges)
    return closes, opens
