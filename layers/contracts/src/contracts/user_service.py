"""Messages of user_service."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import EmailStr, Field

from contracts.envelope import Event

Locale = Literal["id", "en"]
Role = Literal["owner", "admin", "trader", "viewer"]


class UserRegistered(Event):
    """A stranger registered; the address is not verified yet."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    tenant_name: str = Field(max_length=120)
    locale: Locale
