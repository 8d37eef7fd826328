"""A tenant's name, its suspension by the staff, its closure, and its erasure after the wait.

Closing is the owner's: access and trading end at once, the data goes after the waiting time. The
erasure is asked for by the clock and asked for again each day until the answer comes.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.ids import derived_id
from contracts.user_management import EraseTenant, TenantClosed, TenantReinstated, TenantSuspended
from functions.user_management.errors import TenantNotClosed, TenantStepRefused, UnknownTenant
from functions.user_management.logic import lifecycle
from functions.user_management.logic.members import MANAGERS, OWNER, Members, require_role
from functions.user_management.models import StaffTenant, StaffTenantPage, Tenant, TenantState

ERASURE_ASKED_AGAIN_AFTER = timedelta(days=1)


class Tenants(Members, Protocol):
    """What changing a tenant needs of the store."""

    def read_tenant(self) -> Tenant | None: ...
    def rename_tenant(self, name: str) -> None: ...
    def save_state(self, state: TenantState) -> None: ...
    def save_suspension(self, state: TenantState, reason: str) -> None: ...
    def save_closure(self, state: TenantState, erase_after: datetime) -> None: ...


class Erasures(Protocol):
    """What erasing a tenant needs of the store."""

    def lock_tenant(self) -> TenantState | None: ...
    def take_erasure(self, asked_before: datetime) -> bool: ...
    def forget_people(self) -> None: ...
    def save_erasure(self, state: TenantState) -> None: ...
    def publish(self, message: Message) -> None: ...
    def audit(self, action: str, kind: str, target: object) -> None: ...


def require_tenant(tenant: Tenant | None) -> Tenant:
    """Raise UnknownTenant when there is none."""
    if tenant is None:
        raise UnknownTenant("the tenant is not there (yet)")
    return tenant


def _lock(store: Tenants | Erasures) -> TenantState:
    state = store.lock_tenant()
    if state is None:
        raise UnknownTenant("the tenant is not there (yet)")
    return state


def rename_tenant(store: Tenants, tenant_id: UUID, actor_id: UUID, name: str) -> Tenant:
    """Give the tenant another name. Raises MayNotManage, TenantStepRefused."""
    state = _lock(store)
    require_role(store, actor_id, MANAGERS)
    if state.status in lifecycle.GONE:
        raise TenantStepRefused(f"the tenant is {state.status}")
    if require_tenant(store.read_tenant()).name != name:
        store.rename_tenant(name)
        store.audit("tenant.renamed", "tenant", tenant_id)
    return require_tenant(store.read_tenant())


def suspend_tenant(store: Tenants, tenant_id: UUID, reason: str) -> Tenant:
    """Close the door on a tenant; a suspended one stays suspended, for its first reason.

    Raises UnknownTenant, TenantStepRefused.
    """
    state = _lock(store)
    suspended = lifecycle.suspend(state)
    if suspended != state:
        store.save_suspension(suspended, reason)
        store.audit("tenant.suspended", "tenant", tenant_id, version=suspended.version)
        store.publish(TenantSuspended(reason=reason, version=suspended.version))
    return require_tenant(store.read_tenant())


def reinstate_tenant(store: Tenants, tenant_id: UUID) -> Tenant:
    """Open the door again; a tenant that was never suspended stays as it is.

    Raises UnknownTenant, TenantStepRefused.
    """
    state = _lock(store)
    reinstated = lifecycle.reinstate(state)
    if reinstated != state:
        store.save_state(reinstated)
        store.audit("tenant.reinstated", "tenant", tenant_id, version=reinstated.version)
        store.publish(TenantReinstated(version=reinstated.version))
    return require_tenant(store.read_tenant())


def close_tenant(store: Tenants, tenant_id: UUID, actor_id: UUID, erase_after: datetime) -> Tenant:
    """End the tenant for good; what is closed stays closed, with its first date of erasure.

    Raises MayNotManage, TenantStepRefused.
    """
    state = _lock(store)
    require_role(store, actor_id, OWNER)
    closed = lifecycle.close(state)
    if closed != state:
        store.save_closure(closed, erase_after)
        store.audit("tenant.closed", "tenant", tenant_id, version=closed.version)
        store.publish(TenantClosed(erase_after=erase_after, version=closed.version))
    return require_tenant(store.read_tenant())


def derive_erasure_id(tenant_id: UUID) -> UUID:
    """A tenant's one erasure, however often it is asked for."""
    return derived_id("erasure", tenant_id)


def ask_for_erasure(store: Erasures, tenant_id: UUID, now: datetime) -> bool:
    """Ask for a due erasure once a day; False when it was asked for or is not due."""
    if not store.take_erasure(now - ERASURE_ASKED_AGAIN_AFTER):
        return False
    store.audit("tenant.erasure_asked", "tenant", tenant_id)
    store.publish(EraseTenant(erasure_id=derive_erasure_id(tenant_id)))
    return True


def finish_erasure(store: Erasures, tenant_id: UUID, erasure_id: UUID) -> None:
    """Forget the people and keep the tenant's row without its name.

    Raises TenantNotClosed when nobody closed it or the erasure is not this tenant's.
    """
    state = store.lock_tenant()
    if state is None or erasure_id != derive_erasure_id(tenant_id):
        raise TenantNotClosed("the erasure is not one of this tenant")
    if state.status == "erased":
        return
    if state.status != "closed":
        raise TenantNotClosed(f"the tenant is {state.status}")
    store.forget_people()
    store.save_erasure(lifecycle.erase(state))
    store.audit("tenant.erased", "tenant", tenant_id)


def make_page(tenants: list[StaffTenant], limit: int) -> StaffTenantPage:
    """Cut a page from one tenant more than it shows."""
    shown = tenants[:limit]
    more = len(tenants) > limit
    return StaffTenantPage(
        items=tuple(shown), next_cursor=str(shown[-1].tenant_id) if more else None
    )
