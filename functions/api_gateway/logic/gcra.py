"""The generic cell rate algorithm, in microseconds: "rate r, burst b" in one stored instant.

The Lua script of the store does the same sums; the tests hold them against each other. A process
counts with this one when Redis does not answer.
"""

from collections import OrderedDict
from typing import NamedTuple

SECOND_US = 1_000_000
TENANTS_MAX = 10_000


class Count(NamedTuple):
    """One request counted: the instant to store, what is left of the burst, or how long to wait."""

    admitted: bool
    arrival_us: int
    left: int
    retry_us: int


def count(arrival_us: int, now_us: int, rate: int, burst: int) -> Count:
    """Count a request at ``now_us`` against the stored theoretical arrival time.

    A request over the limit changes nothing: its ``arrival_us`` is the stored one.
    """
    interval_us = -(-SECOND_US // rate)
    tolerance_us = burst * interval_us
    after_us = max(arrival_us, now_us) + interval_us
    if after_us - tolerance_us > now_us:
        return Count(False, arrival_us, 0, after_us - tolerance_us - now_us)
    left = (tolerance_us - (after_us - now_us)) // interval_us
    return Count(True, after_us, left, 0)


class LocalCounter:
    """Counts in this process alone, for at most ten thousand subjects; the longest idle go."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def look(self, subject: str, now_us: int, rate: int, burst: int) -> Count:
        """What counting would say."""
        return count(self._arrivals.get(subject, 0), now_us, rate, burst)

    def keep(self, subject: str, counted: Count) -> None:
        """Count it."""
        self._arrivals[subject] = counted.arrival_us
        self._arrivals.move_to_end(subject)
        if len(self._arrivals) > TENANTS_MAX:
            self._arrivals.popitem(last=False)
