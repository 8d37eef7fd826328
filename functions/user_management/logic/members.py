"""Members of a tenant: who may change whom, and the one owner.

Admins manage traders, viewers and each other; an admin may step down or leave. Nobody changes or
removes the owner: only the owner hands the ownership over, and is an admin afterwards. All of it
happens under the tenant's lock and by the roles that are stored, not by those in a token.
"""

from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.user_management import MemberRemoved, MemberRoleChanged
from contracts.user_service import Role
from functions.user_management.errors import (
    AlreadyOwner,
    MayNotManage,
    OwnerUntouchable,
    TenantStepRefused,
    UnknownTenant,
    UnknownUser,
)
from functions.user_management.logic import lifecycle
from functions.user_management.models import Member, MemberPage, MemberRole, TenantState

MANAGERS: tuple[Role, ...] = ("owner", "admin")
OWNER: tuple[Role, ...] = ("owner",)


class Members(Protocol):
    """What managing members needs of the store."""

    def lock_tenant(self) -> TenantState | None: ...
    def read_member(self, user_id: UUID) -> Member | None: ...
    def set_role(self, user_id: UUID, role: Role) -> Member: ...
    def remove_member(self, user_id: UUID) -> None: ...
    def publish(self, message: Message) -> None: ...
    def audit(self, action: str, kind: str, target: object, **detail: str | int) -> None: ...


def require_open_tenant(store: Members) -> TenantState:
    """Lock the tenant. Raises UnknownTenant, TenantStepRefused when it is not at work."""
    state = store.lock_tenant()
    if state is None:
        raise UnknownTenant("the tenant is not there (yet)")
    if state.status not in lifecycle.OPEN:
        raise TenantStepRefused(f"the tenant is {state.status}")
    return state


def require_role(store: Members, actor_id: UUID, roles: tuple[Role, ...]) -> Member:
    """The acting member, by the stored role. Raises MayNotManage."""
    actor = store.read_member(actor_id)
    if actor is None or actor.role not in roles:
        raise MayNotManage(f"this needs the role {' or '.join(roles)}")
    return actor


def change_role(store: Members, actor_id: UUID, user_id: UUID, role: MemberRole) -> Member:
    """Give a member another role; the same again changes nothing.

    Raises UnknownUser, OwnerUntouchable, MayNotManage, TenantStepRefused.
    """
    require_open_tenant(store)
    require_role(store, actor_id, MANAGERS)
    member = _require_changeable(store, user_id)
    return member if member.role == role else _set_role(store, member, role)


def remove_member(store: Members, actor_id: UUID, user_id: UUID) -> None:
    """Take a member out of the tenant.

    Raises UnknownUser, OwnerUntouchable, MayNotManage, TenantStepRefused.
    """
    require_open_tenant(store)
    require_role(store, actor_id, MANAGERS)
    member = _require_changeable(store, user_id)
    store.remove_member(member.user_id)
    store.audit("member.removed", "user", member.user_id, role=member.role)
    store.publish(MemberRemoved(user_id=member.user_id))


def transfer_ownership(store: Members, actor_id: UUID, user_id: UUID) -> Member:
    """Make another member the owner; the present one stays as an admin.

    Raises UnknownUser, AlreadyOwner, MayNotManage, TenantStepRefused.
    """
    require_open_tenant(store)
    owner = require_role(store, actor_id, OWNER)
    heir = _require_member(store, user_id)
    if heir.user_id == owner.user_id:
        raise AlreadyOwner("name another member")
    _set_role(store, owner, "admin")
    heir = _set_role(store, heir, "owner")
    store.audit("ownership.transferred", "user", heir.user_id, former_owner=str(owner.user_id))
    return heir


def make_page(members: list[Member], limit: int) -> MemberPage:
    """Cut a page from one member more than it shows."""
    shown = members[:limit]
    more = len(members) > limit
    return MemberPage(items=tuple(shown), next_cursor=str(shown[-1].user_id) if more else None)


def _require_member(store: Members, user_id: UUID) -> Member:
    member = store.read_member(user_id)
    if member is None:
        raise UnknownUser("the tenant has no such member")
    return member


def _require_changeable(store: Members, user_id: UUID) -> Member:
    member = _require_member(store, user_id)
    if member.role == "owner":
        raise OwnerUntouchable("the owner hands the ownership over: POST /v1/tenants/ownership")
    return member


def _set_role(store: Members, member: Member, role: Role) -> Member:
    changed = store.set_role(member.user_id, role)
    store.audit("member.role_changed", "user", member.user_id, old_role=member.role, new_role=role)
    store.publish(MemberRoleChanged(user_id=member.user_id, role=role, version=changed.version))
    return changed
