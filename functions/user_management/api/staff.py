"""The platform's own staff: tenants, their suspension, and how the business grows.

Every look at a tenant and every act on it is written to that tenant's own audit trail.
"""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from functions.user_management.api.door import (
    Cursor,
    Limit,
    RoomAnalytics,
    RoomDatabase,
    answer_write,
)
from functions.user_management.errors import UnknownTenant
from functions.user_management.logic import analytics, tenants
from functions.user_management.models import (
    StaffTenantDetail,
    StaffTenantPage,
    Suspension,
    Tenant,
    TenantStatus,
)
from functions.user_management.store import (
    AnalyticsStore,
    ManagementStore,
    StaffStore,
    list_tenants,
    record_listing,
)
from kit.api import CurrentPrincipal, problems
from kit.idempotency import IdempotencyKey

router = APIRouter()


@router.get("/v1/users/analytics")
def read_user_analytics(
    database: RoomDatabase,
    clickhouse: RoomAnalytics,
    first: Annotated[date | None, Query(alias="from")] = None,
    last: Annotated[date | None, Query(alias="to")] = None,
) -> analytics.UserAnalytics:
    """Sign-ups, activation and retention by month, from one day's month to another's."""
    months = analytics.choose_months(first, last, database.clock.now())
    return analytics.describe_users(AnalyticsStore(clickhouse), months)


@router.get("/v1/tenants")
def list_all_tenants(
    database: RoomDatabase,
    status: TenantStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> StaffTenantPage:
    """Tenants in the order of their ids, all or those of one state."""
    with database.transaction(None) as tx:
        page = tenants.make_page(list_tenants(tx, status, cursor, limit + 1), limit)
        record_listing(tx, [tenant.tenant_id for tenant in page.items])
    return page


@router.get("/v1/tenants/{tenant_id}", responses=problems(404))
def read_any_tenant(tenant_id: UUID, database: RoomDatabase) -> StaffTenantDetail:
    """One tenant, and whom to write to."""
    with database.transaction(tenant_id) as tx:
        store = StaffStore(tx)
        detail = store.read_detail()
        if detail is None:
            raise UnknownTenant("there is no tenant of this id")
        store.audit("tenant.read", "tenant", tenant_id)
    return detail


@router.post(
    "/v1/tenants/{tenant_id}/suspension", response_model=Tenant, responses=problems(404, 409)
)
def suspend_tenant(
    tenant_id: UUID,
    body: Suspension,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Close the door on a tenant until it is reinstated."""
    with database.transaction(tenant_id) as tx:
        return answer_write(
            tx,
            idempotency_key,
            ["suspend_tenant", principal.user_id, body.reason],
            lambda: tenants.suspend_tenant(ManagementStore(tx), tenant_id, body.reason),
        )


@router.delete("/v1/tenants/{tenant_id}/suspension", responses=problems(404, 409))
def reinstate_tenant(tenant_id: UUID, database: RoomDatabase) -> Tenant:
    """Open the door to a suspended tenant again."""
    with database.transaction(tenant_id) as tx:
        return tenants.reinstate_tenant(ManagementStore(tx), tenant_id)
