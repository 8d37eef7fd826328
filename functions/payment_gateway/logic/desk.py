"""What the use cases need from outside: payments in a short transaction, and Midtrans.

A vendor call never runs inside a transaction, so a use case opens the desk several times.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.envelope import Event
from functions.payment_gateway.models import ChargeOrder, GatewayStatus, Payable, Payment

Publish = Callable[[Event], Any]


class PaymentBook(Protocol):
    """Payables and payments of the transaction's tenant."""

    def add_payable(self, payable: Payable) -> None: ...
    def lock_payable(self, invoice_id: UUID) -> Payable | None: ...
    def mark_paid(self, invoice_id: UUID, payment_id: UUID) -> None: ...
    def find_active(self, invoice_id: UUID) -> Payment | None: ...
    def count_attempts(self, invoice_id: UUID) -> int: ...
    def add_payment(self, payment: Payment) -> None: ...
    def find_payment(self, payment_id: UUID) -> Payment | None: ...
    def lock_payment(self, payment_id: UUID) -> Payment | None: ...
    def save_payment(self, payment: Payment) -> None: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """One transaction's view: the tenant's book, its outbox, its instant."""

    book: PaymentBook
    publish: Publish
    now: datetime


OpenDesk = Callable[[], AbstractContextManager[Desk]]


class Gateway(Protocol):
    """Midtrans."""

    @property
    def merchant_id(self) -> str: ...

    def charge(self, order: ChargeOrder) -> GatewayStatus:
        """Open a virtual account. Raises DuplicateOrder, OutcomeUnknown, ChargeRefused, ..."""
        ...

    def read_status(self, order_id: str) -> GatewayStatus | None:
        """Midtrans' word on an order; None when it does not know the order."""
        ...
