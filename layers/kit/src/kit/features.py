"""Feature set ``bars-v1``: what a direction model sees of the last 64 bars.

Training (ml_processing), serving (ai_orchestration) and anomaly detection (deep_learning) must see
the same numbers to the bit, so one kernel serves the single row and the whole history. Every sum
is a sum of whole numbers, exact in float64 whatever the order or the CPU, and what follows is only
division, square root and rounding to 1/1024, which IEEE 754 fixes: no rounding can differ between
one row and many. All features are scale free: distances are divided by the average true range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import cos, pi, sin
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kit.feature_set import (
    COLUMNS,
    EMAS,
    FEATURE_SET,
    FEATURES,
    MAX_HOLE_BARS,
    RETURNS,
    SPANS,
    WINDOW,
)

__all__ = [
    "FEATURES",
    "FEATURE_SET",
    "FeatureRow",
    "FeatureTable",
    "GapInBars",
    "NotEnoughBars",
    "compute_row",
    "compute_rows",
    "compute_window",
    "read_bar",
]

_ONE = 1 << 20
_GRID = 1024.0
_CLIP = 16.0
_CHUNK = 4_096


class BarLike(Protocol):
    """A bar in points (contracts' Bar is one)."""

    @property
    def open_ns(self) -> int: ...
    @property
    def open(self) -> int: ...
    @property
    def high(self) -> int: ...
    @property
    def low(self) -> int: ...
    @property
    def close(self) -> int: ...
    @property
    def spread(self) -> int: ...
    @property
    def ticks(self) -> int: ...


@dataclass(frozen=True, slots=True)
class NotEnoughBars:
    """Fewer bars than the window needs."""

    have: int
    need: int = WINDOW


@dataclass(frozen=True, slots=True)
class GapInBars:
    """The window has a hole, or its bars do not go forward in time."""

    hole_ns: int


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """Features of one bar: float32 of shape (1, len(FEATURES)), ready for a model."""

    values: NDArray[np.float32]
    atr_points: float
    """Average true range of the window's last 15 bars."""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of every bar whose window is whole; ``index`` says which bar each row is."""

    values: NDArray[np.float32]
    atr_points: NDArray[np.float64]
    index: NDArray[np.int64]


def _weigh_emas() -> NDArray[np.float64]:
    """Whole-number weights (64 x 6) of the EMAs, MACD and its histogram, all below the close."""

    def ema(span: int) -> NDArray[np.float64]:
        alpha = 2.0 / (span + 1)
        weights = alpha * (1 - alpha) ** np.arange(WINDOW)[::-1]
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def lag(weights: NDArray[np.float64], bars: int) -> NDArray[np.float64]:
        return np.concatenate([weights[bars:], np.zeros(bars)])

    macd = ema(12) - ema(26)
    alpha = 2.0 / (9 + 1)
    signal = np.sum([alpha * (1 - alpha) ** k * lag(macd, k) for k in range(30)], axis=0)
    columns = [*(ema(span) for span in EMAS), -macd, signal - macd]
    return np.asarray(np.rint(np.stack(columns, axis=1) * _ONE), dtype=np.float64)


def _mark_spans() -> NDArray[np.float64]:
    """0/1 columns (63 x 4) that sum the last 5, 15, 30 and 60 of 63 steps."""
    steps = np.arange(WINDOW - 1)[:, None]
    return (steps >= WINDOW - 1 - np.array(SPANS)[None, :]).astype(np.float64)


_EMA_WEIGHTS = _weigh_emas()
_SPAN_MARKS = _mark_spans()
_RETURN_AT = np.array([WINDOW - 1 - k for k in RETURNS])
_RETURN_SCALE = np.sqrt(np.array(RETURNS, dtype=np.float64))
_MINUTES = np.array(
    [(sin(2 * pi * m / 1440), cos(2 * pi * m / 1440)) for m in range(1440)], dtype=np.float64
)
_WEEKDAYS = np.array([(sin(2 * pi * d / 7), cos(2 * pi * d / 7)) for d in range(7)])
_MINUTE_NS = 60_000_000_000
_FLOOR = np.float64(1.0)
"""A range below one point counts as one point, so that a frozen market divides by something."""


def _sum_spans(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums (8, n, 4) over the spans: ups, sizes, squares and true ranges of the steps, ticks,
    spreads, ticks signed by their step, and products of neighbouring steps."""
    _, high, low, close, spread, ticks = prices
    step = close[:, 1:] - close[:, :-1]
    channels = np.empty((close.shape[0], 8, WINDOW - 1))
    np.maximum(step, 0.0, out=channels[:, 0])
    np.abs(step, out=channels[:, 1])
    np.multiply(step, step, out=channels[:, 2])
    np.maximum(high[:, 1:], close[:, :-1], out=channels[:, 3])
    channels[:, 3] -= np.minimum(low[:, 1:], close[:, :-1])
    channels[:, 4] = ticks[:, 1:]
    channels[:, 5] = spread[:, 1:]
    np.multiply(np.sign(step), ticks[:, 1:], out=channels[:, 6])
    channels[:, 7, 0] = 0.0
    np.multiply(step[:, 1:], step[:, :-1], out=channels[:, 7, 1:])
    return (channels @ _SPAN_MARKS).swapaxes(0, 1)


def _fill_trend(
    out: NDArray[np.float64],
    prices: NDArray[np.float64],
    sums: NDArray[np.float64],
    atr: NDArray[np.float64],
) -> None:
    """Columns 0 to 20: returns, averages, efficiency, places in the range, strength."""
    _, high, low, close, _, _ = prices
    ups, sizes = sums[0], np.maximum(sums[1], _FLOOR)
    last = close[:, -1]
    away = close - last[:, None]
    atr_column = atr[:, None]
    recent = away[:, -20:]
    mean = recent.sum(axis=1)
    deviation = np.sqrt(20.0 * (recent * recent).sum(axis=1) - mean * mean) / 20.0
    top, bottom = high[:, -15:].max(axis=1), low[:, -15:].min(axis=1)
    top_60, bottom_60 = high[:, 4:].max(axis=1), low[:, 4:].min(axis=1)
    out[:, 0:8] = away[:, _RETURN_AT] / (atr_column * -_RETURN_SCALE)
    out[:, 8:14] = away @ _EMA_WEIGHTS / -_ONE / atr_column
    out[:, 14] = -away[:, -16] / sizes[:, 1]
    out[:, 15] = -away[:, -61] / sizes[:, 3]
    out[:, 16] = (last - bottom) / np.maximum(top - bottom, _FLOOR) - 0.5
    out[:, 17] = (last - bottom_60) / np.maximum(top_60 - bottom_60, _FLOOR) - 0.5
    out[:, 18] = mean / -20.0 / np.maximum(deviation, _FLOOR)
    out[:, 19] = ups[:, 1] / sizes[:, 1] - 0.5
    out[:, 20] = ups[:, 3] / sizes[:, 3] - 0.5


def _fill_activity(
    out: NDArray[np.float64],
    prices: NDArray[np.float64],
    sums: NDArray[np.float64],
    atr: NDArray[np.float64],
) -> None:
    """Columns 21 to 34: volatility, the last bar's shape, spread, ticks."""
    opened, high, low, close, spread, ticks = prices[:, :, -1]
    squares, ranges, counts, spreads, signed, lagged = sums[2:]
    volatility_60 = np.maximum(np.sqrt(squares[:, 3] / 60.0), _FLOOR)
    out[:, 21] = np.sqrt(squares[:, 0] / 5.0) / volatility_60
    out[:, 22] = np.sqrt(squares[:, 1] / 15.0) / volatility_60
    out[:, 23] = ranges[:, 0] / 5.0 / atr
    out[:, 24] = ranges[:, 1] / 15.0 / atr
    out[:, 25] = volatility_60 / atr
    out[:, 26] = lagged[:, 2] / np.maximum(squares[:, 2], _FLOOR)
    out[:, 27] = (close - opened) / atr
    out[:, 28] = (high - np.maximum(close, opened)) / atr
    out[:, 29] = (np.minimum(close, opened) - low) / atr
    out[:, 30] = spread / atr
    out[:, 31] = spread * 60.0 / np.maximum(spreads[:, 3], _FLOOR)
    out[:, 32] = ticks / (ticks + counts[:, 3] / 60.0)
    out[:, 33] = counts[:, 0] / (counts[:, 0] + counts[:, 3] / 12.0)
    out[:, 34] = signed[:, 1] / counts[:, 1]


def _compute(
    open_ns: NDArray[np.int64], prices: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Kernel: opening times (n,), windows (6, n, 64) of open, high, low, close, spread, ticks."""
    sums = _sum_spans(prices)
    ranges = sums[3]
    atr = np.maximum(ranges[:, 3] / 60.0, _FLOOR)
    out = np.empty((open_ns.shape[0], len(FEATURES)))
    _fill_trend(out, prices, sums, atr)
    _fill_activity(out, prices, sums, atr)
    minute = open_ns // _MINUTE_NS
    out[:, 35:37] = _MINUTES[minute % 1440]
    out[:, 37:39] = _WEEKDAYS[(minute // 1440 + 3) % 7]
    np.minimum(np.maximum(out, -_CLIP, out=out), _CLIP, out=out)
    out *= _GRID
    np.rint(out, out=out)
    out /= _GRID
    return out.astype(np.float32), ranges[:, 1] / 15.0


read_bar = attrgetter(*COLUMNS)
"""A bar as a tuple of COLUMNS."""


def compute_window(
    bars: Sequence[tuple[int, ...]], *, step_s: int = 60
) -> FeatureRow | NotEnoughBars | GapInBars:
    """Features of the last of ``bars``, tuples of COLUMNS, oldest first; the hot path's way in."""
    if len(bars) < WINDOW:
        return NotEnoughBars(have=len(bars))
    flat = chain.from_iterable(bars[-WINDOW:])
    columns = np.fromiter(flat, np.int64, WINDOW * len(COLUMNS)).reshape(WINDOW, -1).T
    holes = columns[0, 1:] - columns[0, :-1]
    widest = int(holes.max())
    if widest > MAX_HOLE_BARS * step_s * 1_000_000_000 or int(holes.min()) <= 0:
        return GapInBars(hole_ns=widest)
    values, atr = _compute(columns[0, -1:], columns[1:, None, :].astype(np.float64))
    return FeatureRow(values=values, atr_points=float(atr[0]))


def compute_row(
    history: Sequence[BarLike], bar: BarLike, *, step_s: int = 60
) -> FeatureRow | NotEnoughBars | GapInBars:
    """Features of ``bar`` from itself and the 63 bars before it (the end of ``history``)."""
    window = [*history[-(WINDOW - 1) :], bar]
    return compute_window([read_bar(one) for one in window], step_s=step_s)


def compute_rows(columns: dict[str, NDArray[Any]], *, step_s: int = 60) -> FeatureTable:
    """Features of every bar with a whole window. ``columns``: COLUMNS, each (n,), oldest first."""
    open_ns = np.asarray(columns["open_ns"], dtype=np.int64)
    n = open_ns.shape[0]
    if n < WINDOW:
        empty = np.empty((0, len(FEATURES)), dtype=np.float32)
        return FeatureTable(empty, np.empty(0), np.empty(0, dtype=np.int64))
    holes = np.diff(open_ns)
    bad = (holes > MAX_HOLE_BARS * step_s * 1_000_000_000) | (holes <= 0)
    bad_so_far = np.concatenate([[0], np.cumsum(bad)])
    whole = bad_so_far[WINDOW - 1 :] == bad_so_far[: n - WINDOW + 1]
    index = np.flatnonzero(whole) + WINDOW - 1
    prices = np.stack([np.asarray(columns[name], dtype=np.float64) for name in COLUMNS[1:]])
    windows = np.lib.stride_tricks.sliding_window_view(prices, WINDOW, axis=1)
    values = np.empty((index.size, len(FEATURES)), dtype=np.float32)
    atr = np.empty(index.size)
    for start in range(0, index.size, _CHUNK):
        rows = index[start : start + _CHUNK]
        values[start : start + _CHUNK], atr[start : start + _CHUNK] = _compute(
            open_ns[rows], windows[:, rows - (WINDOW - 1)]
        )
    return FeatureTable(values, atr, index)
