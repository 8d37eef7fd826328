"""HTTP door of database_service: how the five databases are, and a tenant's exports of its data."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from fastapi.responses import JSONResponse

from contracts.database_service import ExportTenant
from contracts.ids import uuid7
from functions.database_service import gateway, logic
from functions.database_service.errors import ExportMissing, ExportRunning
from functions.database_service.models import (
    ROOMS,
    DataHealth,
    ExportPage,
    ExportRequested,
    ExportWithLink,
)
from functions.database_service.settings import settings
from functions.database_service.store import ExportStore, HealthStore
from kit import audit
from kit.api import CurrentPrincipal, make_app, make_handler, problems
from kit.db import Database, Transaction, open_database
from kit.idempotency import IdempotencyKey, answer_once

app = make_app("database_service", "Schemas, outbox relay, health of the stores, tenants' exports")

LINK_LIFE = timedelta(minutes=15)

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[UUID | None, Query()]


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


@app.get("/v1/data/health", response_model_exclude_unset=True)
def get_data_health() -> DataHealth:
    """Health and latency of each store; for the platform's staff."""
    return DataHealth.model_validate(logic.check_health(_probes()))


@app.post(
    "/v1/data/exports",
    status_code=202,
    response_model=ExportRequested,
    responses=problems(409),
)
def post_export(principal: CurrentPrincipal, key: IdempotencyKey = None) -> JSONResponse:
    """Ask for an archive of all of the tenant's data; a mail tells when it is ready."""
    with _database().transaction(principal.tenant_id) as tx:
        return answer_once(
            tx, key, {"operation": "export"}, lambda: _request_export(tx, principal.user_id)
        )


def _request_export(tx: Transaction, user_id: UUID) -> tuple[int, dict[str, Any]]:
    export_id = uuid7()
    if not ExportStore(tx).add(export_id, user_id):
        raise ExportRunning("see GET /v1/data/exports, and ask again when it is done")
    tx.publish(ExportTenant(export_id=export_id))
    audit.record(tx, "data_export.requested", "data_export", export_id)
    return 202, {"export_id": str(export_id), "status": "running"}


@app.get("/v1/data/exports")
def get_exports(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: Cursor = None
) -> ExportPage:
    """The tenant's exports, the newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        found = ExportStore(tx).list_page(limit + 1, cursor)
    page = found[:limit]
    return ExportPage(items=page, next_cursor=page[-1].export_id if len(found) > limit else None)


@app.get("/v1/data/exports/{export_id}", responses=problems(404))
def get_export(export_id: UUID, principal: CurrentPrincipal) -> ExportWithLink:
    """An export; once it is ready with an address that opens the archive for 15 minutes.

    Each address that is given out is in the audit trail.
    """
    with _database().transaction(principal.tenant_id) as tx:
        export = ExportStore(tx).find(export_id)
        if export is None:
            raise ExportMissing("see GET /v1/data/exports")
        if export.status != "ready" or export.expires_at is None:
            return ExportWithLink(**export.model_dump())
        if export.expires_at <= tx.now:
            return ExportWithLink(**{**export.model_dump(), "status": "expired"})
        life = min(LINK_LIFE, export.expires_at - tx.now)
        audit.record(tx, "data_export.link_given", "data_export", export_id)
        return ExportWithLink(
            **export.model_dump(),
            url=_sign(principal.tenant_id, export_id, int(life.total_seconds())),
            url_expires_at=tx.now + life,
        )


def _sign(tenant_id: UUID, export_id: UUID, life_s: int) -> str:
    bucket = gateway.ArchiveBucket(settings().exports_bucket)
    key = bucket.make_key(tenant_id, export_id)
    return bucket.sign_download(key, f"sinyal-{export_id}.zip", life_s)


handler = make_handler(app)
