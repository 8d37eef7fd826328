"""What payment_gateway thinks in: payables, attempts, and Midtrans' word on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.envelope import Contract, UtcDatetime
from contracts.payment_gateway import Bank

Method = Literal["bca_va"]
PaymentState = Literal[
    "created",
    "pending",
    "authorize",
    "capture",
    "settlement",
    "deny",
    "cancel",
    "expire",
    "failure",
    "refund",
    "partial_refund",
    "chargeback",
    "partial_chargeback",
]
BANK_OF_METHOD: dict[Method, Bank] = {"bca_va": "bca"}


@dataclass(frozen=True, slots=True)
class Payable:
    """An invoice that asks for money."""

    invoice_id: UUID
    invoice_number: str
    amount: int
    description: str
    due_at: datetime
    paid_by: UUID | None


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to collect a payable; ``created`` until Midtrans knows it."""

    payment_id: UUID
    invoice_id: UUID
    attempt: int
    order_id: str
    method: Method
    amount: int
    currency: str
    state: PaymentState
    transaction_id: str | None
    va_number: str | None
    expires_at: datetime | None
    settled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """What Midtrans is asked to collect. The order id is also the idempotency key."""

    order_id: str
    amount: int
    bank: Bank
    description: str
    lifetime_minutes: int


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """Midtrans' word on an order: the only thing that moves money here."""

    order_id: str
    transaction_id: str
    transaction_status: str
    fraud_status: str | None
    amount: int
    currency: str
    merchant_id: str | None
    va_number: str | None
    expires_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification whose signature holds; all but these three fields is hearsay."""

    order_id: str
    status_code: str
    gross_amount: str


class HowToPay(Contract):
    """A payment as the tenant sees it."""

    payment_id: UUID
    invoice_id: UUID
    order_id: str
    method: Method
    bank: Bank
    va_number: str | None
    amount: int
    currency: str
    state: PaymentState
    expires_at: UtcDatetime | None
    settled_at: UtcDatetime | None
