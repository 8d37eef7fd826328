"""Invitations: a signed token for seven days, one open for each address, fifty for each tenant.

Nothing here asks whether the address has an account anywhere else, so no answer can tell.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.user_management import InvitationRevoked, MemberInvited, MemberRemoved
from contracts.user_service import InvitationAccepted, Role
from functions.user_management.errors import (
    AlreadyMember,
    InvitationMailsSpent,
    TooManyInvitations,
    UnknownInvitation,
    UserOfAnotherTenant,
)
from functions.user_management.logic import lifecycle
from functions.user_management.logic.links import MailLinks, hash_token
from functions.user_management.logic.members import (
    MANAGERS,
    Members,
    require_open_tenant,
    require_role,
)
from functions.user_management.logic.verification import HOME_TIME_ZONE
from functions.user_management.models import (
    Invitation,
    InvitationPage,
    NewInvitation,
    NewProfile,
    Profile,
    TenantState,
)

INVITATION_LIFE = timedelta(days=7)
OPEN_INVITATIONS_MAX = 50
MAILS_A_DAY_MAX = 200


class Invitations(Members, Protocol):
    """What inviting and revoking need of the store."""

    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def has_member(self, email: str) -> bool: ...
    def count_open_invitations(self, *, but_for: str) -> int: ...
    def revoke_invitations_of(self, email: str) -> list[UUID]: ...
    def revoke_invitation(self, invitation_id: UUID) -> bool: ...
    def add_invitation(self, invitation: Invitation, token_hash: bytes) -> None: ...
    def take_mail_slot(self, key_hash: bytes, gap: timedelta, a_day_max: int) -> bool: ...


class Acceptance(Protocol):
    """What an accepted invitation needs of the store."""

    def lock_tenant(self) -> TenantState | None: ...
    def accept_invitation(self, invitation_id: UUID) -> Role | None: ...
    def was_accepted(self, invitation_id: UUID) -> bool: ...
    def add_profile(self, profile: NewProfile) -> bool: ...
    def mark_verified(self, user_id: UUID) -> bool: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def publish(self, message: Message) -> None: ...
    def audit(self, action: str, kind: str, target: object, **detail: str | int) -> None: ...


def invite_member(
    store: Invitations, links: MailLinks, actor_id: UUID, wish: NewInvitation, now: datetime
) -> Invitation:
    """Ask for an invitation mail; an open invitation of the same address is replaced.

    Raises AlreadyMember, TooManyInvitations, InvitationMailsSpent, MayNotManage,
    TenantStepRefused.
    """
    require_open_tenant(store)
    actor = require_role(store, actor_id, MANAGERS)
    inviter = store.read_profile(actor.user_id)
    assert inviter is not None, "a member has a profile"
    if store.has_member(wish.email):
        raise AlreadyMember("change the member's role instead")
    if store.count_open_invitations(but_for=wish.email) >= OPEN_INVITATIONS_MAX:
        raise TooManyInvitations(f"revoke one: at most {OPEN_INVITATIONS_MAX} can be open")
    mails_of_tenant = links.hide("invitations", inviter.tenant_id)
    if not store.take_mail_slot(mails_of_tenant, timedelta(0), MAILS_A_DAY_MAX):
        raise InvitationMailsSpent(f"at most {MAILS_A_DAY_MAX} invitations go out in 24 hours")
    for invitation_id in store.revoke_invitations_of(wish.email):
        _announce_revocation(store, invitation_id)
    invitation = Invitation(
        invitation_id=uuid7(),
        email=wish.email,
        role=wish.role,
        invited_by=actor_id,
        created_at=now,
        expires_at=now + INVITATION_LIFE,
    )
    token = links.make("inv")
    store.add_invitation(invitation, hash_token(token))
    store.audit("member.invited", "invitation", invitation.invitation_id, role=wish.role)
    store.publish(
        MemberInvited(
            invitation_id=invitation.invitation_id,
            email=wish.email,
            role=wish.role,
            tenant_name=inviter.tenant_name,
            inviter_name=inviter.full_name,
            locale=inviter.locale,
            token=token,
            expires_at=invitation.expires_at,
        )
    )
    return invitation


def revoke_invitation(store: Invitations, actor_id: UUID, invitation_id: UUID) -> None:
    """Take an open invitation back. Raises UnknownInvitation, MayNotManage."""
    store.lock_tenant()
    require_role(store, actor_id, MANAGERS)
    if not store.revoke_invitation(invitation_id):
        raise UnknownInvitation("it was accepted, revoked or never there")
    _announce_revocation(store, invitation_id)


def _announce_revocation(store: Invitations, invitation_id: UUID) -> None:
    store.audit("invitation.revoked", "invitation", invitation_id)
    store.publish(InvitationRevoked(invitation_id=invitation_id))


def add_accepted_member(store: Acceptance, accepted: InvitationAccepted) -> None:
    """Make the invited user a member, once an invitation.

    Who accepted what was revoked before the news arrived here is no member, and user_service is
    told so: what the managers saw counts, the role they gave too. Raises UserOfAnotherTenant.
    """
    state = store.lock_tenant()
    if state is None or state.status in lifecycle.GONE:
        return
    role = store.accept_invitation(accepted.invitation_id)
    if role is None:
        known = store.was_accepted(accepted.invitation_id) or store.read_profile(accepted.user_id)
        if not known:
            store.audit("invitation.refused", "invitation", accepted.invitation_id)
            store.publish(MemberRemoved(user_id=accepted.user_id))
        return
    profile = NewProfile(
        user_id=accepted.user_id,
        email=accepted.email.lower(),
        full_name=accepted.full_name,
        role=role,
        locale=accepted.locale,
        time_zone=HOME_TIME_ZONE,
    )
    if not store.add_profile(profile) and store.read_profile(accepted.user_id) is None:
        raise UserOfAnotherTenant("the event names a user of another tenant")
    store.mark_verified(accepted.user_id)
    store.audit("member.joined", "user", accepted.user_id, role=role)


def make_page(invitations: list[Invitation], limit: int) -> InvitationPage:
    """Cut a page from one invitation more than it shows."""
    shown = invitations[:limit]
    more = len(invitations) > limit
    last = str(shown[-1].invitation_id) if more else None
    return InvitationPage(items=tuple(shown), next_cursor=last)
