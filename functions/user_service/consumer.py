"""Queue door of user_service: proven addresses, plans, members, and tenants that come and go.

What ends access is marked in Redis right after its transaction, as at the HTTP door.
"""

from functools import wraps

from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.user_management import (
    EmailVerified,
    InvitationRevoked,
    MemberInvited,
    MemberRemoved,
    MemberRoleChanged,
    ProfileChanged,
    TenantClosed,
    TenantReinstated,
    TenantSuspended,
)
from contracts.user_service import RotateSigningKeys
from functions.user_service.errors import UnknownUser
from functions.user_service.gateway import SigningKeyVault
from functions.user_service.logic.key_rotation import rotate_signing_keys
from functions.user_service.logic.members import (
    change_role,
    change_tenant_status,
    remove_member,
)
from functions.user_service.logic.registration import normalise_email
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.settings import settings
from functions.user_service.store import UserStore, mark_revoked
from kit.consumer import (
    DatabaseHandler,
    Handlers,
    TransactionHandler,
    make_consumer,
    own_transactions,
    take_message,
)
from kit.db import Database, Transaction, open_database
from kit.errors import PoisonMessage


def _database() -> Database:
    return open_database("user_service", settings().event_bus_name)


def ends_access(handler: TransactionHandler) -> DatabaseHandler:
    """Run a handler once a message, and mark what it revoked when that is committed."""

    @own_transactions
    @wraps(handler)
    def run(envelope: Envelope, database: Database) -> None:
        if envelope.meta.tenant_id is None:
            raise PoisonMessage("members belong to a tenant")
        with database.transaction(envelope.meta.tenant_id, cause=envelope.meta) as tx:
            if take_message(tx, envelope, handler.__name__):
                handler(envelope, tx)
        mark_revoked(tx.rows)

    return run


def on_email_verified(envelope: Envelope, tx: Transaction) -> None:
    """Let a user sign in whose address is proven."""
    assert isinstance(envelope.data, EmailVerified)
    if not UserStore(tx).activate_user(envelope.data.user_id):
        raise UnknownUser("the event names a user that its tenant does not have")


def on_entitlements_changed(envelope: Envelope, tx: Transaction) -> None:
    """Carry the tenant's newest tier in tokens from the next refresh on."""
    assert isinstance(envelope.data, EntitlementsChanged)
    if tx.tenant_id is None:
        raise PoisonMessage("entitlements belong to a tenant")
    UserStore(tx).keep_tier(tx.tenant_id, envelope.data.tier, envelope.data.version)


def on_member_invited(envelope: Envelope, tx: Transaction) -> None:
    """Keep what an invitation's token opens."""
    assert isinstance(envelope.data, MemberInvited)
    if tx.tenant_id is None:
        raise PoisonMessage("an invitation is a tenant's")
    invited = envelope.data
    UserStore(tx).keep_invitation(
        invited.invitation_id,
        normalise_email(invited.email),
        invited.role,
        hash_secret(invited.token),
        invited.expires_at,
    )


def on_invitation_revoked(envelope: Envelope, tx: Transaction) -> None:
    """Let an invitation open nothing."""
    assert isinstance(envelope.data, InvitationRevoked)
    if tx.tenant_id is None:
        raise PoisonMessage("an invitation is a tenant's")
    UserStore(tx).revoke_invitation(envelope.data.invitation_id)


@ends_access
def on_member_role_changed(envelope: Envelope, tx: Transaction) -> None:
    """Give a member the newest role; tokens of the one before end."""
    assert isinstance(envelope.data, MemberRoleChanged)
    change_role(UserStore(tx), envelope.data.user_id, envelope.data.role, envelope.data.version)


@ends_access
def on_member_removed(envelope: Envelope, tx: Transaction) -> None:
    """Take a member out."""
    assert isinstance(envelope.data, MemberRemoved)
    remove_member(UserStore(tx), envelope.data.user_id)


def on_profile_changed(envelope: Envelope, tx: Transaction) -> None:
    """Write to the user in their language from now on."""
    assert isinstance(envelope.data, ProfileChanged)
    if not UserStore(tx).set_locale(envelope.data.user_id, envelope.data.locale):
        raise UnknownUser("the event names a user that its tenant does not have")


@ends_access
def on_tenant_suspended(envelope: Envelope, tx: Transaction) -> None:
    """Let nobody of the tenant in until it is reinstated."""
    assert isinstance(envelope.data, TenantSuspended)
    change_tenant_status(UserStore(tx), "suspended", envelope.data.version)


@ends_access
def on_tenant_reinstated(envelope: Envelope, tx: Transaction) -> None:
    """Let the tenant in again."""
    assert isinstance(envelope.data, TenantReinstated)
    change_tenant_status(UserStore(tx), "active", envelope.data.version)


@ends_access
def on_tenant_closed(envelope: Envelope, tx: Transaction) -> None:
    """Let nobody of the tenant in any more."""
    assert isinstance(envelope.data, TenantClosed)
    change_tenant_status(UserStore(tx), "closed", envelope.data.version)


def on_rotate_signing_keys(envelope: Envelope, tx: Transaction) -> None:
    """Make a new signing key when it is time; one rotation at a time."""
    assert isinstance(envelope.data, RotateSigningKeys)
    store = UserStore(tx)
    store.lock_signing_keys()
    vault = SigningKeyVault(settings().stage)
    for key_id in rotate_signing_keys(vault, envelope.data, envelope.meta.event_id, tx.now):
        store.record("signing_key.rotated", "signing_key", key_id)


HANDLERS: Handlers = {
    EmailVerified: on_email_verified,
    EntitlementsChanged: on_entitlements_changed,
    InvitationRevoked: on_invitation_revoked,
    MemberInvited: on_member_invited,
    MemberRemoved: on_member_removed,
    MemberRoleChanged: on_member_role_changed,
    ProfileChanged: on_profile_changed,
    RotateSigningKeys: on_rotate_signing_keys,
    TenantClosed: on_tenant_closed,
    TenantReinstated: on_tenant_reinstated,
    TenantSuspended: on_tenant_suspended,
}

handler = make_consumer(HANDLERS, lambda: _database())
