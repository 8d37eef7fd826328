"""Messages of payment_gateway."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event, UtcDatetime
from contracts.money import NonNegativeRupiah

Bank = Literal["bca", "bni", "bri", "cimb", "permata"]


class PaymentInitiated(Event):
    """A virtual account waits for the tenant's transfer."""

    service: ClassVar[str] = "payment_gateway"
    payment_id: UUID
    invoice_id: UUID
    invoice_number: str = Field(max_length=40)
    order_id: str = Field(max_length=36)
    bank: Bank
    va_number: str = Field(max_length=40)
    amount: NonNegativeRupiah
    expires_at: UtcDatetime


class PaymentNotificationReceived(Event):
    """Midtrans sent a correctly signed notification; it is stored, and only hints at the truth."""

    service: ClassVar[str] = "payment_gateway"
    notification_id: UUID
    order_id: str = Field(max_length=36)


class PaymentSettled(Event):
    """Midtrans' status says that the money arrived, in full."""

    service: ClassVar[str] = "payment_gateway"
    payment_id: UUID
    invoice_id: UUID
    order_id: str = Field(max_length=36)
    amount: NonNegativeRupiah
    settled_at: UtcDatetime


class PaymentFailed(Event):
    """An attempt ended without money; the invoice stays open."""

    service: ClassVar[str] = "payment_gateway"
    payment_id: UUID
    invoice_id: UUID
    order_id: str = Field(max_length=36)
    reason: Literal["deny", "cancel", "expire", "failure"]
