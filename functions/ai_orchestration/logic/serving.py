"""From the bucket to memory: a model is served only when every check of it holds."""

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from contracts.ml_processing import ModelCard
from functions.ai_orchestration.errors import ModelHashMismatch, ModelUnfit
from functions.ai_orchestration.models import ActiveModel, ServedModel
from kit.feature_set import FEATURE_SET, FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

SHELF_SIZE = 16
GOLDEN_TOLERANCE = 1e-6


class ModelFiles(Protocol):
    """Where artifacts and cards lie."""

    def read(self, key: str) -> bytes:
        """The object's bytes."""


class ModelShelf:
    """Models in this process by their hashes; the least used leaves first."""

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[str, str], ServedModel] = OrderedDict()

    def take(self, active: ActiveModel, files: ModelFiles) -> ServedModel:
        """The model, loaded and checked when it is not here yet."""
        key = (active.sha256, active.card_sha256)
        served = self._models.get(key)
        if served is None:
            served = load_model(
                active, files.read(active.artifact_key), files.read(active.card_key)
            )
            self._models[key] = served
            if len(self._models) > SHELF_SIZE:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return served


def load_model(active: ActiveModel, artifact: bytes, card_json: bytes) -> ServedModel:
    """Check files against the registry, features against this release, answers against the card.

    Raises ModelHashMismatch, ModelUnfit.
    """
    for what, expected, content in (
        ("artifact", active.sha256, artifact),
        ("card", active.card_sha256, card_json),
    ):
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise ModelHashMismatch(f"{what} of {active.version}: {found} is not {expected}")
    card = _read_card(active, card_json)
    predict = _open_session(artifact)
    _check_golden(card, predict)
    return ServedModel(
        version=active.version,
        sha256=active.sha256,
        card_sha256=active.card_sha256,
        slope=card.calibration_slope,
        intercept=card.calibration_intercept,
        min_edge=card.min_edge,
        horizon_bars=card.horizon_bars,
        predict=predict,
    )


def _read_card(active: ActiveModel, card_json: bytes) -> ModelCard:
    try:
        card = ModelCard.model_validate_json(card_json)
    except ValidationError as error:
        raise ModelUnfit(f"card of {active.version} cannot be read") from error
    if card.artifact_sha256 != active.sha256:
        raise ModelHashMismatch(f"card of {active.version} describes another artifact")
    if card.feature_set != FEATURE_SET or card.features != FEATURES:
        raise ModelUnfit(f"{active.version} wants features {card.feature_set}, not {FEATURE_SET}")
    return card


def _open_session(artifact: bytes) -> "Callable[[NDArray[np.float32]], float]":
    """One thread: a row is done sooner than a thread pool wakes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    session: Any = onnxruntime.InferenceSession(
        artifact, options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    outputs = ["probabilities"]

    def predict(features: "NDArray[np.float32]") -> float:
        return float(session.run(outputs, {name: features})[0][0, 1])

    return predict


def _check_golden(card: ModelCard, predict: "Callable[[NDArray[np.float32]], float]") -> None:
    import numpy as np

    for golden in card.golden:
        answer = predict(np.array([golden.features], dtype=np.float32))
        if not abs(answer - golden.raw_probability) <= GOLDEN_TOLERANCE:
            raise ModelUnfit(
                f"{card.version} answers {answer!r} where its card says {golden.raw_probability!r}"
            )
