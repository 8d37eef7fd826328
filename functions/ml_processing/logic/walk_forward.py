"""Walk-forward: every figure comes from predictions made with the past alone.

The window expands; rows whose answer lies in a test block are purged from what it learns from.
The first block only feeds the calibration and the threshold of those after it.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

from functions.ml_processing.logic.candidates import Classifier
from functions.ml_processing.models import Examples, OutOfSample

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

BLOCKS = 6
FIRST_TRAIN_SHARE = 0.4
COVERAGE = 0.12
"""Share of bars that should become signals."""
MIN_SLOPE = 0.05
"""A calibration never turns a model upside down: that would be trading noise."""
PRIOR = (0.5, 0.0)
PRIOR_DEVIATION = (0.5, 0.1)
"""Slope and intercept before any evidence: models of prices are overconfident, markets fair."""
_EPSILON = 1e-6


def logit(probability: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Log odds, kept finite."""
    import numpy as np

    inside = np.clip(probability, _EPSILON, 1 - _EPSILON)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)


def apply_platt(
    raw: "NDArray[np.float64]", slope: float, intercept: float
) -> "NDArray[np.float64]":
    """Calibrated probability of a raw one."""
    import numpy as np

    return np.asarray(1 / (1 + np.exp(-(slope * logit(raw) + intercept))), dtype=np.float64)


def fit_platt(
    raw: "NDArray[np.float64]", went_up: "NDArray[np.int64]", *, overlap_bars: int
) -> tuple[float, float]:
    """Slope and intercept (Platt 1999) by Newton's method, held near PRIOR.

    Answers of neighbouring bars overlap, so ``overlap_bars`` rows count as one observation;
    without that and a prior, a trend of a few hours would be taken for a law.
    """
    import numpy as np

    odds = logit(raw)
    mean, weight_of_prior = np.array(PRIOR), 1 / np.square(PRIOR_DEVIATION)
    at = mean.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-(at[0] * odds + at[1])))
        error, weight = (p - went_up) / overlap_bars, p * (1 - p) / overlap_bars
        gradient = np.array([(error * odds).sum(), error.sum()]) + weight_of_prior * (at - mean)
        mixed = (weight * odds).sum()
        hessian = np.array([[(weight * odds * odds).sum(), mixed], [mixed, weight.sum()]])
        step = np.linalg.solve(hessian + np.diag(weight_of_prior), gradient)
        at = at - step
        if np.abs(step).max() < 1e-12:
            break
    slope, intercept = float(at[0]), float(at[1])
    if slope >= MIN_SLOPE:
        return slope, intercept
    return MIN_SLOPE, intercept + (slope - MIN_SLOPE) * float(odds.mean())


def find_min_edge(calibrated: "NDArray[np.float64]") -> float:
    """The edge that COVERAGE of these probabilities exceed."""
    import numpy as np

    return float(np.quantile(np.abs(calibrated - 0.5), 1 - COVERAGE))


def split_blocks(rows: int) -> list[tuple[int, int]]:
    """Half-open test blocks, in order, after the first training share."""
    first = int(rows * FIRST_TRAIN_SHARE)
    edges = [first + (rows - first) * k // BLOCKS for k in range(BLOCKS + 1)]
    return list(pairwise(edges))


def walk_forward(
    make: "Callable[[int], Classifier]", examples: Examples, *, horizon_bars: int, seed: int
) -> OutOfSample:
    """Predict each block from the rows before it, and calibrate it with the blocks before it."""
    import numpy as np

    blocks = split_blocks(examples.bar.size)
    start, rows = blocks[0][0], examples.bar.size
    raw = np.zeros(rows)
    calibrated = np.zeros(rows)
    base_rate = np.zeros(rows)
    signal = np.zeros(rows, dtype=bool)
    for number, (first, end) in enumerate(blocks):
        known = int(np.searchsorted(examples.bar + horizon_bars, examples.bar[first]))
        model = make(seed)
        model.fit(examples.features[:known], examples.went_up[:known])
        raw[first:end] = model.predict_proba(examples.features[first:end])[:, 1]
        base_rate[first:end] = examples.went_up[:known].mean()
        if number == 0:
            continue
        past = slice(start, known)
        slope, intercept = fit_platt(raw[past], examples.went_up[past], overlap_bars=horizon_bars)
        calibrated[first:end] = apply_platt(raw[first:end], slope, intercept)
        threshold = find_min_edge(apply_platt(raw[past], slope, intercept))
        signal[first:end] = np.abs(calibrated[first:end] - 0.5) >= threshold
    tested = np.arange(start, rows)
    return OutOfSample(
        rows=tested,
        raw=raw[start:],
        calibrated=calibrated[start:],
        base_rate=base_rate[start:],
        scored=tested >= blocks[1][0],
        signal=signal[start:],
    )
