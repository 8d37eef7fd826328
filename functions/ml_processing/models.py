"""Values of ml_processing: bars to learn from, out-of-sample predictions, a trained model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.ml_processing import ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows to learn from, oldest first. ``bar`` is each row's position among all bars."""

    features: "NDArray[np.float32]"
    went_up: "NDArray[np.int64]"
    move_points: "NDArray[np.float64]"
    spread_points: "NDArray[np.float64]"
    bar: "NDArray[np.int64]"
    open_ns: "NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """Predictions of a candidate on blocks it had not seen, joined.

    ``rows`` are positions in Examples; ``scored`` marks those after the first block, which only
    serves to calibrate; ``signal`` those that past thresholds would have let through.
    """

    rows: "NDArray[np.int64]"
    raw: "NDArray[np.float64]"
    calibrated: "NDArray[np.float64]"
    base_rate: "NDArray[np.float64]"
    scored: "NDArray[np.bool_]"
    signal: "NDArray[np.bool_]"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """An artifact and its card, as they will be stored."""

    artifact: bytes
    card: ModelCard
    card_json: bytes
    sha256: str
    card_sha256: str
