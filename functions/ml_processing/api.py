"""HTTP door of ml_processing: the registry, figures as they are."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from functions.ml_processing.settings import settings
from functions.ml_processing.store import RegistryStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database

app = make_app("ml_processing", "Models and what they are worth out of sample")

Limit = Annotated[int, Query(ge=1, le=200)]


def _database() -> Database:
    return open_database("ml_processing", settings().event_bus_name)


@app.get("/v1/ml/models")
def get_models(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> dict[str, Any]:
    """Models of the platform, newest first, with their out-of-sample figures."""
    with _database().transaction(principal.tenant_id) as tx:
        rows = RegistryStore(tx).list_models(limit, cursor)
    return {
        "items": rows,
        "next_cursor": str(rows[-1]["model_id"]) if len(rows) == limit else None,
    }


handler = make_handler(app)
