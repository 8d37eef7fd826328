"""A chunk of ticks as columns, the form in which terminals and recordings give them.

Prices become int points here, once; behind this module there are no floats.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int64s = NDArray[np.int64]

NOT_A_NUMBER = np.iinfo(np.int64).min
"""Stands for a price that is no number, so that a chunk stays a block of integers."""
POINTS_MAX = 2**40
"""No price has more points; it keeps every product of the checks inside 64 bits."""


@dataclass(frozen=True, slots=True)
class TickChunk:
    """Ticks of one symbol in the order they came; the three columns have the same length."""

    symbol: str
    ts_ns: Int64s
    bid: Int64s
    ask: Int64s

    def __post_init__(self) -> None:
        if not len(self.ts_ns) == len(self.bid) == len(self.ask):
            raise ValueError("ts_ns, bid and ask must have the same length")

    def __len__(self) -> int:
        return len(self.ts_ns)

    def part(self, start: int, stop: int) -> "TickChunk":
        """The ticks from ``start`` up to ``stop``, without copying."""
        return TickChunk(
            self.symbol, self.ts_ns[start:stop], self.bid[start:stop], self.ask[start:stop]
        )


def make_chunk(symbol: str, ts_ns: ArrayLike, bid: ArrayLike, ask: ArrayLike) -> TickChunk:
    """Make a chunk of prices that are points already."""
    return TickChunk(
        symbol,
        np.ascontiguousarray(ts_ns, dtype=np.int64),
        np.ascontiguousarray(bid, dtype=np.int64),
        np.ascontiguousarray(ask, dtype=np.int64),
    )


def read_prices(prices: ArrayLike, digits: int) -> Int64s:
    """Turn float prices into points; NaN, infinities and absurd sizes become NOT_A_NUMBER."""
    scaled = np.rint(np.asarray(prices, dtype=np.float64) * 10.0**digits)
    usable = np.abs(scaled) < POINTS_MAX  # False for NaN
    points = np.where(usable, scaled, 0.0).astype(np.int64)
    points[~usable] = NOT_A_NUMBER
    return points
