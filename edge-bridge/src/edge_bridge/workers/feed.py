"""Ticks of a terminal as they come: every one of its history once, none made up.

The last tick only says that something happened; what happened is read from the terminal's own
history, from the last tick read on. So ticks between two looks are not lost, and while nobody
takes them they stay where they are: in the terminal.
"""

from dataclasses import dataclass, field

from edge_bridge.ports import Quote, Terminal, TickColumns
from edge_bridge.workers.messages import FeedMark
from edge_bridge.workers.wire import TICKS_A_FRAME_MAX, Ticks

SPAN_NS = 600 * 1_000_000_000
"""Read at once, after an outage."""
LOOKS_MAX = 100
"""The history may lag behind the last tick; looked at again so often."""


@dataclass(slots=True)
class _Symbol:
    name: str
    since_ns: int | None
    """Read up to here; of this very time, the ticks in `seen`."""
    seen: set[tuple[int, int]] = field(default_factory=set)
    last: Quote | None = None
    looks: int = 0
    seq: int = 0
    waiting: TickColumns = field(default_factory=lambda: TickColumns((), (), ()))


class TickFeed:
    """New ticks of some symbols."""

    def __init__(
        self, terminal: Terminal, symbols: tuple[str, ...], begin: tuple[FeedMark, ...] = ()
    ) -> None:
        self._terminal = terminal
        self._symbols = [_Symbol(name, None) for name in symbols]
        marks = {mark.symbol: mark for mark in begin}
        for symbol in self._symbols:
            if mark := marks.get(symbol.name):
                symbol.since_ns, symbol.seen = mark.time_ns, set(mark.seen)

    def poll(self, credit: int) -> list[Ticks]:
        """Give new ticks, at most `credit`, oldest first. Raises what reading a quote raises."""
        found: list[Ticks] = []
        for symbol in self._symbols:
            if credit <= 0:
                break
            if not symbol.waiting.ts_ns:
                self._look(symbol)
            if symbol.waiting.ts_ns:
                part = _take(symbol, min(credit, TICKS_A_FRAME_MAX))
                credit -= len(part.columns.ts_ns)
                found.append(part)
        return found

    def _look(self, symbol: _Symbol) -> None:
        quote = self._terminal.quote(symbol.name)
        if quote is None or quote == symbol.last:
            return
        if symbol.since_ns is None:
            symbol.waiting = TickColumns((quote.time_ns,), (quote.bid,), (quote.ask,))
            symbol.since_ns, symbol.seen, symbol.last = quote.time_ns, {_prices(quote)}, quote
            return
        until_ns = min(quote.time_ns + 1, symbol.since_ns + SPAN_NS)
        columns = self._terminal.ticks_between(symbol.name, symbol.since_ns, until_ns)
        symbol.waiting = _take_unseen(symbol, columns)
        if not symbol.waiting.ts_ns and until_ns == symbol.since_ns + SPAN_NS:
            symbol.since_ns, symbol.seen = until_ns, set()  # nothing happened for a whole span
        if until_ns > quote.time_ns:
            symbol.looks += 1
            if symbol.since_ns >= quote.time_ns or symbol.looks >= LOOKS_MAX:
                symbol.last, symbol.looks = quote, 0


def _take_unseen(symbol: _Symbol, columns: TickColumns) -> TickColumns:
    """The ticks not seen before; time and prices tell one from another."""
    since_ns, seen = symbol.since_ns, symbol.seen
    kept = []
    for row in zip(columns.ts_ns, columns.bid, columns.ask, strict=True):
        if row[0] != since_ns:
            since_ns, seen = row[0], set()
        if row[1:] not in seen:
            seen.add(row[1:])
            kept.append(row)
    symbol.since_ns, symbol.seen = since_ns, seen
    return TickColumns(*([row[place] for row in kept] for place in range(3)))


def _take(symbol: _Symbol, rows: int) -> Ticks:
    waiting = symbol.waiting
    part, rest = (
        TickColumns(waiting.ts_ns[cut], waiting.bid[cut], waiting.ask[cut])
        for cut in (slice(rows), slice(rows, None))
    )
    ticks = Ticks(symbol.name, symbol.seq, part)
    symbol.seq += len(part.ts_ns)
    symbol.waiting = rest
    return ticks


def _prices(quote: Quote) -> tuple[int, int]:
    return quote.bid, quote.ask
