"""A broker's clock: MetaTrader writes its local time as if it were an epoch.

Most brokers keep New York time plus seven hours, so that the trading day starts at midnight; the
distance to UTC therefore changes with American daylight saving. A fixed offset is wrong twice a
year, so the offset is looked up for every hour.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

NANOSECONDS_PER_MS = 1_000_000
DAY_S = 86_400
QUARTER_MS = 900_000
"""No zone changes its offset, nor differs from another, by less."""


class BrokerClock:
    """Convert between UTC and the broker's clock: the wall time of `zone` plus some hours."""

    def __init__(self, zone: str = "America/New_York", ahead_hours: int = 7) -> None:
        self._zone = ZoneInfo(zone)
        self._ahead_s = ahead_hours * 3600
        self._offset_of_hour = lru_cache(maxsize=4096)(self._find_offset)
        self._offset_of_quarter = lru_cache(maxsize=4096)(self._look_back)

    def _find_offset(self, utc_hour: int) -> int:
        at = datetime.fromtimestamp(utc_hour * 3600, UTC).astimezone(self._zone)
        offset = at.utcoffset()
        assert offset is not None  # an aware time has one
        return int(offset.total_seconds()) + self._ahead_s

    def offset_s(self, utc_s: int) -> int:
        """Seconds the broker's clock is ahead of UTC at a UTC time."""
        return self._offset_of_hour(utc_s // 3600)

    def to_broker_ms(self, utc_ns: int) -> int:
        """Write a UTC time on the broker's clock, in milliseconds (truncated)."""
        utc_ms = utc_ns // NANOSECONDS_PER_MS
        return utc_ms + self._offset_of_hour(utc_ms // 3_600_000) * 1000

    def to_utc_ns(self, broker_ms: int) -> int:
        """Read a time of the broker's clock. The hour that repeats in autumn (a Sunday, when the
        market is closed) is read as the later of the two."""
        ahead_s = self._offset_of_quarter(broker_ms // QUARTER_MS)
        return (broker_ms - ahead_s * 1000) * NANOSECONDS_PER_MS

    def _look_back(self, quarter: int) -> int:
        broker_s = quarter * QUARTER_MS // 1000
        return self.offset_s(broker_s - self.offset_s(broker_s - self._ahead_s))

    def next_midnight_ns(self, utc_ns: int) -> int:
        """Find the UTC time of the next midnight on the broker's clock."""
        day = self.to_broker_ms(utc_ns) // (DAY_S * 1000)
        return self.to_utc_ns((day + 1) * DAY_S * 1000)
