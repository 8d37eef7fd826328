"""When an account's orders left: how many in the last minute, how many on the local day."""

from collections import deque
from collections.abc import Iterable

MINUTE_NS = 60_000_000_000
SENT_KEPT = 5_000


class SendPace:
    """Times of orders, oldest first, the newest kept; the day's are counted as they leave."""

    __slots__ = ("_day_from", "_in_day", "_sent")

    def __init__(self) -> None:
        self._sent: deque[int] = deque(maxlen=SENT_KEPT)
        self._day_from = 0
        self._in_day: int | None = None

    def append(self, time_ns: int) -> None:
        """An order leaves now."""
        self._sent.append(time_ns)
        if self._in_day is not None and time_ns >= self._day_from:
            self._in_day += 1

    def extend(self, times_ns: Iterable[int]) -> None:
        """Orders that an earlier process sent."""
        for time_ns in sorted(times_ns):
            self.append(time_ns)

    @property
    def times_ns(self) -> tuple[int, ...]:
        """Every order remembered, oldest first."""
        return tuple(self._sent)

    def count_minute(self, now_ns: int) -> int:
        """Orders within the last minute."""
        since, count = now_ns - MINUTE_NS, 0
        for time_ns in reversed(self._sent):
            if time_ns <= since:
                break
            count += 1
        return count

    def count_day(self, starts_ns: int) -> int | None:
        """Orders since a local day began; None when more left than are remembered."""
        if self._in_day is None or starts_ns != self._day_from:
            sent = self._sent
            if len(sent) == SENT_KEPT and sent[0] >= starts_ns:
                return None
            self._day_from = starts_ns
            self._in_day = sum(time_ns >= starts_ns for time_ns in sent)
        return self._in_day
