"""Bars for tests: a market with a drift that can be learned, and bars as contracts."""

from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from contracts.data_bridge import Bar, BarClosed
from contracts.ids import derived_id

MINUTE_NS = 60_000_000_000
MONDAY_NS = 1_399_248_000_000_000_000
"""2014-05-05 00:00 UTC."""


def make_bars(rows: int, *, seed: int = 1, drift: float = 6.0) -> dict[str, NDArray[Any]]:
    """M1 bars in points whose slow hidden drift makes the next minutes predictable.

    ``drift`` is its size in points a bar against a noise of 12; 0 makes a coin toss.
    """
    random = np.random.default_rng(seed)
    hidden = np.zeros(rows)
    push = random.normal(size=rows)
    for i in range(1, rows):
        hidden[i] = 0.97 * hidden[i - 1] + 0.24 * push[i]
    step = np.rint(drift * hidden + 12 * random.normal(size=rows)).astype(np.int64)
    close = 138_000 + np.cumsum(step)
    opened = np.concatenate([[138_000], close[:-1]])
    wick = random.integers(0, 8, size=(2, rows))
    return {
        "ts_ns": MONDAY_NS + MINUTE_NS * np.arange(rows, dtype=np.int64),
        "open": opened,
        "high": np.maximum(opened, close) + wick[0],
        "low": np.minimum(opened, close) - wick[1],
        "close": close,
        "spread": random.integers(8, 20, size=rows),
        "ticks": random.integers(5, 90, size=rows),
    }


def to_contracts(columns: dict[str, NDArray[Any]]) -> list[Bar]:
    """The columns as contract bars."""
    names = ("open", "high", "low", "close", "spread", "ticks")
    return [
        Bar(open_ns=int(ts), **{name: int(columns[name][i]) for name in names})
        for i, ts in enumerate(columns["ts_ns"])
    ]


def close_bar(bars: list[Bar], at: int, *, history: int = 63, symbol: str = "EURUSD") -> BarClosed:
    """The message that bar ``at`` is complete, with the bars before it."""
    from datetime import UTC, datetime

    bar = bars[at]
    closed_s = (bar.open_ns + MINUTE_NS) // 1_000_000_000
    bar_id: UUID = derived_id("test-bar", symbol, bar.open_ns, bar.close)
    return BarClosed(
        stream="test",
        bar_id=bar_id,
        symbol=symbol,
        digits=5,
        timeframe="M1",
        bar=bar,
        closed_at=datetime.fromtimestamp(closed_s, UTC),
        history=tuple(bars[max(0, at - history) : at]),
    )
