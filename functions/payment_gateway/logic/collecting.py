"""Attempts: the row first, then the charge, then its outcome; safe to break off anywhere."""

from datetime import datetime, timedelta
from uuid import UUID

from contracts.billing_service import InvoiceFinalized
from contracts.ids import derived_id
from functions.payment_gateway.errors import (
    AmountTooSmall,
    DuplicateOrder,
    InvoiceAlreadyPaid,
    InvoiceUnknown,
    OutcomeUnknown,
    PaymentMissing,
    TooManyAttempts,
)
from functions.payment_gateway.logic.desk import Gateway, OpenDesk, PaymentBook
from functions.payment_gateway.logic.transitions import apply_status
from functions.payment_gateway.models import (
    BANK_OF_METHOD,
    ChargeOrder,
    GatewayStatus,
    HowToPay,
    Method,
    Payable,
    Payment,
)

ATTEMPTS_MAX = 50
BANK_MINIMUM = 10_000
LIFETIME_MIN = timedelta(hours=1)
LIFETIME_MAX = timedelta(days=7)


def collect_invoice(
    open_desk: OpenDesk,
    gateway: Gateway,
    finalized: InvoiceFinalized,
    method: Method,
    *,
    charges_max: int,
) -> None:
    """Open a virtual account for a new invoice; nothing happens when one is waiting or it is paid.

    Raises what the gateway raises; asking again goes on where this ended.
    """
    with open_desk() as desk:
        desk.book.add_payable(
            Payable(
                invoice_id=finalized.invoice_id,
                invoice_number=finalized.number,
                amount=finalized.total,
                description=finalized.description,
                due_at=finalized.due_at,
                paid_by=None,
            )
        )
        try:
            payment = prepare_attempt(desk.book, finalized.invoice_id, method, desk.now)
        except InvoiceAlreadyPaid:
            return
    initiate_payment(open_desk, gateway, payment.payment_id, charges_max=charges_max)


def prepare_attempt(book: PaymentBook, invoice_id: UUID, method: Method, now: datetime) -> Payment:
    """The attempt that is open for an invoice; a new one when there is none.

    Raises InvoiceUnknown, InvoiceAlreadyPaid, AmountTooSmall, TooManyAttempts.
    """
    payable = book.lock_payable(invoice_id)
    if payable is None:
        raise InvoiceUnknown("check the id on GET /v1/invoices")
    if payable.paid_by is not None:
        raise InvoiceAlreadyPaid(f"invoice {payable.invoice_number} is paid")
    if payable.amount < BANK_MINIMUM:
        raise AmountTooSmall(f"the bank takes no less than Rp {BANK_MINIMUM}")
    active = book.find_active(invoice_id)
    if active is not None:
        return active
    attempt = book.count_attempts(invoice_id) + 1
    if attempt > ATTEMPTS_MAX:
        raise TooManyAttempts("ask support to look at this invoice")
    payment_id = derived_id("payment", invoice_id, attempt)
    payment = Payment(
        payment_id=payment_id,
        invoice_id=invoice_id,
        attempt=attempt,
        order_id=f"SNY-{payment_id.hex}",
        method=method,
        amount=payable.amount,
        currency="IDR",
        state="created",
        transaction_id=None,
        va_number=None,
        expires_at=None,
        settled_at=None,
        created_at=now,
    )
    book.add_payment(payment)
    return payment


def initiate_payment(
    open_desk: OpenDesk, gateway: Gateway, payment_id: UUID, *, charges_max: int
) -> Payment:
    """Make Midtrans know an attempt, and note its word. An attempt it knows is left alone."""
    with open_desk() as desk:
        payment = desk.book.find_payment(payment_id)
        if payment is None:
            raise PaymentMissing("check the id")
        payable = desk.book.lock_payable(payment.invoice_id)
        assert payable is not None, "a foreign key holds the payable"
        now = desk.now
    if payment.state != "created":
        return payment
    status = obtain_charge(gateway, draw_order(payment, payable, now), charges_max)
    return note_status(open_desk, gateway, payment_id, status)


def draw_order(payment: Payment, payable: Payable, now: datetime) -> ChargeOrder:
    """What to ask Midtrans for; the account lives until the invoice is due, within bounds."""
    lifetime = min(max(payable.due_at - now, LIFETIME_MIN), LIFETIME_MAX)
    return ChargeOrder(
        order_id=payment.order_id,
        amount=payment.amount,
        bank=BANK_OF_METHOD[payment.method],
        description=payable.description,
        lifetime_minutes=int(lifetime.total_seconds() // 60),
    )


def obtain_charge(gateway: Gateway, order: ChargeOrder, charges_max: int) -> GatewayStatus:
    """Charge, or adopt the charge that an earlier, unanswered call made.

    After an unclear answer the status decides; only an order that Midtrans does not know is charged
    again, under the same order id and key. Raises OutcomeUnknown when it stays unclear.
    """
    for _ in range(charges_max):
        try:
            return gateway.charge(order)
        except (OutcomeUnknown, DuplicateOrder):
            status = gateway.read_status(order.order_id)
            if status is not None:
                return status
    raise OutcomeUnknown(f"order {order.order_id} is neither charged nor refused")


def note_status(
    open_desk: OpenDesk, gateway: Gateway, payment_id: UUID, status: GatewayStatus
) -> Payment:
    """Write Midtrans' word on a payment down, under the row's lock."""
    with open_desk() as desk:
        payment = desk.book.lock_payment(payment_id)
        if payment is None:
            raise PaymentMissing("check the id")
        return apply_status(desk, payment, status, gateway.merchant_id)


def refresh_stale_attempt(open_desk: OpenDesk, gateway: Gateway, invoice_id: UUID) -> None:
    """Ask Midtrans about an open attempt whose virtual account should have expired."""
    with open_desk() as desk:
        payment = desk.book.find_active(invoice_id)
        now = desk.now
    if payment is None or payment.expires_at is None or payment.expires_at > now:
        return
    status = gateway.read_status(payment.order_id)
    if status is not None:
        note_status(open_desk, gateway, payment.payment_id, status)


def show_how_to_pay(payment: Payment) -> HowToPay:
    """What the tenant sees of a payment."""
    return HowToPay(
        payment_id=payment.payment_id,
        invoice_id=payment.invoice_id,
        order_id=payment.order_id,
        method=payment.method,
        bank=BANK_OF_METHOD[payment.method],
        va_number=payment.va_number,
        amount=payment.amount,
        currency=payment.currency,
        state=payment.state,
        expires_at=payment.expires_at,
        settled_at=payment.settled_at,
    )
