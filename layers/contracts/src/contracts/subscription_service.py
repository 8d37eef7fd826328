"""Messages of subscription_service: plans, entitlements, metering."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Contract, Event, UtcDatetime
from contracts.money import NonNegativeRupiah

Tier = Literal["free", "pro", "enterprise"]
Meter = Literal["prediction", "llm_insight"]

ALL_SYMBOLS = "*"


class ApiLimits(Contract):
    """How much of the API a plan gives: a steady rate, a burst, and a day's quota."""

    requests_per_second: int = Field(ge=1)
    burst: int = Field(ge=1)
    requests_per_day: int | None = Field(ge=1)
    """Null: unlimited. A day is the tenant's local one."""


class EntitlementsChanged(Event):
    """What a tenant may use from now on. Readers keep the highest ``version`` they saw."""

    service: ClassVar[str] = "subscription_service"
    version: int = Field(ge=1)
    tier: Tier
    symbols: tuple[str, ...]
    """Symbols named, or ``("*",)``; ``max_symbols`` bounds how many a tenant may choose."""
    max_symbols: int | None = Field(default=None, ge=1)
    predictions_per_day: int | None = Field(ge=0)
    """Null: unlimited. A day is the tenant's local one."""
    prediction_delay_s: int = Field(ge=0)
    live_accounts: int = Field(ge=0)
    paper_accounts: int = Field(default=3, ge=0)
    time_zone: str = "Asia/Jakarta"
    api: ApiLimits | None = None
    """Null in events written before the limits travelled; readers keep the tier's own then."""


class QuotaExhausted(Event):
    """The last unit of a day's hard limit was used."""

    service: ClassVar[str] = "subscription_service"
    meter: Meter
    day: date
    limit: int = Field(ge=0)
    resets_at: UtcDatetime


class UsageLine(Contract):
    """Usage of one meter in a period."""

    meter: Meter
    quantity: int = Field(ge=0)
    included: int | None = Field(default=None, ge=0)
    """Null: no limit, nothing is charged by the unit."""
    unit_price: NonNegativeRupiah = 0


class BillingPeriodClosed(Event):
    """A subscription's period is over: no more usage can enter it. Half-open [start, end)."""

    service: ClassVar[str] = "subscription_service"
    subscription_id: UUID
    run_id: UUID
    plan_code: Tier
    plan_version: int = Field(ge=1)
    plan_price: NonNegativeRupiah
    period_start: UtcDatetime
    period_end: UtcDatetime
    usage: tuple[UsageLine, ...]


class SubscriptionRenewed(Event):
    """The period's invoice is paid; the subscription goes on."""

    service: ClassVar[str] = "subscription_service"
    subscription_id: UUID
    plan_code: Tier
    paid_until: UtcDatetime
