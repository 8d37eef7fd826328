"""Queue door of trading_engine."""

from uuid import UUID

import psycopg

from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import (
    AccountConfirmed,
    AccountHealthChanged,
    KillSwitchChanged,
    LoosenLimits,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionReduced,
    ReconciliationDiffered,
    ReconciliationResolved,
    StopsMoved,
)
from contracts.user_management import TenantClosed
from functions.trading_engine.errors import LooseningUnfinished, TenantMissing, TenantNamed
from functions.trading_engine.logic import accounts, limits, reports, switch
from functions.trading_engine.settings import settings
from functions.trading_engine.store import (
    AccountStore,
    ConditionStore,
    HostSwitchStore,
    LimitStore,
    OrderStore,
    SwitchStore,
    list_loosening_tenants,
)
from kit import audit
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, Transaction, open_database
from kit.errors import SinyalError
from kit.observability import warn


def _database() -> Database:
    return open_database("trading_engine", settings().event_bus_name)


def on_order_report(envelope: Envelope, tx: Transaction) -> None:
    """Keep an order's or position's fate."""
    report = envelope.data
    assert isinstance(report, reports.OrderReport)
    reports.record_order_report(AccountStore(tx), OrderStore(tx), report)


def on_account_report(envelope: Envelope, tx: Transaction) -> None:
    """Keep how an account is."""
    report = envelope.data
    assert isinstance(report, reports.AccountReport)
    reports.record_account_report(AccountStore(tx), ConditionStore(tx), report)


def on_kill_switch_changed(envelope: Envelope, tx: Transaction) -> None:
    """Keep what the edge says of a switch: a tenant's, an account's, or the whole host's."""
    told = envelope.data
    assert isinstance(told, KillSwitchChanged)
    if told.scope == "host":
        if tx.tenant_id is not None:
            raise TenantNamed("the host's switch belongs to no tenant")
        switch.confirm_switch(HostSwitchStore(tx), told)
        return
    if tx.tenant_id is None:
        raise TenantMissing("this switch belongs to a tenant")
    if told.scope == "account":
        reports.record_latch(AccountStore(tx), ConditionStore(tx), told.account_id, told)
        return
    switch.confirm_switch(SwitchStore(tx), told)


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
    for event in accounts.close_tenant(AccountStore(tx)):
        tx.publish(event)
        audit.record(tx, "account.unlinked", "account", event.account_id, reason="tenant_closed")


@own_transactions
def on_loosen_limits(envelope: Envelope, database: Database) -> None:
    """Put looser limits in force whose day is over, one tenant a transaction.

    What was loosened waits no more, so a redelivery finds nothing; a tenant that fails does not
    hold up the others.
    """
    command = envelope.data
    assert isinstance(command, LoosenLimits)
    with database.transaction(None, cause=envelope.meta) as tx:
        tenants = list_loosening_tenants(tx, command.tenants_max)
    failed = [tenant_id for tenant_id in tenants if not _loosen(envelope, database, tenant_id)]
    if failed:
        raise LooseningUnfinished(f"{len(failed)} tenants' limits are not loosened")


def _loosen(envelope: Envelope, database: Database, tenant_id: UUID) -> bool:
    try:
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            for changed in limits.loosen_due(LimitStore(tx), tx.now):
                tx.publish(changed)
                target = changed.account_id or tenant_id
                audit.record(tx, "limits.loosened", "limits", target, version=changed.version)
            for linked in accounts.loosen_accounts(AccountStore(tx), tx.now):
                tx.publish(linked)
                audit.record(tx, "account.loosened", "account", linked.account_id)
    except (psycopg.Error, SinyalError) as error:
        warn("limits not loosened", tenant_id=str(tenant_id), error=type(error).__name__)
        return False
    return True


HANDLERS: Handlers = {
    AccountConfirmed: on_account_confirmed,
    AccountHealthChanged: on_account_report,
    EntitlementsChanged: on_entitlements_changed,
    KillSwitchChanged: on_kill_switch_changed,
    LoosenLimits: on_loosen_limits,
    OrderDenied: on_order_report,
    OrderFilled: on_order_report,
    OrderRejected: on_order_report,
    PositionClosed: on_order_report,
    PositionReduced: on_order_report,
    ReconciliationDiffered: on_account_report,
    ReconciliationResolved: on_account_report,
    StopsMoved: on_order_report,
    TenantClosed: on_tenant_closed,
}

handler = make_consumer(HANDLERS, lambda: _database())
