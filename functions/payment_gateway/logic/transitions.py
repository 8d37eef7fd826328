"""How a payment moves: along legal transitions only, by Midtrans' own status only."""

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.payment_gateway import PaymentFailed, PaymentInitiated, PaymentSettled
from functions.payment_gateway.errors import PaymentMismatch, PaymentUnderReview
from functions.payment_gateway.logic.desk import Desk
from functions.payment_gateway.models import (
    BANK_OF_METHOD,
    GatewayStatus,
    Payment,
    PaymentState,
)

_FROM_PENDING: frozenset[PaymentState] = frozenset(
    {"settlement", "capture", "authorize", "deny", "cancel", "expire", "failure"}
)
LEGAL_NEXT: dict[PaymentState, frozenset[PaymentState]] = {
    "created": _FROM_PENDING | {"pending"},
    "pending": _FROM_PENDING,
    "authorize": frozenset({"capture", "deny", "cancel", "expire"}),
    "capture": frozenset({"settlement", "cancel"}),
    "settlement": frozenset(
        {"refund", "partial_refund", "chargeback", "partial_chargeback", "deny"}
    ),
    "partial_refund": frozenset({"refund"}),
    "partial_chargeback": frozenset({"chargeback"}),
}
"""States that are missing here are final."""
LIFETIME_UNTOLD = timedelta(hours=24)
"""How long a virtual account lives when Midtrans does not say."""
_PAID: frozenset[str] = frozenset({"settlement", "capture"})
_FAILED: frozenset[str] = frozenset({"deny", "cancel", "expire", "failure"})


def is_final(payment: Payment) -> bool:
    """Whether no status can move the payment any more."""
    return payment.state not in LEGAL_NEXT


def apply_status(desk: Desk, payment: Payment, status: GatewayStatus, merchant_id: str) -> Payment:
    """Move a locked payment to what Midtrans' status says, and announce it once.

    A state that cannot follow (a late or repeated word) changes nothing. Raises PaymentMismatch and
    PaymentUnderReview, which leave the payment as it is for a person to look at.
    """
    _check_match(payment, status, merchant_id)
    if status.transaction_status not in LEGAL_NEXT.get(payment.state, frozenset()):
        return payment
    state: PaymentState = status.transaction_status
    if state in _PAID and status.fraud_status not in (None, "accept"):
        raise PaymentUnderReview(f"order {payment.order_id}: fraud {status.fraud_status}")
    settles = state in _PAID and payment.settled_at is None
    moved = replace(
        payment,
        state=state,
        transaction_id=status.transaction_id,
        va_number=status.va_number or payment.va_number,
        expires_at=status.expires_at or payment.expires_at or desk.now + LIFETIME_UNTOLD,
        settled_at=(status.settled_at or desk.now) if settles else payment.settled_at,
    )
    desk.book.save_payment(moved)
    if settles:
        _announce_settled(desk, moved)
    elif state in _FAILED and moved.settled_at is None:
        _announce_failed(desk, moved)
    elif state == "pending":
        _announce_initiated(desk, moved)
    return moved


def _check_match(payment: Payment, status: GatewayStatus, merchant_id: str) -> None:
    ours = (payment.order_id, payment.amount, payment.currency, merchant_id)
    theirs = (status.order_id, status.amount, status.currency, status.merchant_id)
    if ours != theirs:
        raise PaymentMismatch(f"order {payment.order_id} has another amount, currency or merchant")


def _announce_initiated(desk: Desk, payment: Payment) -> None:
    payable = desk.book.lock_payable(payment.invoice_id)
    if payable is None or payment.va_number is None or payment.expires_at is None:
        raise PaymentMismatch(f"order {payment.order_id} has no virtual account")
    desk.publish(
        PaymentInitiated(
            payment_id=payment.payment_id,
            invoice_id=payment.invoice_id,
            invoice_number=payable.invoice_number,
            order_id=payment.order_id,
            bank=BANK_OF_METHOD[payment.method],
            va_number=payment.va_number,
            amount=payment.amount,
            expires_at=payment.expires_at,
        )
    )


def _announce_settled(desk: Desk, payment: Payment) -> None:
    desk.book.mark_paid(payment.invoice_id, payment.payment_id)
    settled_at: datetime = payment.settled_at or desk.now
    desk.publish(
        PaymentSettled(
            payment_id=payment.payment_id,
            invoice_id=payment.invoice_id,
            order_id=payment.order_id,
            amount=payment.amount,
            settled_at=settled_at,
        )
    )


def _announce_failed(desk: Desk, payment: Payment) -> None:
    assert payment.state in ("deny", "cancel", "expire", "failure")
    desk.publish(
        PaymentFailed(
            payment_id=payment.payment_id,
            invoice_id=payment.invoice_id,
            order_id=payment.order_id,
            reason=payment.state,
        )
    )
