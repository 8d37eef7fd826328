"""HTTP door of ml_processing: the registry, figures as they are."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from contracts.data_bridge import Timeframe
from functions.ml_processing.settings import settings
from functions.ml_processing.store import RegistryStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database

app = make_app("ml_processing", "Models and what they are worth out of sample")

Limit = Annotated[int, Query(ge=1, le=200)]


class RegisteredModel(BaseModel):
    """A model of the registry. ``figures`` are out of sample, as they are."""

    model_id: UUID
    version: str
    symbol: str
    timeframe: Timeframe
    generation: int
    feature_set: str
    candidate: str
    min_edge: float
    """Below this distance from one half the model abstains."""
    figures: dict[str, float]
    sha256: str
    promoted_at: datetime
    active: bool
    """Whether it is the one that is served."""


class ModelPage(BaseModel):
    """Answer of GET /v1/ml/models."""

    items: list[RegisteredModel]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""


def _database() -> Database:
    return open_database("ml_processing", settings().event_bus_name)


@app.get("/v1/ml/models")
def get_models(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> ModelPage:
    """Models of the platform, newest first, with their out-of-sample figures."""
    with _database().transaction(principal.tenant_id) as tx:
        rows = RegistryStore(tx).list_models(limit, cursor)
    return ModelPage(
        items=[RegisteredModel.model_validate(row) for row in rows],
        next_cursor=str(rows[-1]["model_id"]) if len(rows) == limit else None,
    )


handler = make_handler(app)
