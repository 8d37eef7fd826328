"""Build bars from accepted ticks: bids in points, the mean spread, how many ticks.

Minutes without a tick have no bar; whoever reads the history judges its gaps.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_bridge.bridge.ticks import Int64s
from edge_bridge.values import Bar

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

    def add(self, bid: int, ask: int) -> None:
        """Take in one tick."""
        if bid > self.high:
            self.high = bid
        elif bid < self.low:
            self.low = bid
        self.close = bid
        self.spread_sum += ask - bid
        self.ticks += 1

    def absorb(self, later: "FormingBar") -> None:
        """Take in ticks of the same stretch of time that came after."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.spread_sum += later.spread_sum
        self.ticks += later.ticks

    def open_at(self, open_ns: int) -> "FormingBar":
        """The same ticks as the beginning of a bar that opens then."""
        return FormingBar(
            open_ns, self.open, self.high, self.low, self.close, self.spread_sum, self.ticks
        )

    def make_bar(self) -> Bar:
        """The bar as it is now; the mean spread is rounded half up."""
        ticks = self.ticks
        spread = (2 * self.spread_sum + ticks) // (2 * ticks)
        return Bar(self.open_ns, self.open, self.high, self.low, self.close, ticks, spread)


class ClosedMinute(NamedTuple):
    """A minute that is over and the bars before it, both also as they are written."""

    bar: Bar
    text: str
    history_text: str
    forgotten_ns: int | None
    """When the bar opened that left the history."""


class BarBuilder:
    """The forming minute of one symbol and the bars before it, as they are written."""

    def __init__(
        self, history: Iterable[tuple[int, str]] = (), forming: FormingBar | None = None
    ) -> None:
        self.forming = forming
        self.history = deque(history, maxlen=HISTORY_BARS)
        """When each opened, and its text."""

    def add(self, part: FormingBar) -> None:
        """Add ticks of the forming minute, or begin it."""
        forming = self.forming
        if forming is None:
            self.forming = part
        else:
            forming.absorb(part)

    def close(self) -> ClosedMinute | None:
        """Close the forming minute, if there is one."""
        if self.forming is None:
            return None
        bar, history = self.forming.make_bar(), self.history
        oldest = history[0][0] if len(history) == HISTORY_BARS else None
        closed = ClosedMinute(bar, write_bar(bar), ",".join([text for _, text in history]), oldest)
        history.append((bar.time_ns, closed.text))
        self.forming = None
        return closed

    def end_ns(self) -> int | None:
        """When the forming bar is over; None while there is none."""
        return None if self.forming is None else self.forming.open_ns + MINUTE_NS


def write_bar(bar: Bar) -> str:
    """A bar as its contract writes it."""
    return (
        f'{{"open_ns":{bar.time_ns},"open":{bar.open},"high":{bar.high},"low":{bar.low},'
        f'"close":{bar.close},"spread":{bar.spread},"ticks":{bar.tick_volume}}}'
    )


def split_minutes(
    ts_ns: Int64s, bid: Int64s, ask: Int64s
) -> tuple[NDArray[np.intp], list[FormingBar]]:
    """Cut accepted ticks into minutes: where each starts, and its ticks as part of a bar."""
    if not len(ts_ns):
        return np.empty(0, np.intp), []
    minute = ts_ns // MINUTE_NS
    starts = np.concatenate(([0], np.flatnonzero(minute[1:] != minute[:-1]) + 1))
    ends = np.append(starts[1:], len(ts_ns))
    columns = (
        minute[starts] * MINUTE_NS,
        bid[starts],
        np.maximum.reduceat(bid, starts),
        np.minimum.reduceat(bid, starts),
        bid[ends - 1],
        np.add.reduceat(ask - bid, starts),
        ends - starts,
    )
    return starts, list(map(FormingBar, *(column.tolist() for column in columns)))


def first_minute(ts_ns: int, bid: int, ask: int) -> FormingBar:
    """One tick as part of a bar."""
    return FormingBar(ts_ns - ts_ns % MINUTE_NS, bid, bid, bid, bid, ask - bid, 1)
