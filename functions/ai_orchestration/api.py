"""HTTP door of ai_orchestration: the signals that were delivered to a tenant, and their traces."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from contracts.ai_orchestration import AbstentionReason, Direction
from contracts.data_bridge import Timeframe
from functions.ai_orchestration.errors import SignalNotFound
from functions.ai_orchestration.settings import settings
from functions.ai_orchestration.store import SignalStore
from kit.api import CurrentPrincipal, make_app, make_handler, problems
from kit.db import Database, open_database
from kit.feature_set import FEATURES

app = make_app("ai_orchestration", "Signals delivered to a tenant, and why they were given")

Limit = Annotated[int, Query(ge=1, le=200)]


class Signal(BaseModel):
    """A signal that was delivered. Times are market times, distances are points."""

    signal_id: UUID
    decision_id: UUID
    bar_id: UUID
    symbol: str
    digits: int
    timeframe: Timeframe
    direction: Direction
    probability: float
    """Calibrated probability that the price is higher at the horizon."""
    size_factor: float
    stop_distance: int
    target_distance: int
    horizon_s: int
    as_of: datetime
    expires_at: datetime
    model_version: str
    visible_at: datetime
    """From when on the tenant's plan shows it."""


class SignalPage(BaseModel):
    """Answer of GET /v1/signals."""

    items: list[Signal]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""


class TracedView(BaseModel):
    """An agent's view that the decision used."""

    view_id: UUID
    agent: str
    stance: Literal["bullish", "bearish", "neutral"]
    confidence: float
    size_factor: float
    veto: bool


class TracedOutcome(BaseModel):
    """The decision's answer; ``reason`` is null for a signal."""

    reason: AbstentionReason | None
    raw_probability: float | None
    probability: float | None
    direction: Direction | None
    size_factor: float | None
    stop_distance: int | None
    target_distance: int | None
    horizon_s: int | None


class Trace(BaseModel):
    """Everything a decision was made from; replaying it gives the same answer to the bit."""

    bar_id: UUID
    symbol: str
    timeframe: Timeframe
    bars: list[list[int]]
    """Columns open_ns, open, high, low, close, spread, ticks; oldest first, judged bar last."""
    any_model: bool
    model_version: str | None
    model_sha256: str | None
    card_sha256: str | None
    views: list[TracedView]
    features: dict[str, float]
    outcome: TracedOutcome


class SignalTrace(BaseModel):
    """Answer of GET /v1/signals/{signal_id}/trace."""

    signal_id: UUID
    decision_id: UUID
    latency_us: float
    """From the bar in hand to the decision, in microseconds."""
    trace: Trace


def _database() -> Database:
    return open_database("ai_orchestration", settings().event_bus_name)


@app.get("/v1/signals")
def get_signals(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> SignalPage:
    """Signals delivered and visible, newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        rows = SignalStore(tx).list_signals(limit, cursor)
    return SignalPage(
        items=[Signal.model_validate(row) for row in rows],
        next_cursor=str(rows[-1]["signal_id"]) if len(rows) == limit else None,
    )


@app.get("/v1/signals/{signal_id}", responses=problems(404))
def get_signal(signal_id: UUID, principal: CurrentPrincipal) -> Signal:
    """One signal that was delivered and is visible."""
    with _database().transaction(principal.tenant_id) as tx:
        row = SignalStore(tx).find_signal(signal_id)
    if row is None:
        raise SignalNotFound("no such signal was delivered to you")
    return Signal.model_validate(row)


@app.get("/v1/signals/{signal_id}/trace", responses=problems(404))
def get_trace(signal_id: UUID, principal: CurrentPrincipal) -> SignalTrace:
    """What a signal was made from: bars, features by name, model, views, outcome."""
    with _database().transaction(principal.tenant_id) as tx:
        row = SignalStore(tx).find_signal(signal_id, with_trace=True)
    if row is None:
        raise SignalNotFound("no such signal was delivered to you")
    trace = row["trace"]
    named = dict(zip(FEATURES, trace["features"] or (), strict=False))
    return SignalTrace(
        signal_id=row["signal_id"],
        decision_id=row["decision_id"],
        latency_us=row["latency_us"],
        trace=Trace.model_validate({**trace, "features": named}),
    )


handler = make_handler(app)
