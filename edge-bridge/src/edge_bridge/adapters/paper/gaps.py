"""Tick gaps: ticks that the terminal does not receive while its server goes on.

While a gap lasts, the last tick, a symbol's prices and the copied ticks stay at what was received
before. Stops and orders are the server's and work on. When the gap is over, the missed ticks are
in the history that the terminal fetches, so `copy_ticks_range` has them; `symbol_info_tick` has
never shown them.
"""

from dataclasses import dataclass

from edge_bridge.adapters.clock import NANOSECONDS_PER_MS
from edge_bridge.adapters.paper.book import Book
from edge_bridge.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Quote:
    """What the terminal shows of a symbol: time (UTC), prices, and how many ticks it has."""

    ts_ns: int
    bid: int
    ask: int
    total: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class _Gap:
    last: Quote
    ticks: int
    seconds: float | None

    def is_over(self, now: Quote) -> bool:
        if self.seconds is None or not self.last.quoted:
            return now.total - self.last.total > self.ticks
        return now.ts_ns >= self.last.ts_ns + int(self.seconds * 1000) * NANOSECONDS_PER_MS


class TickGaps:
    """Which symbols are in a gap, and what the terminal knows of the others."""

    def __init__(self) -> None:
        self._gaps: dict[str, _Gap] = {}

    def begin(self, book: Book, ticks: int, seconds: float | None) -> None:
        """Miss the next ticks of a symbol, or those of some seconds of market time."""
        self._gaps[book.settings.name] = _Gap(self.look(book), ticks, seconds)

    def look(self, book: Book) -> Quote:
        """Give what the terminal shows of a symbol now."""
        _, bid, ask = book.tape.last
        if bid and ask:  # not when the newest tick has no price: it is shown, but not traded on
            bid, ask = book.bid, book.ask
        now = Quote(book.ts_ns, bid, ask, book.tape.total, book.has_quotes)
        gap = self._gaps.get(book.settings.name)
        if gap is None:
            return now
        if gap.is_over(now):
            del self._gaps[book.settings.name]
            return now
        return gap.last
