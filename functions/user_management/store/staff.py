"""What the platform's staff sees: a list across tenants, and one tenant from within."""

from uuid import UUID

from functions.user_management.models import StaffTenant, StaffTenantDetail, TenantStatus
from functions.user_management.store.members import MemberStore
from kit import audit
from kit.db import Transaction


def list_tenants(
    tx: Transaction, status: TenantStatus | None, after: UUID | None, limit: int
) -> list[StaffTenant]:
    """Tenants in the order of their ids, from after one of them on; across all tenants."""
    rows = tx.fetch_all("SELECT * FROM list_tenants(%s, %s, %s)", [status, after, limit])
    return [StaffTenant.model_validate(row) for row in rows]


def record_listing(tx: Transaction, tenant_ids: list[UUID]) -> None:
    """Note in the trail of each listed tenant that the staff saw it."""
    for tenant_id in tenant_ids:
        audit.record_under(tx, tenant_id, "tenant.listed", "tenant", tenant_id)


class StaffStore(MemberStore):
    """The transaction's tenant, as the staff sees it."""

    def read_detail(self) -> StaffTenantDetail | None:
        """The tenant with its owner; None when there is no such tenant."""
        row = self._tx.fetch_one(
            "SELECT tenant_id, name, status, version, created_at, closed_at, erase_after,"
            " suspension_reason, erased_at FROM tenants WHERE tenant_id = %s",
            [self._tx.tenant_id],
        )
        if row is None:
            return None
        return StaffTenantDetail(**row, members=self.count_members(), owner=self.read_owner())
