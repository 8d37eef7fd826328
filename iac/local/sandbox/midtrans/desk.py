"""What happens to a transaction in the Midtrans sandbox: charge, pay, cancel, expire, refund."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from iac.local.sandbox.midtrans.checks import ChargeRequest
from iac.local.sandbox.midtrans.ledger import (
    Ledger,
    Refund,
    Transaction,
    open_transaction,
)
from iac.local.sandbox.midtrans.notifier import Notifier
from iac.local.sandbox.midtrans.wire import build_instructions, notification

REFUNDABLE = frozenset({"qris", "gopay", "shopeepay"})
FULL_REFUND_ONLY = frozenset({"shopeepay"})
QRIS_ACQUIRER = "gopay"


class RefundRefused(Exception):
    """The refund is not allowed; `code` is Midtrans' status code for it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Desk:
    """The sandbox's books, its clock, and the announcements that follow every change."""

    def __init__(self, server_key: str, merchant_id: str) -> None:
        self.server_key = server_key
        self.merchant_id = merchant_id
        self.clock_offset = timedelta()
        self.notify_pending = True
        self.notifier = Notifier()
        self.ledger = Ledger(self.now)

    def now(self) -> datetime:
        """Read the sandbox's clock, which a test may move."""
        return datetime.now(UTC) + self.clock_offset

    def charge(self, charge: ChargeRequest, base_url: str) -> Transaction:
        """Open a pending transaction and announce it."""
        acquirer = charge.options.get("acquirer") or QRIS_ACQUIRER
        transaction = open_transaction(
            order_id=charge.order_id,
            gross_amount=charge.gross_amount,
            payment_type=charge.payment_type,
            now=self.now(),
            lifetime=charge.lifetime,
            instructions=build_instructions(charge, base_url),
            acquirer=str(acquirer) if charge.payment_type == "qris" else "",
        )
        self.ledger.add(transaction)
        if self.notify_pending and self.notifier.target.url:
            self.notifier.start_sending(self.draw_notification(transaction))
        return transaction

    def find(self, order_or_transaction_id: str) -> Transaction | None:
        """Find a transaction, expired first when its payment window has passed."""
        transaction = self.ledger.find(order_or_transaction_id)
        if transaction and self.ledger.is_due(transaction):
            self.change(transaction, "expire")
        return transaction

    def change(self, transaction: Transaction, status: str) -> None:
        """Move and announce without waiting.

        Raises IllegalTransition.
        """
        transaction.move(status, self.now())
        if self.notifier.target.url:
            self.notifier.start_sending(self.draw_notification(transaction))

    def draw_notification(self, transaction: Transaction) -> dict[str, Any]:
        """Build the signed notification of the present state."""
        return notification(transaction, self.merchant_id, self.server_key)

    def draw_earlier_notification(self, transaction: Transaction) -> dict[str, Any]:
        """Build the pending notification that an out-of-order delivery brings too late."""
        earlier = replace(transaction, status="pending", settled_at=None, refunds=[])
        return self.draw_notification(earlier)

    def refund(self, transaction: Transaction, body: dict[str, Any]) -> Refund:
        """Give money back.

        Raises RefundRefused: 412 for the wrong method or state, 414 for the amount, 406 for a
        refund key used before.
        """
        left = transaction.gross_amount - transaction.refunded
        amount = body.get("amount", left)
        if transaction.payment_type not in REFUNDABLE:
            raise RefundRefused(412, f"{transaction.payment_type} cannot be refunded")
        if transaction.status not in ("settlement", "partial_refund"):
            raise RefundRefused(412, f"{transaction.status} cannot be refunded")
        if not isinstance(amount, int) or isinstance(amount, bool) or not 1 <= amount <= left:
            raise RefundRefused(414, f"the amount must be 1 to {left} rupiah")
        if transaction.payment_type in FULL_REFUND_ONLY and amount != transaction.gross_amount:
            raise RefundRefused(414, f"{transaction.payment_type} is refunded in full only")
        key = str(body.get("refund_key") or uuid.uuid4())
        if any(refund.key == key for refund in transaction.refunds):
            raise RefundRefused(406, "the refund key was used before")
        refund = Refund(amount, key, str(body.get("reason", "")))
        transaction.move("refund" if amount == left else "partial_refund", self.now())
        transaction.refunds.append(refund)
        return refund

    def announce_twice(self, transaction: Transaction) -> None:
        """Announce a refund: Midtrans sends two equal notifications."""
        for _ in range(2):
            if self.notifier.target.url:
                self.notifier.start_sending(self.draw_notification(transaction))

    def clear(self) -> None:
        """Forget every transaction, redelivery and clock change."""
        self.ledger.clear()
        self.notifier.clear()
        self.clock_offset = timedelta()
