"""Messages of user_management: verification, members, preferences, the life of a tenant."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import EmailStr, Field

from contracts.envelope import Command, Event, UtcDatetime
from contracts.user_service import Locale, Role

RiskAppetite = Literal["conservative", "balanced", "aggressive"]
TradingSession = Literal["sydney", "tokyo", "london", "new_york"]
SizingMode = Literal["fixed_lot", "fixed_risk", "volatility_target", "kelly", "account_ratio"]


class EmailVerificationRequested(Event):
    """A verification mail must go out. Carries a secret token: kept out of analytics and logs."""

    service: ClassVar[str] = "user_management"
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    locale: Locale
    token: str = Field(min_length=32, max_length=400, repr=False)
    expires_at: UtcDatetime


class ResendVerification(Command):
    """Send another verification mail if the address waits for one.

    Whether it does is found out behind the queue, so that the door's work tells nothing.
    """

    service: ClassVar[str] = "user_management"
    email: EmailStr


class EmailVerified(Event):
    """The address is proven; the tenant is verified, and active once its terms are accepted."""

    service: ClassVar[str] = "user_management"
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    tenant_name: str = Field(max_length=120)
    locale: Locale


class MemberInvited(Event):
    """An invitation must go out. Carries a secret token: kept out of analytics and logs."""

    service: ClassVar[str] = "user_management"
    invitation_id: UUID
    email: EmailStr
    role: Role
    tenant_name: str = Field(max_length=120)
    inviter_name: str = Field(max_length=120)
    locale: Locale
    token: str = Field(min_length=32, max_length=400, repr=False)
    expires_at: UtcDatetime


class InvitationRevoked(Event):
    """An invitation opens nothing any more."""

    service: ClassVar[str] = "user_management"
    invitation_id: UUID


class MemberRoleChanged(Event):
    """A member has another role from here on."""

    service: ClassVar[str] = "user_management"
    user_id: UUID
    role: Role
    version: int = Field(ge=1)
    """Counts the member's changes; readers keep the highest they saw."""


class MemberRemoved(Event):
    """A user belongs to the tenant no longer."""

    service: ClassVar[str] = "user_management"
    user_id: UUID


class ProfileChanged(Event):
    """A user's name, language or time zone is another one now."""

    service: ClassVar[str] = "user_management"
    user_id: UUID
    full_name: str = Field(max_length=120)
    locale: Locale
    time_zone: str = Field(max_length=60)


class TradingPreferencesChanged(Event):
    """How a tenant wants to be traded for. The risk limits and the plan stand above it."""

    service: ClassVar[str] = "user_management"
    version: int = Field(ge=1)
    symbols: tuple[str, ...]
    """Empty: every symbol the plan allows."""
    risk_appetite: RiskAppetite
    sessions: tuple[TradingSession, ...]
    """Empty: at all hours."""
    sizing_mode: SizingMode


class TenantSuspended(Event):
    """The platform's staff closed the door on a tenant, until it is reinstated."""

    service: ClassVar[str] = "user_management"
    reason: str = Field(max_length=200)
    version: int = Field(ge=1)


class TenantReinstated(Event):
    """A suspended tenant may come in again."""

    service: ClassVar[str] = "user_management"
    version: int = Field(ge=1)


class TenantClosed(Event):
    """The owner closed the tenant for good: access ends, trading ends, erasure follows."""

    service: ClassVar[str] = "user_management"
    erase_after: UtcDatetime
    version: int = Field(ge=1)


class EraseClosedTenants(Command):
    """Ask for the erasure of tenants whose waiting time is over."""

    service: ClassVar[str] = "user_management"
    limit: int = Field(default=20, ge=1, le=200)


class EraseTenant(Command):
    """Remove a closed tenant's personal data from every store; tax records stay."""

    service: ClassVar[str] = "user_management"
    erasure_id: UUID
