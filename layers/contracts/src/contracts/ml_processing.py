"""Messages of ml_processing: training and the model registry."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from contracts.data_bridge import Timeframe
from contracts.envelope import Command, Event


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
