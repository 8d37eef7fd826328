"""How symbols move together and how much each moves, from the last two hours of M1 closes.

Integers only: returns are parts in 10^9, sums are exact, and what is rounded is rounded towards
caution (correlation and volatility up). Work is done when a minute ends, so that a signal finds
the answer. Too few minutes, or a price that does not move, is not known: None.
"""

from collections import deque
from math import isqrt

WINDOW_MINUTES = 120
LEAST_RETURNS = 30
"""Fewer minutes in common say nothing."""
GAP_MAX_MINUTES = 5
"""Minutes without a tick have the close before them, so many; a longer gap is no return."""
MINUTES_A_YEAR = 252 * 1_440
SYMBOLS_KEPT = 500
PAIRS_KEPT = 2_000
BP = 10_000
_PPB = 1_000_000_000
_PPB_A_PPM = 1_000


class Returns:
    """One symbol's returns by minute, with the sum of their squares."""

    __slots__ = ("_close", "_forming", "by_minute", "minutes", "squares")

    def __init__(self) -> None:
        self._forming: tuple[int, int] | None = None
        self._close: tuple[int, int] | None = None
        self.minutes: deque[int] = deque()
        self.by_minute: dict[int, int] = {}
        self.squares = 0

    def note(self, minute: int, price: int) -> bool:
        """Take the last price of a minute so far; tell whether this ended an earlier one."""
        forming = self._forming
        if forming is not None and minute <= forming[0]:
            if minute == forming[0]:
                self._forming = minute, price
            return False
        self._forming = minute, price
        if forming is not None:
            self._end(*forming)
        return forming is not None

    def _end(self, minute: int, price: int) -> None:
        before, self._close = self._close, (minute, price)
        if before is None or minute - before[0] > GAP_MAX_MINUTES:
            return
        for still in range(before[0] + 1, minute):
            self._append(still, 0)
        self._append(minute, (price - before[1]) * _PPB // before[1])

    def _append(self, minute: int, change: int) -> None:
        self.minutes.append(minute)
        self.by_minute[minute] = change
        self.squares += change * change
        while self.minutes[0] <= minute - WINDOW_MINUTES:
            old = self.by_minute.pop(self.minutes.popleft())
            self.squares -= old * old


class ReturnBook:
    """Returns of all symbols. Prices of one symbol must be in one unit, any."""

    def __init__(self) -> None:
        self._returns: dict[str, Returns] = {}
        self._pairs: dict[tuple[str, str], int | None] = {}
        self._partners: dict[str, set[str]] = {}

    def note(self, symbol: str, minute: int, price: int) -> None:
        """Take the last price of a symbol in a minute."""
        returns = self._returns.get(symbol)
        if price <= 0 or (returns is None and len(self._returns) >= SYMBOLS_KEPT):
            return
        if returns is None:
            returns = self._returns[symbol] = Returns()
        if returns.note(minute, price):
            for partner in self._partners.get(symbol, ()):
                pair = (min(symbol, partner), max(symbol, partner))
                self._pairs[pair] = self._measure(*pair)

    def correlate(self, first: str, second: str) -> int | None:
        """How much two symbols move together or against each other, 0 to 10,000 bp."""
        if first == second:
            return BP
        pair = (first, second) if first < second else (second, first)
        if pair in self._pairs:
            return self._pairs[pair]
        if len(self._pairs) >= PAIRS_KEPT:
            self._pairs.clear()
            self._partners.clear()
        self._partners.setdefault(first, set()).add(second)
        self._partners.setdefault(second, set()).add(first)
        self._pairs[pair] = self._measure(*pair)
        return self._pairs[pair]

    def _measure(self, first: str, second: str) -> int | None:
        one, other = self._returns.get(first), self._returns.get(second)
        if one is None or other is None or not one.minutes or not other.minutes:
            return None
        since = max(one.minutes[-1], other.minutes[-1]) - WINDOW_MINUTES
        theirs = other.by_minute
        both = [(change, theirs[minute]) for minute, change in one.by_minute.items()
                if minute > since and minute in theirs]  # fmt: skip
        return correlate_returns(both)

    def find_volatility(self, symbol: str, minute: int) -> int | None:
        """Yearly volatility of a symbol in ppm as of a minute, rounded up."""
        returns = self._returns.get(symbol)
        if returns is None or len(returns.minutes) < LEAST_RETURNS or not returns.squares:
            return None
        if returns.minutes[-1] <= minute - WINDOW_MINUTES:
            return None
        variance = returns.squares * MINUTES_A_YEAR // len(returns.minutes)
        return isqrt(variance) // _PPB_A_PPM + 1


def correlate_returns(pairs: list[tuple[int, int]]) -> int | None:
    """The absolute correlation of two columns in basis points, rounded up."""
    count = len(pairs)
    if count < LEAST_RETURNS:
        return None
    sum_a = sum(a for a, _ in pairs)
    sum_b = sum(b for _, b in pairs)
    spread_a = count * sum(a * a for a, _ in pairs) - sum_a * sum_a
    spread_b = count * sum(b * b for _, b in pairs) - sum_b * sum_b
    if not spread_a or not spread_b:
        return None
    shared = count * sum(a * b for a, b in pairs) - sum_a * sum_b
    wanted, whole = shared * shared * BP * BP, spread_a * spread_b
    root = isqrt(wanted // whole)
    return min(BP, root + (root * root * whole < wanted))
