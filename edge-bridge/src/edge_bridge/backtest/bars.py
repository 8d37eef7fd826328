"""Recorded M1 bars as the market of a backtest: each bar becomes four ticks, the worse way round.

A bar does not tell whether its high or its low came first. Here the price first goes to the side
that hurts what is open: to the low while the net position is long (or flat), to the high while it
is short; so a stop is hit before a target of the same bar. Between two of the four prices the
price passes every stop and target on its way, and is filled there, not at the bar's extreme. From
one bar's close to the next one's open it jumps. Bids are the file's, the spread is the
configuration's. Signals are judged on closes, known at the bar's end.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.backtest.floor import feed_ticks
from edge_bridge.backtest.market import Count, MarketView
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.bridge.recording import read_recorded
from edge_bridge.bridge.ticks import Int64s
from edge_bridge.errors import RecordingUnusable
from edge_bridge.ports import Position, Quote

COLUMNS = ("ts_ns", "open", "high", "low", "close")
TIMES_NS = (0, 20_000_000_000, 40_000_000_000, 59_999_000_000)
"""When in its minute a bar is at its open, first extreme, second extreme and close."""


class BarMarket:
    """Recorded M1 bars of bids, as points."""

    divisible = False

    def __init__(self, symbol: str, digits: int, bars: "tuple[Int64s, ...]", spread: int) -> None:
        ts_ns, opened, high, low, close = bars
        self.symbol, self.digits, self._spread = symbol, digits, spread
        zero = low <= 0
        broken = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
        late = np.zeros(len(ts_ns), dtype=np.bool_)
        late[1:] = ts_ns[1:] <= np.maximum.accumulate(ts_ns)[:-1]
        sound = ~(zero | broken | late)
        counts = {
            "zero": int(zero.sum()),
            "inconsistent": int((broken & ~zero).sum()),
            "out_of_order": int((late & ~broken & ~zero).sum()),
        }
        rejected = {reason: count for reason, count in counts.items() if count}
        self.count = Count(len(ts_ns), int(sound.sum()), rejected)
        columns = [column[sound].astype(np.int64) for column in bars]
        self._bars = list(zip(*(column.tolist() for column in columns), strict=True))
        self.clock: list[int] = columns[0].tolist()
        self.view = MarketView(
            symbol, digits, columns[0], columns[4], columns[4] + spread,
            np.arange(1, len(self._bars) + 1), columns[0] + MINUTE_NS, self.clock,
        )  # fmt: skip
        self._played = tuple(array("q") for _ in range(2))
        self.last: Quote | None = None

    def play(
        self, terminal: SimulatedTerminal, start: int, stop: int, held: Sequence[Position]
    ) -> None:
        """Give a terminal the bars from ``start`` up to ``stop`` as ticks."""
        levels = [level for each in held for level in _find_levels(each, self._spread)]
        net = sum(each.volume if each.side == "buy" else -each.volume for each in held)
        for bar in self._bars[start:stop]:
            path = walk(bar, levels, high_first=net < 0)
            times, bids = [point[0] for point in path], [point[1] for point in path]
            asks = [bid + self._spread for bid in bids]
            feed_ticks(terminal, self.symbol, len(self._played[0]), (times, bids, asks))
            self._played[0].extend(times)
            self._played[1].extend(bids)
            self.last = Quote(self.symbol, bids[-1], asks[-1], times[-1])

    def quotes(self) -> tuple[Int64s, Int64s, Int64s]:
        """Time, bid and ask of everything played."""
        times, bids = (np.array(column, dtype=np.int64) for column in self._played)
        return times, bids, bids + self._spread


def walk(bar: tuple[int, ...], levels: Sequence[int], *, high_first: bool) -> list[tuple[int, int]]:
    """The way of the bid through a bar: time and price of every point it stops at."""
    open_ns, opened, high, low, close = bar
    corners = (opened, high, low, close) if high_first else (opened, low, high, close)
    path = [(open_ns, opened)]
    for at_ns, before, after in zip(TIMES_NS[1:], corners, corners[1:], strict=False):
        least, most = min(before, after), max(before, after)
        passed = sorted({level for level in levels if least < level < most})
        on_the_way = passed if after > before else passed[::-1]
        path += [(open_ns + at_ns, price) for price in (*on_the_way, after)]
    return path


def _find_levels(position: Position, spread: int) -> list[int]:
    """The bids at which a position's stop and target are reached."""
    shift = 0 if position.side == "buy" else spread
    return [each - shift for each in (position.stop_loss, position.take_profit) if each > 0]


def open_bars(
    path: Path, symbol: str, spread: int, from_ns: int | None = None, to_ns: int | None = None
) -> BarMarket:
    """Read M1 bars with ``from_ns <= ts_ns < to_ns``. Raises RecordingUnusable."""
    table, digits = read_recorded(path, COLUMNS, from_ns, to_ns)
    columns = tuple(table[name].to_numpy().astype(np.int64) for name in COLUMNS)
    steps = np.diff(np.unique(columns[0]))
    if (columns[0] % MINUTE_NS).any() or (len(steps) and int(steps.min()) != MINUTE_NS):
        raise RecordingUnusable(f"{path}: bars of one minute are needed, opening on the minute")
    return BarMarket(symbol, digits, columns, spread)
