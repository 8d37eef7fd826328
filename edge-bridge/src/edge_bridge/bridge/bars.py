"""Build M1 bars from accepted ticks: bids in points, the mean spread, how many ticks.

Minutes without a tick have no bar; whoever reads the history judges its gaps.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from contracts.data_bridge import Bar
from edge_bridge.bridge.ticks import Int64s

MINUTE_NS = 60_000_000_000
HISTORY_BARS = 63


@dataclass(slots=True)
class FormingBar:
    """A bar that still takes ticks."""

    open_ns: int
    open: int
    high: int
    low: int
    close: int
    spread_sum: int
    ticks: int

    def absorb(self, later: "FormingBar") -> None:
        """Take in ticks of the same minute that came after."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.spread_sum += later.spread_sum
        self.ticks += later.ticks

    def close_bar(self) -> Bar:
        """The finished bar; the mean spread is rounded half up."""
        return Bar(
            open_ns=self.open_ns,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            spread=(2 * self.spread_sum + self.ticks) // (2 * self.ticks),
            ticks=self.ticks,
        )


class BarBuilder:
    """The forming bar of one symbol and the bars before it."""

    def __init__(self, history: list[Bar], forming: FormingBar | None = None) -> None:
        self.forming = forming
        self.history: deque[Bar] = deque(history, maxlen=HISTORY_BARS)

    def add(self, part: FormingBar) -> tuple[Bar, tuple[Bar, ...]] | None:
        """Add a minute's ticks; return the bar they closed with its history, if any."""
        forming = self.forming
        if forming is not None and forming.open_ns == part.open_ns:
            forming.absorb(part)
            return None
        closed = self.close()
        self.forming = part
        return closed

    def close(self) -> tuple[Bar, tuple[Bar, ...]] | None:
        """Close the forming bar, if there is one."""
        if self.forming is None:
            return None
        bar, history = self.forming.close_bar(), tuple(self.history)
        self.history.append(bar)
        self.forming = None
        return bar, history

    def end_ns(self) -> int | None:
        """When the forming bar is over; None while there is none."""
        return None if self.forming is None else self.forming.open_ns + MINUTE_NS


def split_minutes(ts_ns: Int64s, bid: Int64s, ask: Int64s) -> list[tuple[int, FormingBar]]:
    """Cut accepted ticks into minutes: where each starts, and its ticks as part of a bar."""
    if not len(ts_ns):
        return []
    minute = ts_ns // MINUTE_NS
    starts = np.concatenate(([0], np.flatnonzero(minute[1:] != minute[:-1]) + 1))
    ends = np.append(starts[1:], len(ts_ns))
    columns = (
        starts,
        minute[starts] * MINUTE_NS,
        bid[starts],
        np.maximum.reduceat(bid, starts),
        np.minimum.reduceat(bid, starts),
        bid[ends - 1],
        np.add.reduceat(ask - bid, starts),
        ends - starts,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(start, FormingBar(*values)) for start, *values in rows]


def first_minute(ts_ns: int, bid: int, ask: int) -> FormingBar:
    """One tick as part of a bar."""
    return FormingBar(ts_ns - ts_ns % MINUTE_NS, bid, bid, bid, bid, ask - bid, 1)
