"""Messages of billing_service."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from contracts.envelope import Command, Event, UtcDatetime
from contracts.money import NonNegativeRupiah


class RunBilling(Command):
    """Close every period that ended by ``as_of`` (now, when absent)."""

    service: ClassVar[str] = "billing_service"
    as_of: UtcDatetime | None = None


class BillingRunStarted(Event):
    """A billing run began; subscription_service closes the periods that are over."""

    service: ClassVar[str] = "billing_service"
    run_id: UUID
    as_of: UtcDatetime


class InvoiceFinalized(Event):
    """An invoice got its number and will not change any more. total = subtotal + tax."""

    service: ClassVar[str] = "billing_service"
    invoice_id: UUID
    number: str = Field(max_length=40)
    subscription_id: UUID
    subtotal: NonNegativeRupiah
    tax: NonNegativeRupiah
    total: NonNegativeRupiah
    due_at: UtcDatetime
    description: str = Field(max_length=50)


class InvoicePaid(Event):
    """An invoice is settled in full. ``payment_id`` is null when there was nothing to pay."""

    service: ClassVar[str] = "billing_service"
    invoice_id: UUID
    number: str = Field(max_length=40)
    subscription_id: UUID
    total: NonNegativeRupiah
    period_end: UtcDatetime
    payment_id: UUID | None
    paid_at: UtcDatetime
