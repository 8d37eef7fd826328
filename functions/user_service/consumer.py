"""Queue door of user_service: a proven address opens the account, entitlements set the tier."""

from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.user_management import EmailVerified
from functions.user_service.errors import UnknownUser
from functions.user_service.settings import settings
from functions.user_service.store import UserStore
from kit.consumer import Handlers, make_consumer
from kit.db import Database, Transaction, open_database
from kit.errors import PoisonMessage


def _database() -> Database:
    return open_database("user_service", settings().event_bus_name)


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


HANDLERS: Handlers = {
    EmailVerified: on_email_verified,
    EntitlementsChanged: on_entitlements_changed,
}

handler = make_consumer(HANDLERS, lambda: _database())
