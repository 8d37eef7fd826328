"""The SQL of payment_gateway, bound to one tenant by its transaction."""

from typing import Any
from uuid import UUID

from functions.payment_gateway.models import Notification, Payable, Payment
from kit.db import Transaction

_PAYMENT = (
    "SELECT payment_id, invoice_id, attempt, order_id, method, amount, currency, state,"
    " transaction_id, va_number, expires_at, settled_at, created_at FROM payments"
    " WHERE tenant_id = %s"
)


class PaymentStore:
    """Payables, payments and notifications of the transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add_payable(self, payable: Payable) -> None:
        """Keep an invoice that asks for money; a known one stays as it is."""
        self._tx.execute(
            "INSERT INTO payables (tenant_id, invoice_id, invoice_number, amount, description,"
            " due_at, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                self._tx.tenant_id,
                payable.invoice_id,
                payable.invoice_number,
                payable.amount,
                payable.description,
                payable.due_at,
                self._tx.now,
            ],
        )

    def lock_payable(self, invoice_id: UUID) -> Payable | None:
        """An invoice, locked: its attempts are made one at a time."""
        row = self._tx.fetch_one(
            "SELECT invoice_id, invoice_number, amount, description, due_at, paid_by"
            " FROM payables WHERE tenant_id = %s AND invoice_id = %s FOR UPDATE",
            [self._tx.tenant_id, invoice_id],
        )
        return Payable(**row) if row else None

    def mark_paid(self, invoice_id: UUID, payment_id: UUID) -> None:
        """Note by which payment an invoice was paid; the first stands."""
        self._tx.execute(
            "UPDATE payables SET paid_by = %s"
            " WHERE tenant_id = %s AND invoice_id = %s AND paid_by IS NULL",
            [payment_id, self._tx.tenant_id, invoice_id],
        )

    def find_active(self, invoice_id: UUID) -> Payment | None:
        """The attempt that may still bring money."""
        return self._read(
            "AND invoice_id = %s AND state IN ('created', 'pending', 'authorize')", invoice_id
        )

    def find_payment(self, payment_id: UUID) -> Payment | None:
        """A payment."""
        return self._read("AND payment_id = %s", payment_id)

    def lock_payment(self, payment_id: UUID) -> Payment | None:
        """A payment, locked for this transaction."""
        return self._read("AND payment_id = %s FOR UPDATE", payment_id)

    def find_order(self, order_id: str) -> Payment | None:
        """The payment behind an order id."""
        return self._read("AND order_id = %s", order_id)

    def _read(self, where: str, value: Any) -> Payment | None:
        row = self._tx.fetch_one(f"{_PAYMENT} {where}", [self._tx.tenant_id, value])
        return Payment(**row) if row else None

    def count_attempts(self, invoice_id: UUID) -> int:
        """How many attempts an invoice has had."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS attempts FROM payments WHERE tenant_id = %s AND invoice_id = %s",
            [self._tx.tenant_id, invoice_id],
        )
        return int(row["attempts"]) if row else 0

    def add_payment(self, payment: Payment) -> None:
        """Persist an attempt before anyone is asked for money."""
        self._tx.execute(
            "INSERT INTO payments (tenant_id, payment_id, invoice_id, attempt, order_id, method,"
            " amount, currency, state, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                self._tx.tenant_id,
                payment.payment_id,
                payment.invoice_id,
                payment.attempt,
                payment.order_id,
                payment.method,
                payment.amount,
                payment.currency,
                payment.state,
                payment.created_at,
                self._tx.now,
            ],
        )

    def save_payment(self, payment: Payment) -> None:
        """Write what may change of a payment; a trigger refuses illegal transitions."""
        self._tx.execute(
            "UPDATE payments SET state = %s, transaction_id = %s, va_number = %s, expires_at = %s,"
            " settled_at = %s, updated_at = %s WHERE tenant_id = %s AND payment_id = %s",
            [
                payment.state,
                payment.transaction_id,
                payment.va_number,
                payment.expires_at,
                payment.settled_at,
                self._tx.now,
                self._tx.tenant_id,
                payment.payment_id,
            ],
        )

    def add_notification(
        self, notification: Notification, notification_id: UUID, content_hash: str, body: str
    ) -> bool:
        """Keep a notification raw; False when one with this very content was kept before."""
        row = self._tx.fetch_one(
            "INSERT INTO notifications (tenant_id, notification_id, order_id, status_code,"
            " content_hash, body, received_at) VALUES (%s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (content_hash) DO NOTHING RETURNING notification_id",
            [
                self._tx.tenant_id,
                notification_id,
                notification.order_id,
                notification.status_code,
                content_hash,
                body,
                self._tx.now,
            ],
        )
        return row is not None

    def find_notification_code(self, notification_id: UUID) -> str | None:
        """The signed status code of a notification."""
        row = self._tx.fetch_one(
            "SELECT status_code FROM notifications WHERE tenant_id = %s AND notification_id = %s",
            [self._tx.tenant_id, notification_id],
        )
        return str(row["status_code"]) if row else None


def find_order_tenant(tx: Transaction, order_id: str) -> UUID | None:
    """Whose order it is: the webhook's only look across tenants."""
    row = tx.fetch_one("SELECT find_order_tenant(%s) AS tenant_id", [order_id])
    return row["tenant_id"] if row else None
