"""Queue door of subscription_service."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from contracts.billing_service import BillingRunStarted, InvoicePaid
from contracts.data_bridge import StreamUsageRecorded
from contracts.envelope import Envelope
from contracts.ids import NIL, uuid7
from contracts.trading_engine import PredictionDelivered
from contracts.user_management import (
    EmailVerified,
    TenantClosed,
    TenantReinstated,
    TenantSuspended,
)
from functions.subscription_service.errors import BillingRunUnfinished, TenantMissing
from functions.subscription_service.logic import closing, lifecycle, metering
from functions.subscription_service.models import Usage
from functions.subscription_service.settings import settings
from functions.subscription_service.store import SubscriptionStore, list_due_periods
from kit import audit
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, Transaction, open_database
from kit.errors import SinyalError
from kit.observability import log, warn

DUE_PAGE = 200
_BEGINNING = (datetime(1, 1, 1, tzinfo=UTC), NIL)


def _database() -> Database:
    return open_database("subscription_service", settings().event_bus_name)


def _book(tx: Transaction) -> SubscriptionStore:
    if tx.tenant_id is None:
        raise TenantMissing("subscriptions belong to tenants")
    return SubscriptionStore(tx)


def start_default_plan(envelope: Envelope, tx: Transaction) -> None:
    """A verified tenant starts on the default plan; its periods are anchored now."""
    assert isinstance(envelope.data, EmailVerified)
    zone = settings().default_time_zone
    lifecycle.start_default_plan(_book(tx), tx.publish, zone, tx.now, uuid7())


def meter_prediction(envelope: Envelope, tx: Transaction) -> None:
    """A delivered prediction counts once, by its signal, on the day it was delivered."""
    delivered = envelope.data
    assert isinstance(delivered, PredictionDelivered)
    content = f"prediction|{delivered.signal_id}|{delivered.symbol}"
    usage = Usage(
        key=delivered.signal_id,
        meter="prediction",
        payload_hash=hashlib.sha256(content.encode()).hexdigest(),
        occurred_at=envelope.meta.occurred_at,
    )
    metering.record_usage(_book(tx), tx.publish, usage, tx.now)


def meter_stream(envelope: Envelope, tx: Transaction) -> None:
    """What a tenant took from the stream counts once a window of an edge."""
    used = envelope.data
    assert isinstance(used, StreamUsageRecorded)
    _book(tx).add_stream_usage(used, tx.now)


def renew_subscription(envelope: Envelope, tx: Transaction) -> None:
    """A paid invoice carries the subscription on."""
    paid = envelope.data
    assert isinstance(paid, InvoicePaid)
    lifecycle.renew_subscription(
        _book(tx), tx.publish, paid.subscription_id, paid.period_end, paid.paid_at
    )


def turn_suspension(envelope: Envelope, tx: Transaction) -> None:
    """A suspended tenant is granted nothing to trade until it is reinstated."""
    turned = envelope.data
    assert isinstance(turned, TenantSuspended | TenantReinstated)
    suspended = isinstance(turned, TenantSuspended)
    lifecycle.turn_suspension(_book(tx), tx.publish, turned.version, tx.now, suspended=suspended)


def close_tenant(envelope: Envelope, tx: Transaction) -> None:
    """A closed tenant's subscription runs to its period's end and is not renewed."""
    assert isinstance(envelope.data, TenantClosed)
    canceled = lifecycle.close_tenant(_book(tx), tx.publish, tx.now)
    if canceled is not None:
        audit.record(
            tx,
            "subscription.canceled",
            "subscription",
            canceled.subscription_id,
            plan=canceled.plan_code,
            reason="tenant_closed",
        )


@own_transactions
def close_due_periods(envelope: Envelope, database: Database) -> None:
    """Close what is over, oldest first, one tenant's period a transaction.

    A period closes once however often a run is delivered. One that fails does not hold up the
    others; the message then comes back for it, and for what exceeds a message's bound.
    """
    run = envelope.data
    assert isinstance(run, BillingRunStarted)
    after, failed, closed, closed_in_pass = _BEGINNING, set[UUID](), 0, 0
    while closed + len(failed) < settings().closings_a_message_max:
        with database.transaction(None, cause=envelope.meta) as tx:
            due = list_due_periods(tx, run.as_of, after, DUE_PAGE)
        if not due and closed_in_pass == 0:
            break
        if not due:  # closing opened next periods, and some of them may be over too
            after, closed_in_pass = _BEGINNING, 0
            continue
        for row in (row for row in due if row["period_id"] not in failed):
            if _close_one(envelope, run, database, row["tenant_id"], row["period_id"]):
                closed_in_pass += 1
                closed += 1
            else:
                failed.add(row["period_id"])
        after = (due[-1]["ends_at"], due[-1]["period_id"])
    else:
        raise BillingRunUnfinished(f"closed {closed} periods, more may be due")
    log("billing run handled", run_id=str(run.run_id), closed=closed, failed=len(failed))
    if failed:
        raise BillingRunUnfinished(f"{len(failed)} periods could not be closed")


def _close_one(
    envelope: Envelope, run: BillingRunStarted, database: Database, tenant_id: UUID, period_id: UUID
) -> bool:
    try:
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            closing.close_period(
                _book(tx),
                tx.publish,
                period_id=period_id,
                run_id=run.run_id,
                as_of=run.as_of,
                now=tx.now,
            )
    except (psycopg.Error, SinyalError) as error:
        kind = type(error).__name__
        warn("period not closed", tenant_id=str(tenant_id), period_id=str(period_id), error=kind)
        return False
    return True


HANDLERS: Handlers = {
    EmailVerified: start_default_plan,
    PredictionDelivered: meter_prediction,
    StreamUsageRecorded: meter_stream,
    BillingRunStarted: close_due_periods,
    InvoicePaid: renew_subscription,
    TenantClosed: close_tenant,
    TenantReinstated: turn_suspension,
    TenantSuspended: turn_suspension,
}

handler = make_consumer(HANDLERS, lambda: _database())
