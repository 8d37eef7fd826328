"""What user_management speaks about: profiles, members, verification tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.user_service import Locale, Role

PlainText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
"""A name without control characters."""


class Body(BaseModel):
    """A request body; unknown fields are refused, a tenant's id above all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Verification(Body):
    """The token of a verification mail."""

    token: str = Field(min_length=1, max_length=400, repr=False)


class ProfileChange(Body):
    """What a user may change about themselves; what is not named stays."""

    full_name: PlainText | None = None
    locale: Locale | None = None
    time_zone: str | None = Field(default=None, min_length=1, max_length=60)


class Profile(BaseModel):
    """A user as they see themselves."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID
    tenant_id: UUID
    tenant_name: str
    email: str
    full_name: str
    role: Role
    locale: Locale
    time_zone: str
    email_verified: bool
    created_at: datetime


class Member(BaseModel):
    """A user as the tenant's others see them."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID
    email: str
    full_name: str
    role: Role
    email_verified: bool
    created_at: datetime


class MemberPage(BaseModel):
    """Some members, and where the next ones begin."""

    items: tuple[Member, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class NewProfile:
    """A user to be stored."""

    user_id: UUID
    email: str
    full_name: str
    role: Role
    locale: Locale
    time_zone: str
