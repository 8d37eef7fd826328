"""Queue door of user_management: registrations, accepted invitations, changed addresses, erasure.

What concerns a tenant that is closed or erased changes nothing, so that a late or repeated message
never brings a person back.
"""

from uuid import UUID

from contracts.database_service import TenantErased
from contracts.envelope import Envelope
from contracts.user_management import EraseClosedTenants, ResendVerification
from contracts.user_service import EmailChanged, InvitationAccepted, UserRegistered
from functions.user_management.errors import TenantMissing
from functions.user_management.logic import invitations, profiles, tenants, verification
from functions.user_management.logic.links import MailLinks
from functions.user_management.settings import settings
from functions.user_management.store import (
    ManagementStore,
    find_due_erasures,
    find_unverified,
)
from kit.consumer import Handlers, make_consumer, own_transactions, take_message
from kit.db import Database, Transaction, open_database
from kit.observability import log
from kit.settings import read_secret


def _database() -> Database:
    return open_database("user_management", settings().event_bus_name)


def _links() -> MailLinks:
    return MailLinks(str(read_secret("mail-links")["key"]))


def _require_tenant(tx: Transaction) -> UUID:
    if tx.tenant_id is None:
        raise TenantMissing("the message belongs to a tenant")
    return tx.tenant_id


def on_user_registered(envelope: Envelope, tx: Transaction) -> None:
    """Make the tenant and ask for the mail."""
    assert isinstance(envelope.data, UserRegistered)
    _require_tenant(tx)
    verification.welcome_tenant(ManagementStore(tx), _links(), envelope.data, tx.now)


def on_invitation_accepted(envelope: Envelope, tx: Transaction) -> None:
    """Add the member."""
    assert isinstance(envelope.data, InvitationAccepted)
    _require_tenant(tx)
    invitations.add_accepted_member(ManagementStore(tx), envelope.data)


def on_email_changed(envelope: Envelope, tx: Transaction) -> None:
    """Keep the proven new address."""
    changed = envelope.data
    assert isinstance(changed, EmailChanged)
    _require_tenant(tx)
    profiles.follow_address(
        ManagementStore(tx), changed.user_id, changed.email, envelope.meta.occurred_at
    )


@own_transactions
def on_resend_wished(envelope: Envelope, database: Database) -> None:
    """Ask for another mail wherever the address waits for its proof, once a message."""
    wish = envelope.data
    assert isinstance(wish, ResendVerification)
    with database.transaction(None, cause=envelope.meta) as tx:
        waiting = find_unverified(tx, wish.email.lower())
    for tenant_id, user_id in waiting:
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            if take_message(tx, envelope, f"resend:{user_id}"):
                verification.ask_for_mail(ManagementStore(tx), _links(), user_id, tx.now)


@own_transactions
def on_erasures_due(envelope: Envelope, database: Database) -> None:
    """Ask for the erasure of tenants whose waiting time is over, one transaction each.

    Idempotent by the time of the last asking, which is kept with the tenant.
    """
    command = envelope.data
    assert isinstance(command, EraseClosedTenants)
    with database.transaction(None, cause=envelope.meta) as tx:
        asked_before = tx.now - tenants.ERASURE_ASKED_AGAIN_AFTER
        due = find_due_erasures(tx, asked_before, command.limit)
    for tenant_id in due:
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            tenants.ask_for_erasure(ManagementStore(tx), tenant_id, tx.now)
    log("erasures asked for", tenants=len(due))


def on_tenant_erased(envelope: Envelope, tx: Transaction) -> None:
    """Forget what is left of the tenant's people here."""
    assert isinstance(envelope.data, TenantErased)
    tenant_id = _require_tenant(tx)
    tenants.finish_erasure(ManagementStore(tx), tenant_id, envelope.data.erasure_id)


HANDLERS: Handlers = {
    UserRegistered: on_user_registered,
    InvitationAccepted: on_invitation_accepted,
    EmailChanged: on_email_changed,
    ResendVerification: on_resend_wished,
    EraseClosedTenants: on_erasures_due,
    TenantErased: on_tenant_erased,
}

handler = make_consumer(HANDLERS, lambda: _database())
