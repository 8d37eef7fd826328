"""The training: one command and one table of bars in, one artifact with its card out."""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.data_bridge import TIMEFRAME_SECONDS
from contracts.ml_processing import ModelCard, TrainModel
from functions.ml_processing.errors import WorseThanBaseline
from functions.ml_processing.logic.candidates import CANDIDATES
from functions.ml_processing.logic.examples import check_bars, make_examples
from functions.ml_processing.logic.export import (
    OPSET,
    check_parity,
    choose_golden,
    export_onnx,
    list_libraries,
    open_session,
)
from functions.ml_processing.logic.figures import measure, measure_log_loss
from functions.ml_processing.logic.walk_forward import (
    apply_platt,
    find_min_edge,
    fit_platt,
    walk_forward,
)
from functions.ml_processing.models import (
    Examples,
    OutOfSample,
    TrainedModel,
)
from kit.feature_set import FEATURE_SET, FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LOG_LOSS_OVER_BASELINE = 0.02
"""A calibrated model may lose this much (nats) to the base rate by chance; more is a defect."""


def train_model(
    command: TrainModel, columns: "dict[str, NDArray[Any]]", dataset_sha256: str
) -> TrainedModel:
    """Train, choose, calibrate, export and describe a model. Deterministic for a seed.

    Raises TrainingRefused (its subclasses tell why).
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    bars = check_bars(columns)
    examples = make_examples(
        bars,
        horizon_bars=command.horizon_bars,
        step_s=TIMEFRAME_SECONDS[command.timeframe],
    )
    with threadpool_limits(limits=1):
        name, outcome = _choose_candidate(examples, command)
        figures = measure(examples, outcome)
        if figures["log_loss"] > figures["baseline_log_loss"] + MAX_LOG_LOSS_OVER_BASELINE:
            raise WorseThanBaseline(
                f"log loss {figures['log_loss']:.4f} against {figures['baseline_log_loss']:.4f}"
            )
        model = CANDIDATES[name](command.seed)
        model.fit(examples.features, examples.went_up)
    artifact = export_onnx(model, examples.features)
    session = open_session(artifact)
    tested = examples.features[outcome.rows]
    parity = check_parity(model, session, tested)
    slope, intercept = fit_platt(
        outcome.raw, examples.went_up[outcome.rows], overlap_bars=command.horizon_bars
    )
    sha256 = hashlib.sha256(artifact).hexdigest()
    card = _describe(
        command,
        examples,
        candidate=name,
        calibration_slope=slope,
        calibration_intercept=intercept,
        min_edge=find_min_edge(apply_platt(outcome.raw, slope, intercept)),
        figures=figures,
        dataset_sha256=dataset_sha256,
        artifact_sha256=sha256,
        parity_max=parity,
        golden=choose_golden(session, tested),
    )
    card_json = card.model_dump_json(indent=1).encode()
    return TrainedModel(artifact, card, card_json, sha256, hashlib.sha256(card_json).hexdigest())


def _choose_candidate(examples: Examples, command: TrainModel) -> tuple[str, OutOfSample]:
    """The candidate with the lowest out-of-sample log loss."""
    tried: dict[str, OutOfSample] = {}
    losses: dict[str, float] = {}
    for name, make in CANDIDATES.items():
        outcome = walk_forward(make, examples, horizon_bars=command.horizon_bars, seed=command.seed)
        rows = outcome.rows[outcome.scored]
        tried[name] = outcome
        losses[name] = measure_log_loss(outcome.calibrated[outcome.scored], examples.went_up[rows])
    best = min(losses, key=lambda name: (losses[name], name))
    return best, tried[best]


def _describe(command: TrainModel, examples: Examples, **facts: Any) -> ModelCard:
    first, last = (int(examples.open_ns[at]) // 1_000_000_000 for at in (0, -1))
    return ModelCard(
        version=f"{command.symbol}-{command.timeframe}-{facts['artifact_sha256'][:12]}",
        symbol=command.symbol,
        timeframe=command.timeframe,
        feature_set=FEATURE_SET,
        features=FEATURES,
        horizon_bars=command.horizon_bars,
        trained_from=datetime.fromtimestamp(first, UTC),
        trained_to=datetime.fromtimestamp(last, UTC),
        rows=examples.bar.size,
        seed=command.seed,
        opset=OPSET,
        libraries=list_libraries(),
        **facts,
    )
