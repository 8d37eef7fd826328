"""Settings of payment_gateway, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from functions.payment_gateway.models import Method
from kit.settings import RoomSettings


class PaymentSettings(RoomSettings):
    """How invoices are collected when the tenant did not choose."""

    default_method: Method = "bca_va"
    midtrans_read_timeout_s: float = Field(default=10, gt=0, le=30)


@lru_cache(maxsize=1)
def settings() -> PaymentSettings:
    """The process's settings."""
    return PaymentSettings()
