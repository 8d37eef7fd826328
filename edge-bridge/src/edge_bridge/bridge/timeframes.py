"""Bars above the minute, each built from the closed bars of the timeframe below it.

They open where the terminal's own do. A broker's clock is a zone's wall time and some whole hours
(mostly New York + 7, so that the trading day starts at midnight), therefore H4 and D1 follow that
clock with its daylight saving; the shorter ones lie within an hour and need only its minutes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from contracts.data_bridge import TIMEFRAME_SECONDS
from edge_bridge.bridge.bars import FormingBar
from edge_bridge.values import Bar, Timeframe

HIGHER: tuple[Timeframe, ...] = ("M5", "M15", "M30", "H1", "H4", "D1")
NS = 1_000_000_000
HOUR_S = 3_600
NEVER_NS = 2**63 - 1


class BrokerTime(Protocol):
    """The clock that the terminal's bars follow; `BrokerClock` is one."""

    def offset_s(self, utc_s: int) -> int:
        """Seconds it is ahead of UTC at a UTC time."""

    def to_utc_ns(self, broker_ms: int) -> int:
        """Read one of its times."""


class TimeframeBar(NamedTuple):
    """A bar of some timeframe of a symbol."""

    symbol: str
    timeframe: Timeframe
    bar: Bar


def find_span(timeframe: Timeframe, time_ns: int, clock: BrokerTime) -> tuple[int, int]:
    """When the bar that holds a time opens and ends, UTC nanoseconds."""
    length_s, utc_s = TIMEFRAME_SECONDS[timeframe], time_ns // NS
    offset_s = clock.offset_s(utc_s)
    open_s = (utc_s + offset_s) // length_s * length_s
    if length_s <= HOUR_S:
        return (open_s - offset_s) * NS, (open_s - offset_s + length_s) * NS
    return clock.to_utc_ns(open_s * 1_000), clock.to_utc_ns((open_s + length_s) * 1_000)


class HigherBars:
    """The forming bars of one symbol above M1."""

    def __init__(self, clock: BrokerTime) -> None:
        self._clock = clock
        self._forming: list[FormingBar | None] = [None] * len(HIGHER)
        self._ends_ns = [NEVER_NS] * len(HIGHER)
        self.next_end_ns = NEVER_NS
        """When the first of them is over."""

    def add(self, minute: FormingBar, now_ns: int) -> list[tuple[Timeframe, Bar]]:
        """Take a closed minute; return the bars that are over by now, shortest first."""
        self._absorb(0, minute)
        return self.pass_time(now_ns) if now_ns >= self.next_end_ns else []

    def pass_time(self, now_ns: int) -> list[tuple[Timeframe, Bar]]:
        """Return the bars that are over by now, shortest first."""
        closed: list[tuple[Timeframe, Bar]] = []
        for level, timeframe in enumerate(HIGHER):
            forming = self._forming[level]
            if forming is not None and self._ends_ns[level] <= now_ns:
                self._forming[level], self._ends_ns[level] = None, NEVER_NS
                closed.append((timeframe, forming.make_bar()))
                if level + 1 < len(HIGHER):
                    self._absorb(level + 1, forming)
        self.next_end_ns = min(self._ends_ns)
        return closed

    def show(self, minute: FormingBar | None) -> dict[Timeframe, Bar]:
        """The bars as they are now, with the ticks of the forming minute."""
        shown: dict[Timeframe, Bar] = {}
        below = minute
        if minute is not None:
            shown["M1"] = minute.make_bar()
        for level, timeframe in enumerate(HIGHER):
            forming = self._forming[level]
            if forming is not None:
                whole = forming.open_at(forming.open_ns)
                if below is not None:
                    whole.absorb(below)
            elif below is not None:
                whole = below.open_at(find_span(timeframe, below.open_ns, self._clock)[0])
            else:
                continue
            shown[timeframe], below = whole.make_bar(), whole
        return shown

    def dump(self) -> list[FormingBar | None]:
        """The forming bars, shortest first."""
        return self._forming

    def load(self, saved: Sequence[dict[str, Any] | None]) -> None:
        """Go on where saved ones stopped."""
        for level, values in enumerate(saved):
            self._forming[level], self._ends_ns[level] = None, NEVER_NS
            if values is not None:
                self._forming[level] = FormingBar(**values)
                span = find_span(HIGHER[level], values["open_ns"], self._clock)
                self._ends_ns[level] = span[1]
        self.next_end_ns = min(self._ends_ns)

    def _absorb(self, level: int, part: FormingBar) -> None:
        forming = self._forming[level]
        if forming is not None:
            forming.absorb(part)
            return
        open_ns, end_ns = find_span(HIGHER[level], part.open_ns, self._clock)
        self._forming[level], self._ends_ns[level] = part.open_at(open_ns), end_ns
        self.next_end_ns = min(self.next_end_ns, end_ns)
