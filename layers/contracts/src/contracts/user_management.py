"""Messages of user_management."""

from typing import ClassVar
from uuid import UUID

from pydantic import EmailStr, Field

from contracts.envelope import Event, UtcDatetime
from contracts.user_service import Locale


class EmailVerificationRequested(Event):
    """A verification mail must go out. Carries a secret token: kept out of analytics and logs."""

    service: ClassVar[str] = "user_management"
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    locale: Locale
    token: str = Field(min_length=32, max_length=400, repr=False)
    expires_at: UtcDatetime


class EmailVerified(Event):
    """The address is proven; the tenant is active from here on."""

    service: ClassVar[str] = "user_management"
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    tenant_name: str = Field(max_length=120)
    locale: Locale
