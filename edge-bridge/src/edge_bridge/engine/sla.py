"""Promises of speed, measured by account: bounded counts in logarithmic buckets, one window.

A bucket is 9 % wide, so a percentile is right to that; memory is the same whatever the load. At the
end of a window the worst percentile is compared with its promise, and everything starts anew.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import ceil, log
from uuid import UUID

from contracts.trading_engine import SlaBreached
from contracts.trading_reasons import SlaMetric

_WIDTH = log(1.09)
_BUCKETS = 300
"""Up to 1.09^300, beyond 10^11: a day in microseconds."""
ACCOUNTS_MAX = 5_000


class Histogram:
    """Counts of values from 1 up; smaller ones count as 1."""

    __slots__ = ("_counts", "total", "worst")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.total, self.worst = 0, 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        bucket = min(_BUCKETS, ceil(log(value) / _WIDTH)) if value > 1 else 0
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.total += 1
        self.worst = max(self.worst, value)

    def pick(self, share: float) -> float:
        """The percentile's upper bound by nearest rank, never above the worst seen; 0 if none."""
        left = ceil(self.total * share)
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                return min(float(1.09**bucket), self.worst)
        return 0.0


class Promises:
    """Histograms of the running window by account and metric."""

    def __init__(self, limits: Mapping[SlaMetric, float], window_s: int = 60) -> None:
        self._limits, self.window_s = limits, window_s
        self._window = -1
        self._running: dict[tuple[UUID, SlaMetric], Histogram] = {}
        self._last: dict[tuple[UUID, SlaMetric], tuple[int, float]] = {}
        self.breaches = 0
        self.on_observed: Callable[[UUID, SlaMetric, float], None] = lambda _a, _m, _v: None
        """Called with every measurement; must be quick."""

    def observe(self, account_id: UUID, metric: SlaMetric, value: float) -> None:
        """Count one measurement."""
        self.on_observed(account_id, metric, value)
        found = self._running.get((account_id, metric))
        if found is None:
            if len(self._running) >= 3 * ACCOUNTS_MAX:
                return
            found = self._running[(account_id, metric)] = Histogram()
        found.add(value)

    def turn(self, now: datetime) -> list[SlaBreached]:
        """End the window when its time is over: one breach for each account and metric."""
        window = int(now.timestamp()) // self.window_s
        if window == self._window:
            return []
        self._window = window
        breached: list[SlaBreached] = []
        self._last = {key: (each.total, each.pick(0.99)) for key, each in self._running.items()}
        for (account_id, metric), (_, p99) in self._last.items():
            limit = self._limits.get(metric)
            if limit is not None and p99 > limit:
                breached.append(
                    SlaBreached(
                        account_id=account_id, metric=metric, p99=p99, limit=limit,
                        window_s=self.window_s, breached_at=now,
                    )
                )  # fmt: skip
        self._running.clear()
        self.breaches += len(breached)
        return breached

    def measure(self) -> dict[str, dict[str, float]]:
        """Count and p99 of the last whole window, by ``metric/account``."""
        return {
            f"{metric}/{account_id}": {"count": count, "p99": round(p99, 1)}
            for (account_id, metric), (count, p99) in self._last.items()
        }
