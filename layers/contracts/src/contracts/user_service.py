"""Messages of user_service: accounts, security notices, and access that ends."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import EmailStr, Field

from contracts.envelope import Command, Event, UtcDatetime

Locale = Literal["id", "en"]
Role = Literal["owner", "admin", "trader", "viewer"]
Scope = Literal["read", "trade", "members", "billing", "account"]
RevokedKind = Literal["session", "user", "api_key"]
AlertKind = Literal[
    "refresh_reused",
    "account_locked",
    "password_changed",
    "email_changed",
    "mfa_enabled",
    "mfa_disabled",
    "recovery_code_used",
    "recovery_codes_renewed",
    "api_key_created",
    "new_device",
]


class UserRegistered(Event):
    """A stranger registered; the address is not verified yet."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    tenant_name: str = Field(max_length=120)
    locale: Locale


class InvitationAccepted(Event):
    """An invited stranger set a password and is a member from here on; the address is proven."""

    service: ClassVar[str] = "user_service"
    invitation_id: UUID
    user_id: UUID
    email: EmailStr
    full_name: str = Field(max_length=120)
    role: Role
    locale: Locale


class UserSignedIn(Event):
    """A session began."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    session_id: UUID


class PasswordResetRequested(Event):
    """A mail with a reset link must go out. Carries a secret token: kept out of analytics."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    email: EmailStr
    locale: Locale
    token: str = Field(min_length=32, max_length=400, repr=False)
    expires_at: UtcDatetime


class EmailChangeRequested(Event):
    """A mail to the new address must go out. Carries a secret token: kept out of analytics."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    new_email: EmailStr
    locale: Locale
    token: str = Field(min_length=32, max_length=400, repr=False)
    expires_at: UtcDatetime


class EmailChanged(Event):
    """A user's address is another one now, and proven."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    email: EmailStr


class SecurityAlertRaised(Event):
    """The user must hear of something that touches the safety of the account."""

    service: ClassVar[str] = "user_service"
    user_id: UUID
    email: EmailStr
    locale: Locale
    kind: AlertKind
    device: str | None = Field(default=None, max_length=200)
    address: str | None = Field(default=None, max_length=64)
    """Network address the request came from."""


class AccessRevoked(Event):
    """Credentials that must not open anything any more.

    ``session`` and ``api_key`` end for good; ``user`` ends every access token issued before
    ``before`` (a role changed, a password was set), after which a refresh gives a fresh one.
    """

    service: ClassVar[str] = "user_service"
    kind: RevokedKind
    subject_id: UUID
    before: UtcDatetime


class RotateSigningKeys(Command):
    """Make a new key for access tokens when the newest is old, and drop those past their tokens.

    ``force`` makes one whatever the age; a new key signs ten minutes after it was made.
    """

    service: ClassVar[str] = "user_service"
    max_age_days: int = Field(default=30, ge=1, le=365)
    force: bool = False
