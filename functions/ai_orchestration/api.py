"""HTTP door of ai_orchestration: the signals that were delivered to a tenant, and their traces."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from functions.ai_orchestration.errors import SignalNotFound
from functions.ai_orchestration.settings import settings
from functions.ai_orchestration.store import SignalStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database
from kit.feature_set import FEATURES

app = make_app("ai_orchestration", "Signals delivered to a tenant, and why they were given")

Limit = Annotated[int, Query(ge=1, le=200)]


def _database() -> Database:
    return open_database("ai_orchestration", settings().event_bus_name)


@app.get("/v1/signals")
def get_signals(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> dict[str, Any]:
    """Signals delivered and visible, newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        rows = SignalStore(tx).list_signals(limit, cursor)
    return {
        "items": rows,
        "next_cursor": str(rows[-1]["signal_id"]) if len(rows) == limit else None,
    }


@app.get("/v1/signals/{signal_id}")
def get_signal(signal_id: UUID, principal: CurrentPrincipal) -> dict[str, Any]:
    """One signal."""
    with _database().transaction(principal.tenant_id) as tx:
        row = SignalStore(tx).find_signal(signal_id)
    if row is None:
        raise SignalNotFound("no such signal was delivered to you")
    return row


@app.get("/v1/signals/{signal_id}/trace")
def get_trace(signal_id: UUID, principal: CurrentPrincipal) -> dict[str, Any]:
    """What a signal was made from: bars, features by name, model, views, outcome."""
    with _database().transaction(principal.tenant_id) as tx:
        row = SignalStore(tx).find_signal(signal_id, with_trace=True)
    if row is None:
        raise SignalNotFound("no such signal was delivered to you")
    trace = row["trace"]
    named = dict(zip(FEATURES, trace["features"] or (), strict=False))
    return {
        "signal_id": row["signal_id"],
        "decision_id": row["decision_id"],
        "latency_us": row["latency_us"],
        "trace": {**trace, "features": named},
    }


handler = make_handler(app)
