"""Instants and the two clocks: business time from the wall, market time from the data."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WallClock(Protocol):
    """Tells business time."""

    def now(self) -> datetime:
        """The current instant in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current instant in UTC."""
        return datetime.now(UTC)


def instant(time_ns: int) -> datetime:
    """A nanosecond epoch as an instant, truncated to the microsecond."""
    return _EPOCH + timedelta(microseconds=time_ns // 1_000)


def nanoseconds(moment: datetime) -> int:
    """An instant as nanoseconds since the epoch, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
