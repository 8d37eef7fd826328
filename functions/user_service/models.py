"""What user_service speaks about: accounts, sessions, tokens, and what a sign-in is made of.

The bodies of the other subjects stand in ``logic.bodies``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints, model_validator

from contracts.subscription_service import Tier
from contracts.user_service import Locale, Role, Scope

MAX_PASSWORD_CHARACTERS = 200

PlainText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
"""A name without control characters."""

Password = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PASSWORD_CHARACTERS)]
TotpCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
Status = Literal["registered", "active"]
TenantStatus = Literal["active", "suspended", "closed"]
SubjectKind = Literal["account", "network", "code", "mail"]
DeviceNews = Literal["first", "new", "known"]
MailedPurpose = Literal["password_reset", "email_change"]
EndReason = Literal[
    "logout",
    "refresh_reused",
    "password_set",
    "ended_by_user",
    "too_many",
    "member_removed",
    "tenant_suspended",
    "tenant_closed",
]
KeyEnd = Literal["revoked", "rotated", "member_removed", "tenant_closed"]

ACCOUNT_FREE = 5
"""Wrong passwords of one address, or wrong codes of one user."""
MAIL_FREE = 3
"""Mails to one address."""
NETWORK_FREE = 100
"""Of one network address; whole villages share one behind a carrier's NAT."""
BLOCK_FIRST = timedelta(seconds=30)
BLOCK_LONGEST = timedelta(minutes=15)
ATTEMPT_MEMORY = timedelta(hours=1)
DOUBLINGS_MAX = 10


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
    """An address and its password, and the second factor of those who have one."""

    email: EmailStr
    password: Password = Field(repr=False)
    totp: TotpCode | None = Field(default=None, repr=False)
    recovery_code: str | None = Field(default=None, min_length=1, max_length=40, repr=False)

    @model_validator(mode="after")
    def _take_one_factor(self) -> Self:
        if self.totp is not None and self.recovery_code is not None:
            raise ValueError("give totp or recovery_code, not both")
        return self


class Refresh(Body):
    """A refresh token to be exchanged."""

    refresh_token: str = Field(min_length=1, max_length=200, repr=False)


class AccessToken(BaseModel):
    """A short-lived access token."""

    access_token: str = Field(repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name (RFC 6750)
    expires_in: int


class TokenPair(AccessToken):
    """What a sign-in gives: a short-lived access token and the token for the next one."""

    refresh_token: str = Field(repr=False)


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
    support: bool = False
    locale: Locale = "id"


@dataclass(frozen=True, slots=True)
class Account:
    """A user as a sign-in needs to know them. ``stepped_up_at`` is the session's."""

    user_id: UUID
    tenant_id: UUID
    email: str
    password_hash: str
    role: Role
    status: Status
    platform_admin: bool
    support: bool
    locale: Locale
    tier: Tier
    tenant_status: TenantStatus = "active"
    stepped_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that lasts until it expires, is logged out or proves stolen."""

    session_id: UUID
    expires_at: datetime
    stepped_up_at: datetime | None = None


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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, as far as it says."""

    device: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An open session as its owner sees it."""

    session_id: UUID
    device: str | None
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor: sealed secret, since when it is on (None: not yet), newest step taken."""

    sealed_secret: bytes
    confirmed_at: datetime | None
    last_step: int


@dataclass(frozen=True, slots=True)
class MailedRow:
    """What a mailed token was for."""

    user_id: UUID
    new_email: str | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that somebody accepts now."""

    invitation_id: UUID
    email: str
    role: Role


@dataclass(frozen=True, slots=True)
class Subject:
    """Who or what guesses are counted by: a hash, so that no counter holds an address."""

    kind: SubjectKind
    key: bytes
    free: int


@dataclass(frozen=True, slots=True)
class Admission:
    """What a counter says: how long to wait (0: admitted), and whether this guess began a lock."""

    wait_s: int = 0
    locks: bool = False


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it lies in the store."""

    key_id: UUID
    tenant_id: UUID
    user_id: UUID
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    requests_per_second: int | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: KeyEnd | None = None
    replaced_by: UUID | None = None

    @property
    def ends_at(self) -> datetime:
        """From when on it opens nothing."""
        return min(self.expires_at, self.ended_at or self.expires_at)

    def is_alive(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return now < self.ends_at


def block_length(failures: int, free: int = ACCOUNT_FREE) -> timedelta:
    """How long a subject rests after so many failures: 30 s, doubling up to 15 min."""
    doublings = max(0, min(failures - free, DOUBLINGS_MAX))
    return min(BLOCK_FIRST * (1 << doublings), BLOCK_LONGEST)
