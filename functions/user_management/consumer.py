"""Queue door of user_management: a registration becomes a tenant, a profile and a mail."""

from contracts.envelope import Envelope
from contracts.user_service import UserRegistered
from functions.user_management.logic import welcome_tenant
from functions.user_management.settings import settings
from functions.user_management.store import ProfileStore
from kit.consumer import Handlers, make_consumer
from kit.db import Database, Transaction, open_database
from kit.errors import PoisonMessage


def _database() -> Database:
    return open_database("user_management", settings().event_bus_name)


def on_user_registered(envelope: Envelope, tx: Transaction) -> None:
    """Make the tenant and ask for the mail."""
    assert isinstance(envelope.data, UserRegistered)
    if tx.tenant_id is None:
        raise PoisonMessage("a registration belongs to a tenant")
    welcome_tenant(ProfileStore(tx), envelope.data, tx.now)


HANDLERS: Handlers = {UserRegistered: on_user_registered}

handler = make_consumer(HANDLERS, lambda: _database())
