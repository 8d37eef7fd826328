"""Queue door of payment_gateway. Midtrans is called between two short transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.billing_service import InvoiceFinalized
from contracts.envelope import Envelope
from contracts.payment_gateway import PaymentNotificationReceived
from functions.payment_gateway.errors import OrderUnknown, StatusBehind, TenantMissing
from functions.payment_gateway.gateway import MidtransGateway, open_gateway
from functions.payment_gateway.logic import collecting
from functions.payment_gateway.logic.desk import Desk, OpenDesk
from functions.payment_gateway.logic.notifications import PAID_CODE
from functions.payment_gateway.logic.transitions import is_final
from functions.payment_gateway.settings import settings
from functions.payment_gateway.store import PaymentStore
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, open_database
from kit.observability import log

CHARGES_A_MESSAGE_MAX = 2


def _database() -> Database:
    return open_database("payment_gateway", settings().event_bus_name)


def _gateway() -> MidtransGateway:
    return open_gateway(settings().midtrans_read_timeout_s)


def _desk(envelope: Envelope, database: Database) -> OpenDesk:
    tenant_id = envelope.meta.tenant_id
    if tenant_id is None:
        raise TenantMissing("payments belong to tenants")

    @contextmanager
    def open_desk() -> Iterator[Desk]:
        with database.transaction(tenant_id, cause=envelope.meta) as tx:
            yield Desk(PaymentStore(tx), tx.publish, tx.now)

    return open_desk


@own_transactions
def collect_invoice(envelope: Envelope, database: Database) -> None:
    """Open a virtual account for a finalized invoice."""
    assert isinstance(envelope.data, InvoiceFinalized)
    collecting.collect_invoice(
        _desk(envelope, database),
        _gateway(),
        envelope.data,
        settings().default_method,
        charges_max=CHARGES_A_MESSAGE_MAX,
    )


@own_transactions
def follow_notification(envelope: Envelope, database: Database) -> None:
    """Ask Midtrans for the truth behind a notification and move the payment accordingly.

    A signed code 200 while the status still says pending comes back later: the status lags.
    """
    received = envelope.data
    assert isinstance(received, PaymentNotificationReceived)
    open_desk = _desk(envelope, database)
    with database.transaction(envelope.meta.tenant_id, cause=envelope.meta) as tx:
        store = PaymentStore(tx)
        payment = store.find_order(received.order_id)
        signed_code = store.find_notification_code(received.notification_id)
    if payment is None or signed_code is None:
        raise OrderUnknown("the notification is about no order of this tenant")
    if is_final(payment):
        return
    gateway = _gateway()
    status = gateway.read_status(payment.order_id)
    if status is None:
        raise StatusBehind(f"Midtrans does not know order {payment.order_id} yet")
    moved = collecting.note_status(open_desk, gateway, payment.payment_id, status)
    log("payment followed", order_id=moved.order_id, before=payment.state, after=moved.state)
    if signed_code == PAID_CODE and moved.state == "pending":
        raise StatusBehind(f"order {payment.order_id} is still pending")


HANDLERS: Handlers = {
    InvoiceFinalized: collect_invoice,
    PaymentNotificationReceived: follow_notification,
}

handler = make_consumer(HANDLERS, lambda: _database())
