"""A tenant's audit log, for its managers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from contracts.audit import ActorKind
from functions.api_gateway.store.audit import AuditStore
from kit.api import CurrentPrincipal

router = APIRouter()


class AuditEntry(BaseModel):
    """Who did what, from where. ``hash`` covers the entry and, through it, all earlier ones."""

    seq: int
    occurred_at: datetime
    room: str
    actor_kind: ActorKind
    actor_id: UUID | None
    action: str
    target_kind: str
    target_id: str
    address: str | None
    device: str | None
    detail: dict[str, Any]
    correlation_id: UUID
    hash: str


class AuditPage(BaseModel):
    """Entries, newest first; ``next_cursor`` asks for older ones, null at the end."""

    items: list[AuditEntry]
    next_cursor: int | None


@router.get("/v1/audit-log")
def get_audit_log(
    request: Request,
    principal: CurrentPrincipal,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> AuditPage:
    """What was done to the tenant, by whom and from where, newest first."""
    principal.require_role("owner", "admin")
    with request.app.state.open_database().transaction(principal.tenant_id) as tx:
        rows = AuditStore(tx).list_entries(cursor, limit)
    items = [AuditEntry.model_validate(_hide_staff(row)) for row in rows]
    more = len(items) == limit and items[-1].seq > 1
    return AuditPage(items=items, next_cursor=items[-1].seq if more else None)


def _hide_staff(row: dict[str, Any]) -> dict[str, Any]:
    """Where the platform's own staff sits is not for tenants to know; that they came is."""
    if row["actor_kind"] in ("support", "admin"):
        return {**row, "address": None, "device": None}
    return row
