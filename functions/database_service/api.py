"""HTTP door of database_service: how the five databases are."""

from collections.abc import Callable
from typing import Any

from functions.database_service import gateway, logic
from functions.database_service.migrate import ROOMS
from functions.database_service.settings import settings
from functions.database_service.store import HealthStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database

app = make_app("database_service", "Schemas, outbox relay and health of the stores")


def _database() -> Database:
    return open_database("database_service", settings().event_bus_name)


def _probes() -> dict[str, Callable[[], dict[str, Any]]]:
    def postgresql() -> dict[str, Any]:
        with _database().transaction(None) as tx:
            store = HealthStore(tx)
            return {
                "engine": "postgresql",
                "version": store.ping(),
                "outbox_waiting": sum(store.count_outbox(ROOMS).values()),
            }

    def vectors() -> dict[str, Any]:
        if url := settings().weaviate_url:
            return gateway.probe_weaviate(url)
        with _database().transaction(None) as tx:
            if not HealthStore(tx).has_vector_type():
                raise LookupError("pgvector is not installed on this server")
        return {"engine": "pgvector"}

    def graph() -> dict[str, Any]:
        if url := settings().arango_url:
            return gateway.probe_arango(url)
        with _database().transaction(None) as tx:
            return {"engine": "postgresql", "version": HealthStore(tx).ping()}

    return {
        "postgresql": postgresql,
        "cache": gateway.probe_redis,
        "clickhouse": gateway.probe_clickhouse,
        "vectors": vectors,
        "graph": graph,
    }


@app.get("/v1/data/health")
def get_data_health(principal: CurrentPrincipal) -> dict[str, Any]:
    """Health and latency of each store; for the platform's administrators."""
    principal.require_platform_admin()
    return logic.check_health(_probes())


handler = make_handler(app)
