"""One's own tenant: what it is called, how it stands, and its end."""

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from functions.user_management.api.door import RoomDatabase, answer_write
from functions.user_management.logic import tenants
from functions.user_management.models import Tenant, TenantChange
from functions.user_management.store import ManagementStore
from kit.api import CurrentPrincipal, problems
from kit.idempotency import IdempotencyKey

router = APIRouter()


@router.get("/v1/tenants/me", responses=problems(404))
def read_own_tenant(principal: CurrentPrincipal, database: RoomDatabase) -> Tenant:
    """One's own tenant."""
    with database.transaction(principal.tenant_id) as tx:
        return tenants.require_tenant(ManagementStore(tx).read_tenant())


@router.patch("/v1/tenants/me", response_model=Tenant, responses=problems(404, 409))
def rename_own_tenant(
    body: TenantChange,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Give one's own tenant another name."""
    tenant_id, user_id = principal.tenant_id, principal.user_id
    with database.transaction(tenant_id) as tx:
        return answer_write(
            tx,
            idempotency_key,
            ["rename_own_tenant", user_id, body.name],
            lambda: tenants.rename_tenant(ManagementStore(tx), tenant_id, user_id, body.name),
        )


@router.delete("/v1/tenants/me", status_code=202, responses=problems(404, 409))
def close_own_tenant(
    principal: CurrentPrincipal, database: RoomDatabase, request: Request
) -> Tenant:
    """Close one's own tenant for good: access and trading end now, the data goes after the wait."""
    waiting = timedelta(seconds=request.app.state.erase_after_s())
    with database.transaction(principal.tenant_id) as tx:
        return tenants.close_tenant(
            ManagementStore(tx), principal.tenant_id, principal.user_id, tx.now + waiting
        )
