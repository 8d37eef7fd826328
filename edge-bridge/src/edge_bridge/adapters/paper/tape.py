"""What a broker remembers of prices: recent ticks and one-minute bars of each symbol.

One tape may serve many terminals that are fed the same ticks: the first one records, the others
find the tick already there. Ticks are kept raw and folded into bars only when somebody asks or
the tick buffer is full, so that recording costs next to nothing.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_bridge.adapters.constants import TIMEFRAME_D1, TIMEFRAME_MN1, TIMEFRAME_W1

TICKS_KEPT = 200_000
BARS_KEPT = 200_000
_RECENT_MAX = 2_048
MINUTE_NS = 60_000_000_000
_FIELDS = 3  # ts_ns, bid, ask in one flat array

Table = np.ndarray[Any, np.dtype[np.int64]]
"""Int64 rows. Ticks: ts_ns, bid, ask. Bars: ts_ns, open, high, low, close, ticks, spread."""


class SymbolTape:
    """Ticks and minute bars of one symbol."""

    __slots__ = ("_bars", "_dropped", "_folded", "_recent", "_ticks", "seq")

    def __init__(self) -> None:
        self.seq = -1
        self._ticks = array("q")
        self._folded = 0  # ticks already in the bars
        self._dropped = 0  # ticks no longer kept
        self._bars: Table = np.empty((0, 7), np.int64)
        self._recent = self._bars

    def record(self, seq: int, ts_ns: int, bid: int, ask: int) -> None:
        """Take one tick."""
        self.seq = seq
        self._ticks.extend((ts_ns, bid, ask))
        if len(self._ticks) >= 2 * TICKS_KEPT * _FIELDS:
            self._trim()

    def record_many(self, last_seq: int, ticks: Table) -> None:
        """Take consecutive ticks at once; `ticks` are rows of ts_ns, bid, ask."""
        for start in range(0, len(ticks), TICKS_KEPT):
            part = np.ascontiguousarray(ticks[start : start + TICKS_KEPT], np.int64)
            self._ticks.frombytes(part.tobytes())
            if len(self._ticks) >= 2 * TICKS_KEPT * _FIELDS:
                self._trim()
        self.seq = last_seq

    def _trim(self) -> None:
        self._fold()
        self._dropped += len(self._ticks) // _FIELDS - TICKS_KEPT
        del self._ticks[: -TICKS_KEPT * _FIELDS]
        self._folded = TICKS_KEPT

    @property
    def total(self) -> int:
        """Number of ticks taken so far."""
        return self._dropped + len(self._ticks) // _FIELDS

    @property
    def last(self) -> tuple[int, int, int]:
        """The newest tick: ts_ns, bid, ask; a price of -1 before the first."""
        ticks = self._ticks
        return (ticks[-3], ticks[-2], ticks[-1]) if ticks else (0, -1, -1)

    @property
    def kept(self) -> int:
        """Number of ticks that are still kept."""
        return len(self._ticks) // _FIELDS

    def find_first(self, stop: int, is_there: Callable[[int], bool]) -> int:
        """Find the first of the first `stop` kept ticks whose time is_there; times only grow."""
        return bisect_left(
            range(stop), True, key=lambda place: is_there(self._ticks[place * _FIELDS])
        )

    def cut(self, start: int, stop: int) -> Table:
        """Copy some of the ticks kept."""
        return np.array(self._ticks[start * _FIELDS : stop * _FIELDS], np.int64).reshape(
            -1, _FIELDS
        )

    def load_bars(self, bars: Table) -> None:
        """Take minute bars of earlier days, before the first tick."""
        self._bars = np.concatenate([bars, self._bars])[-BARS_KEPT:]

    def ticks(self) -> Table:
        """Copy the ticks kept, oldest first."""
        return self.cut(0, self.kept)

    def minute_bars(self, last: int = BARS_KEPT) -> Table:
        """Give the last minute bars kept, oldest first, the forming one at the end."""
        self._fold()
        older = last - len(self._recent)
        if older <= 0:
            return self._recent[-last:]
        return np.concatenate([self._bars[-older:], self._recent])

    def _fold(self) -> None:
        """Merge the new ticks into the recent bars; only now and then into the many old ones."""
        fresh = self.cut(self._folded, self.kept)
        self._folded += len(fresh)
        fresh = fresh[fresh[:, 1] > 0]  # a tick without a price is in no bar
        if not len(fresh):
            return
        bid = fresh[:, 1]
        parts = np.column_stack(
            [fresh[:, 0], bid, bid, bid, bid, np.ones_like(bid), fresh[:, 2] - bid]
        )
        joined = np.concatenate([self._recent[-1:], parts])
        merged = merge_bars(joined, joined[:, 0] // MINUTE_NS * MINUTE_NS)
        self._recent = np.concatenate([self._recent[:-1], merged])
        if len(self._recent) > _RECENT_MAX:
            self._bars = np.concatenate([self._bars, self._recent[:-1]])[-BARS_KEPT:]
            self._recent = self._recent[-1:]


def merge_bars(bars: Table, opens: Table) -> Table:
    """Merge rows with the same opening time; the spread is the smallest one."""
    if not len(bars):
        return bars
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    ends = np.append(starts[1:], len(bars)) - 1
    return np.column_stack(
        [
            opens[starts],
            bars[starts, 1],
            np.maximum.reduceat(bars[:, 2], starts),
            np.minimum.reduceat(bars[:, 3], starts),
            bars[ends, 4],
            np.add.reduceat(bars[:, 5], starts),
            np.minimum.reduceat(bars[:, 6], starts),
        ]
    )


def open_times(times_s: Table, timeframe: int) -> Table:
    """Opening times (broker's seconds) of the bars that hold these times."""
    if timeframe == TIMEFRAME_MN1:
        months = times_s.astype("datetime64[s]").astype("datetime64[M]")
        return months.astype("datetime64[s]").astype(np.int64)
    if timeframe == TIMEFRAME_W1:  # weeks open on Sunday; 1970-01-04 was one
        day = 86_400
        return (times_s - 3 * day) // (7 * day) * (7 * day) + 3 * day
    seconds = timeframe_seconds(timeframe)
    return times_s // seconds * seconds


def timeframe_seconds(timeframe: int) -> int:
    """Length of a bar up to a day; hours carry the bit 0x4000 in their constant."""
    if timeframe <= 30:
        return timeframe * 60
    assert timeframe <= TIMEFRAME_D1, "weeks and months have no fixed length here"
    return (timeframe & 0x3FFF) * 3600


def count_minutes(timeframe: int) -> int:
    """The most minutes a bar of a timeframe can hold."""
    days = {TIMEFRAME_W1: 7, TIMEFRAME_MN1: 31}.get(timeframe)
    return timeframe_seconds(timeframe) // 60 if days is None else days * 1_440


class Tape:
    """Price memory of all symbols."""

    def __init__(self) -> None:
        self._symbols: dict[str, SymbolTape] = {}

    def of(self, symbol: str) -> SymbolTape:
        """Give the tape of a symbol, a new one the first time."""
        return self._symbols.setdefault(symbol, SymbolTape())
