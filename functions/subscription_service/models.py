"""What subscription_service thinks in, and how it shows that: plans, subscriptions, quotas."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from contracts.subscription_service import EntitlementsChanged, Meter, Tier

SubscriptionState = Literal["active", "canceled", "ended"]
Outcome = Literal["counted", "over_limit"]


@dataclass(frozen=True, slots=True)
class MeterRule:
    """How a plan treats one meter: a quota a day or a period; hard, or metered above it."""

    meter: Meter
    window: Literal["day", "period"]
    quota: int | None
    hard: bool
    unit_price: int

    @property
    def included(self) -> int | None:
        """Units of a period that the plan's fee covers; None when units are never charged."""
        return self.quota if self.window == "period" else None


@dataclass(frozen=True, slots=True)
class Plan:
    """A published plan version."""

    code: Tier
    version: int
    name: str
    price: int
    features: dict[str, Any]
    meters: tuple[MeterRule, ...]

    def rule(self, meter: Meter) -> MeterRule | None:
        """The rule of a meter, if the plan has it."""
        return next((rule for rule in self.meters if rule.meter == meter), None)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A tenant's subscription. ``canceled`` runs to the end of its period, then it is ``ended``."""

    subscription_id: UUID
    plan_code: Tier
    plan_version: int
    state: SubscriptionState
    anchor_at: datetime
    time_zone: str
    pending_plan: Tier | None
    paid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch [starts_at, ends_at) that is billed as one, by one plan.

    ``used_plan_code`` names the dearest plan that was given up after use; ``uses_before`` counts
    what was used before the tenant's present plan began.
    """

    period_id: UUID
    subscription_id: UUID
    number: int
    starts_at: datetime
    ends_at: datetime
    plan_code: Tier
    plan_version: int
    used_plan_code: Tier | None
    used_plan_version: int | None
    uses_before: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Counter:
    """A window's use of a meter. ``announced_quota``: the quota whose end was announced."""

    quota: int | None
    used: int
    over_limit: int
    announced_quota: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """One use of a meter, as it was reported."""

    key: UUID
    meter: Meter
    payload_hash: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """A use with its verdict: counted or over the limit, in which day and period."""

    usage: Usage
    outcome: Outcome
    day: date
    period_id: UUID | None


Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""An instant, as ISO 8601 text in UTC."""


class ChoosePlan(BaseModel):
    """Body of POST /v1/subscription."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Tier


class ChangePlan(ChoosePlan):
    """Body of PATCH /v1/subscription."""

    when: Literal["now", "period_end"] = "now"


class Price(BaseModel):
    """What a plan costs; PPN comes on top."""

    amount: int
    currency: Literal["IDR"] = "IDR"
    interval: Literal["month"] = "month"


class ShownMeter(BaseModel):
    """A meter of a plan. ``limit`` null: unlimited; ``hard``: nothing is admitted above it."""

    meter: Meter
    window: Literal["day", "period"]
    limit: int | None
    hard: bool
    unit_price: int


class ShownPlan(BaseModel):
    """A plan on offer."""

    code: Tier
    version: int
    name: str
    price: Price
    entitlements: dict[str, JsonValue]
    """By feature: a number, a text, a list, or null for unlimited."""
    meters: list[ShownMeter]


class PlanPage(BaseModel):
    """Answer of GET /v1/plans."""

    items: list[ShownPlan]
    next_cursor: None = None


class ShownPeriod(BaseModel):
    """The running period, half open; ``billed_plan`` sets its fee."""

    number: int
    starts_at: Instant
    ends_at: Instant
    billed_plan: Tier


class ShownSubscription(BaseModel):
    """A tenant's subscription, and what it allows."""

    subscription_id: UUID
    plan: Tier
    plan_version: int
    state: SubscriptionState
    pending_plan: Tier | None
    time_zone: str
    period: ShownPeriod
    paid_until: Instant | None
    entitlements: EntitlementsChanged | None


class PeriodUsage(BaseModel):
    """Uses in the running period."""

    counted: int
    over_limit: int


class MeterUsage(BaseModel):
    """Use of a meter in its present window, which ends at ``resets_at``."""

    meter: Meter
    window: Literal["day", "period"]
    used: int
    limit: int | None
    over_limit: int
    resets_at: Instant
    period: PeriodUsage


class PeriodBounds(BaseModel):
    """A period, half open."""

    starts_at: Instant
    ends_at: Instant


class StreamUse(BaseModel):
    """What was taken from the stream in the running period; shown, not charged."""

    ticks: int
    bytes: int
    streams_max: int
    """Most connections at once."""


class ShownUsage(BaseModel):
    """Answer of GET /v1/usage."""

    meters: list[MeterUsage]
    stream: StreamUse
    period: PeriodBounds | None
