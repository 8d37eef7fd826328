"""Messages of ml_processing: training and the model registry."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from contracts.data_bridge import Timeframe
from contracts.envelope import Command, Contract, Event, UtcDatetime


class TrainModel(Command):
    """Train a direction model on the bars of an S3 object and promote it if it passes."""

    service: ClassVar[str] = "ml_processing"
    training_id: UUID
    symbol: str = Field(max_length=29)
    timeframe: Timeframe = "M1"
    dataset_key: str = Field(max_length=300)
    horizon_bars: int = Field(default=15, ge=1, le=240)
    seed: int = 7


class ModelPromoted(Event):
    """A model version is the one to serve for its symbol and timeframe."""

    service: ClassVar[str] = "ml_processing"
    model_id: UUID
    version: str = Field(max_length=80)
    symbol: str = Field(max_length=29)
    timeframe: Timeframe
    artifact_key: str = Field(max_length=300)
    card_key: str = Field(max_length=300)
    sha256: str = Field(min_length=64, max_length=64)
    card_sha256: str = Field(min_length=64, max_length=64)
    feature_set: str = Field(max_length=40)
    generation: int = Field(ge=1)
    """Grows with each promotion of a symbol and timeframe; readers keep the highest."""


class TrainingFailed(Event):
    """A training ended without a model that may be served."""

    service: ClassVar[str] = "ml_processing"
    training_id: UUID
    symbol: str = Field(max_length=29)
    reason: str = Field(max_length=500)


class GoldenVector(Contract):
    """Features of one row, and the raw probability the artifact must answer with."""

    features: tuple[float, ...]
    raw_probability: float = Field(ge=0, le=1)


class ModelCard(Contract):
    """What a reader must know to serve an artifact: stored beside it, named by its own hash.

    The served probability is ``1 / (1 + exp(-(calibration_slope * logit(raw) +
    calibration_intercept)))``; below ``min_edge`` = abs(probability - 0.5) the model abstains.
    ``figures`` are out of sample, as they are.
    """

    version: str = Field(max_length=80)
    symbol: str = Field(max_length=29)
    timeframe: Timeframe
    candidate: str = Field(max_length=40)
    feature_set: str = Field(max_length=40)
    features: tuple[str, ...]
    horizon_bars: int = Field(ge=1, le=240)
    calibration_slope: float
    calibration_intercept: float
    min_edge: float = Field(ge=0, le=0.5)
    figures: dict[str, float]
    dataset_sha256: str = Field(min_length=64, max_length=64)
    artifact_sha256: str = Field(min_length=64, max_length=64)
    trained_from: UtcDatetime
    trained_to: UtcDatetime
    rows: int = Field(ge=1)
    seed: int
    opset: int
    libraries: dict[str, str]
    parity_max: float = Field(ge=0)
    """Largest difference between the fitted model and its artifact over the rows checked."""
    golden: tuple[GoldenVector, ...] = Field(min_length=1, max_length=64)
