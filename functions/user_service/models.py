"""What user_service speaks about: bodies, accounts, sessions, tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from contracts.subscription_service import Tier
from contracts.user_service import Locale, Role

MAX_PASSWORD_CHARACTERS = 200

PlainText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
"""A name without control characters."""

Password = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PASSWORD_CHARACTERS)]
Status = Literal["registered", "active"]
EndReason = Literal["logout", "refresh_reused", "password_set"]


class Body(BaseModel):
    """A request body; unknown fields are refused, a tenant's id above all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(Body):
    """A stranger's request for an account and a tenant."""

    email: EmailStr
    password: Password = Field(repr=False)
    full_name: PlainText
    tenant_name: PlainText
    locale: Locale = "id"


class Login(Body):
    """An address and its password."""

    email: EmailStr
    password: Password = Field(repr=False)


class Refresh(Body):
    """A refresh token to be exchanged."""

    refresh_token: str = Field(min_length=1, max_length=200, repr=False)


class TokenPair(BaseModel):
    """What a sign-in gives: a short-lived access token and the token for the next one."""

    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name (RFC 6750)
    expires_in: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose address it is."""

    tenant_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be stored."""

    user_id: UUID
    tenant_id: UUID
    email: str
    password_hash: str
    role: Role
    status: Status
    created_at: datetime
    platform_admin: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A user as a sign-in needs to know them."""

    user_id: UUID
    tenant_id: UUID
    password_hash: str
    role: Role
    status: Status
    platform_admin: bool
    tier: Tier


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that lasts until it expires, is logged out or proves stolen."""

    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token as it lies in the store, with its session's state."""

    session: Session
    user_id: UUID
    expires_at: datetime
    used: bool
    session_ended: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted sign-in attempt: the failures so far with this one, or how long to wait."""

    failures: int
    blocked_until: datetime | None = None
