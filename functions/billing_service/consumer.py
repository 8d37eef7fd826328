"""Queue and schedule door of billing_service."""

from contracts.billing_service import RunBilling
from contracts.envelope import Envelope
from contracts.payment_gateway import PaymentSettled
from contracts.subscription_service import BillingPeriodClosed
from functions.billing_service import logic
from functions.billing_service.errors import TenantMissing
from functions.billing_service.settings import settings
from functions.billing_service.store import InvoiceStore, JobStore
from kit.consumer import Handlers, make_consumer
from kit.db import Database, Transaction, open_database


def _database() -> Database:
    return open_database("billing_service", settings().event_bus_name)


def _book(tx: Transaction) -> InvoiceStore:
    if tx.tenant_id is None:
        raise TenantMissing("invoices belong to tenants")
    return InvoiceStore(tx)


def run_billing(envelope: Envelope, tx: Transaction) -> None:
    """Start a billing run."""
    command = envelope.data
    assert isinstance(command, RunBilling)
    logic.start_run(JobStore(tx), tx.publish, envelope.meta.event_id, command.as_of, tx.now)


def issue_invoice(envelope: Envelope, tx: Transaction) -> None:
    """Invoice a closed period."""
    assert isinstance(envelope.data, BillingPeriodClosed)
    logic.issue_invoice(_book(tx), tx.publish, envelope.data, tx.now)


def settle_invoice(envelope: Envelope, tx: Transaction) -> None:
    """Book a payment."""
    assert isinstance(envelope.data, PaymentSettled)
    logic.settle_invoice(_book(tx), tx.publish, envelope.data)


HANDLERS: Handlers = {
    RunBilling: run_billing,
    BillingPeriodClosed: issue_invoice,
    PaymentSettled: settle_invoice,
}

handler = make_consumer(HANDLERS, lambda: _database())
