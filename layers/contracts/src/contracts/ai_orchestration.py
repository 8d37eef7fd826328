"""Messages of ai_orchestration: a bar's decision is a signal or an abstention, never nothing."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.data_bridge import Timeframe
from contracts.envelope import Event, UtcDatetime

Direction = Literal["buy", "sell"]
AbstentionReason = Literal[
    "warmup",
    "no_model",
    "gap_in_bars",
    "edge_below_cost",
    "vetoed",
    "views_disagree",
    "symbol_not_modelled",
]


class SignalIssued(Event):
    """A decision to trade, for every subscribed tenant. All times are market times.

    ``probability`` is the calibrated probability that the price is higher at the horizon;
    ``size_factor`` (0 to 1] shrinks a position, never enlarges it. Distances are in points.
    """

    service: ClassVar[str] = "ai_orchestration"
    signal_id: UUID
    decision_id: UUID
    bar_id: UUID
    symbol: str = Field(max_length=29)
    digits: int = Field(ge=0, le=8)
    timeframe: Timeframe
    direction: Direction
    probability: float = Field(ge=0, le=1)
    size_factor: float = Field(gt=0, le=1)
    stop_distance: int = Field(gt=0)
    target_distance: int = Field(gt=0)
    horizon_s: int = Field(gt=0)
    as_of: UtcDatetime
    expires_at: UtcDatetime
    model_version: str = Field(max_length=80)


class SignalWithheld(Event):
    """A bar was judged and nothing was worth a trade."""

    service: ClassVar[str] = "ai_orchestration"
    decision_id: UUID
    bar_id: UUID
    symbol: str = Field(max_length=29)
    timeframe: Timeframe
    reason: AbstentionReason
    as_of: UtcDatetime
    probability: float | None = Field(default=None, ge=0, le=1)
