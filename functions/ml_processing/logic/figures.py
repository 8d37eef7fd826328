"""What a model is worth out of sample, stated as it is."""

from typing import TYPE_CHECKING

from functions.ml_processing.models import Examples, OutOfSample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def measure_log_loss(p: "NDArray[np.float64]", went_up: "NDArray[np.int64]") -> float:
    """Mean negative log likelihood, in nats."""
    import numpy as np

    inside = np.clip(p, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(went_up == 1, np.log(inside), np.log(1 - inside))))


def measure_auc(p: "NDArray[np.float64]", went_up: "NDArray[np.int64]") -> float:
    """Area under the ROC curve; 0.5 when only one answer occurs."""
    from sklearn.metrics import roc_auc_score

    if went_up.min() == went_up.max():
        return 0.5
    return float(roc_auc_score(went_up, p))


def measure(examples: Examples, outcome: OutOfSample) -> dict[str, float]:
    """Figures over the scored rows; the signals' are over what past thresholds let through.

    A signal's value is its move in its direction over the horizon less one spread, in points.
    """
    import numpy as np

    rows = outcome.rows[outcome.scored]
    p = outcome.calibrated[outcome.scored]
    base = outcome.base_rate[outcome.scored]
    signal = outcome.signal[outcome.scored]
    went_up = examples.went_up[rows]
    toward = np.where(p > 0.5, 1.0, -1.0) * examples.move_points[rows]
    value = toward - examples.spread_points[rows]
    taken = signal if signal.any() else np.zeros(0, dtype=np.int64)
    return {
        "rows": float(rows.size),
        "auc": measure_auc(p, went_up),
        "brier": float(np.mean((p - went_up) ** 2)),
        "log_loss": measure_log_loss(p, went_up),
        "baseline_log_loss": measure_log_loss(base, went_up),
        "baseline_brier": float(np.mean((base - went_up) ** 2)),
        "base_rate": float(went_up.mean()),
        "accuracy": float(np.mean((p > 0.5) == (went_up == 1))),
        "coverage": float(signal.mean()),
        "accuracy_at_coverage": float(np.mean((toward > 0)[taken])) if signal.any() else 0.0,
        "value_before_spread_points": float(np.mean(toward[taken])) if signal.any() else 0.0,
        "value_after_spread_points": float(np.mean(value[taken])) if signal.any() else 0.0,
        "mean_spread_points": float(examples.spread_points[rows].mean()),
    }
