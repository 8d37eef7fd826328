"""Queue door of trading_engine."""

from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import (
    AccountConfirmed,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
)
from contracts.user_management import TenantClosed
from functions.trading_engine import logic
from functions.trading_engine.errors import TenantMissing
from functions.trading_engine.settings import settings
from functions.trading_engine.store import AccountStore, OrderStore
from kit import audit
from kit.consumer import Handlers, make_consumer
from kit.db import Database, Transaction, open_database


def _database() -> Database:
    return open_database("trading_engine", settings().event_bus_name)


def on_report(envelope: Envelope, tx: Transaction) -> None:
    """Keep an order's or position's fate."""
    report = envelope.data
    assert isinstance(report, OrderFilled | OrderRejected | OrderDenied | PositionClosed)
    logic.record_report(AccountStore(tx), OrderStore(tx), report)


def on_entitlements_changed(envelope: Envelope, tx: Transaction) -> None:
    """Keep what the tenant's plan allows."""
    assert isinstance(envelope.data, EntitlementsChanged)
    AccountStore(tx).keep_entitlements(envelope.data)


def on_account_confirmed(envelope: Envelope, tx: Transaction) -> None:
    """Keep that the edge knows of an account's linking or unlinking."""
    confirmed = envelope.data
    assert isinstance(confirmed, AccountConfirmed)
    AccountStore(tx).confirm(confirmed.account_id, confirmed.version)


def on_tenant_closed(envelope: Envelope, tx: Transaction) -> None:
    """Unlink every account of a tenant that closed; the edge stops trading them."""
    assert isinstance(envelope.data, TenantClosed)
    if tx.tenant_id is None:
        raise TenantMissing("a closure belongs to a tenant")
    for event in logic.close_tenant(AccountStore(tx)):
        tx.publish(event)
        audit.record(tx, "account.unlinked", "account", event.account_id, reason="tenant_closed")


HANDLERS: Handlers = {
    AccountConfirmed: on_account_confirmed,
    OrderFilled: on_report,
    OrderRejected: on_report,
    OrderDenied: on_report,
    PositionClosed: on_report,
    EntitlementsChanged: on_entitlements_changed,
    TenantClosed: on_tenant_closed,
}

handler = make_consumer(HANDLERS, lambda: _database())
