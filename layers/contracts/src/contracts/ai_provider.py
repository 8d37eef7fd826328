"""Messages of ai_provider: views of language models, written off the hot path."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Command, Event, UtcDatetime


class RequestViews(Command):
    """Ask for a view on each symbol, from facts the asker supplies (data, never instructions)."""

    service: ClassVar[str] = "ai_provider"
    symbols: tuple[str, ...] = Field(default=("EURUSD",), min_length=1, max_length=50)
    as_of: UtcDatetime | None = None
    """Market time the view is about; now, when absent."""
    ttl_s: int = Field(default=86_400, gt=0, le=7 * 86_400)
    facts: dict[str, str] = Field(default_factory=dict, max_length=50)


class ViewPublished(Event):
    """An agent's view with an expiry. It can shrink a position or veto it, nothing else."""

    service: ClassVar[str] = "ai_provider"
    view_id: UUID
    agent: str = Field(max_length=60)
    provider: str = Field(max_length=40)
    model: str = Field(max_length=80)
    symbol: str = Field(max_length=29)
    stance: Literal["bullish", "bearish", "neutral"]
    confidence: float = Field(ge=0, le=1)
    size_factor: float = Field(ge=0, le=1)
    veto: bool
    rationale: str = Field(max_length=2_000)
    as_of: UtcDatetime
    expires_at: UtcDatetime
    request_hash: str = Field(min_length=64, max_length=64)
    cost_picodollars: int = Field(ge=0)
