"""Price history as the module's numpy tables: bars of any timeframe, and ticks."""

from typing import Any

import numpy as np

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.api import CONSTANTS, RATES_DTYPE, TICKS_DTYPE
from edge_bridge.adapters.clock import NANOSECONDS_PER_MS, BrokerClock
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.tape import Table, count_minutes, merge_bars, open_times

TIMEFRAMES = frozenset(value for name, value in CONSTANTS.items() if name.startswith("TIMEFRAME_"))
BARS_MAX = 100_000
"""The terminal's `maxbars`: no call gives more bars."""
_HOUR_MS = 3_600_000

Records = np.ndarray[Any, Any]


def read_bars(book: Book, clock: BrokerClock, timeframe: int, count: int = BARS_MAX) -> Records:
    """Build the last bars of a timeframe on the broker's clock, oldest first."""
    count = min(count, BARS_MAX)
    minutes = book.tape.minute_bars((count + 1) * count_minutes(timeframe))
    seconds = _to_broker_ms(minutes[:, 0] // NANOSECONDS_PER_MS, clock) // 1000
    bars = merge_bars(minutes, open_times(seconds, timeframe))[-count:]
    records = np.zeros(len(bars), dtype=RATES_DTYPE)
    records["time"] = bars[:, 0]
    for place, name in enumerate(("open", "high", "low", "close"), start=1):
        records[name] = bars[:, place] / book.scale
    records["tick_volume"] = bars[:, 5]
    records["spread"] = bars[:, 6]
    return records


def read_ticks(book: Book, clock: BrokerClock, start: int, stop: int) -> Records:
    """Build the table of some of the ticks kept; a tick's flags say what changed."""
    before = max(0, start - 1)
    ticks = book.tape.cut(before, stop)
    ms = _to_broker_ms(ticks[:, 0] // NANOSECONDS_PER_MS, clock)
    records = np.zeros(len(ticks), dtype=TICKS_DTYPE)
    records["time"] = ms // 1000
    records["time_msc"] = ms
    records["bid"] = ticks[:, 1] / book.scale
    records["ask"] = ticks[:, 2] / book.scale
    for column, flag in ((1, c.TICK_FLAG_BID), (2, c.TICK_FLAG_ASK)):
        records["flags"][1:] |= np.where(np.diff(ticks[:, column]), flag, 0).astype(np.uint32)
    records["flags"][:1] = c.TICK_FLAG_BID | c.TICK_FLAG_ASK
    return records[start - before :]


def _to_broker_ms(utc_ms: Table, clock: BrokerClock) -> Table:
    hours, place = np.unique(utc_ms // _HOUR_MS, return_inverse=True)
    offsets = np.array([clock.offset_s(int(hour) * 3600) for hour in hours], np.int64)
    return utc_ms + offsets[place] * 1000 if len(hours) else utc_ms
