"""Queue door of trading_engine."""

from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import OrderDenied, OrderFilled, OrderRejected, PositionClosed
from functions.trading_engine import logic
from functions.trading_engine.settings import settings
from functions.trading_engine.store import AccountStore, OrderStore
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


HANDLERS: Handlers = {
    OrderFilled: on_report,
    OrderRejected: on_report,
    OrderDenied: on_report,
    PositionClosed: on_report,
    EntitlementsChanged: on_entitlements_changed,
}

handler = make_consumer(HANDLERS, lambda: _database())
