"""Members: an invited stranger becomes one; roles change, members leave, tenants end."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.user_service import InvitationAccepted, RevokedKind, Role
from functions.user_service.errors import AddressTaken, InvitationInvalid, UnknownUser
from functions.user_service.logic.bodies import AcceptedInvitation
from functions.user_service.logic.passwords import check_password, hash_password
from functions.user_service.models import EndReason, Invitation, NewUser, TenantStatus


class InvitationStore(Protocol):
    """What accepting an invitation reads and writes."""

    def accept_invitation(self, token_hash: bytes) -> Invitation | None: ...
    def read_tenant_status(self) -> TenantStatus: ...
    def add_user(self, user: NewUser) -> bool: ...
    def publish(self, message: Message) -> None: ...
    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None: ...


class MemberStore(Protocol):
    """What a change of members touches."""

    def has_user(self, user_id: UUID) -> bool: ...
    def set_role(self, user_id: UUID, role: Role, version: int) -> bool: ...
    def remove_user(self, user_id: UUID) -> bool: ...
    def keep_tenant_status(self, status: TenantStatus, version: int) -> bool: ...
    def end_sessions(self, user_id: UUID, reason: EndReason) -> list[UUID]: ...
    def end_tenant_sessions(self, reason: EndReason) -> int: ...
    def revoke_keys_of(self, user_id: UUID | None = None) -> None: ...
    def revoke(self, kind: RevokedKind, subject_id: UUID) -> None: ...


def accept_invitation(
    store: InvitationStore,
    tenant_id: UUID,
    token_hash: bytes,
    body: AcceptedInvitation,
    now: datetime,
) -> NewUser:
    """Make a member of whoever holds an invitation's token; the mail proved the address.

    Raises InvitationInvalid, AddressTaken and PasswordRefused; each leaves the invitation open.
    """
    invitation = store.accept_invitation(token_hash)
    if invitation is None or store.read_tenant_status() != "active":
        raise InvitationInvalid("ask for a new invitation")
    check_password(body.password, invitation.email)
    user = NewUser(
        user_id=uuid7(),
        tenant_id=tenant_id,
        email=invitation.email,
        password_hash=hash_password(body.password),
        role=invitation.role,
        status="active",
        created_at=now,
        locale=body.locale,
    )
    if not store.add_user(user):
        raise AddressTaken("sign in with the account this address has")
    store.publish(
        InvitationAccepted(
            invitation_id=invitation.invitation_id,
            user_id=user.user_id,
            email=user.email,
            full_name=body.full_name,
            role=user.role,
            locale=body.locale,
        )
    )
    store.record("invitation.accepted", "invitation", invitation.invitation_id, role=user.role)
    return user


def change_role(store: MemberStore, user_id: UUID, role: Role, version: int) -> None:
    """Give a member a role; tokens of the role before end. Raises UnknownUser."""
    if store.set_role(user_id, role, version):
        store.revoke("user", user_id)
    elif not store.has_user(user_id):
        raise UnknownUser("the event names a user that its tenant does not have")


def remove_member(store: MemberStore, user_id: UUID) -> None:
    """Take a member out: sessions and API keys end, the address is free. Raises UnknownUser."""
    store.revoke_keys_of(user_id)  # first: makers of keys take its lock before the user's row
    if not store.remove_user(user_id):
        if not store.has_user(user_id):
            raise UnknownUser("the event names a user that its tenant does not have")
        return
    store.end_sessions(user_id, "member_removed")
    store.revoke("user", user_id)


def change_tenant_status(store: MemberStore, status: TenantStatus, version: int) -> None:
    """Suspend, reinstate or close the tenant; who is in goes out; keys of the closed end."""
    if status == "closed":
        store.revoke_keys_of()  # closed is for good, whatever the version
    if store.keep_tenant_status(status, version) and status != "active":
        store.end_tenant_sessions("tenant_closed" if status == "closed" else "tenant_suspended")
