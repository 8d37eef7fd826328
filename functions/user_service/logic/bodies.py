"""Bodies of requests and answers about passwords, addresses, second factors and sessions."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, EmailStr, Field

from contracts.user_service import Locale
from functions.user_service.models import AccessToken, Body, Password, PlainText, TotpCode

TOKEN_CHARACTERS_MAX = 400


class MailedToken(Body):
    """A one-time token out of a mail."""

    token: str = Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX, repr=False)


class ForgottenPassword(Body):
    """Whose password is forgotten."""

    email: EmailStr


class PasswordReset(MailedToken):
    """The token of the mail and the password from now on."""

    password: Password = Field(repr=False)


class PasswordChange(Body):
    """The password so far and the one from now on."""

    current_password: Password = Field(repr=False)
    new_password: Password = Field(repr=False)


class EmailChange(Body):
    """The address from now on, once it is proven."""

    new_email: EmailStr
    password: Password = Field(repr=False)


class AcceptedInvitation(MailedToken):
    """What an invited stranger adds to the invitation."""

    password: Password = Field(repr=False)
    full_name: PlainText
    locale: Locale = "id"


class TotpBeginning(Body):
    """The password, unless the session began just now."""

    password: Password | None = Field(default=None, repr=False)


class TotpProof(Body):
    """A code of the authenticator app, for confirming it."""

    code: TotpCode = Field(repr=False)


class StepUp(Body):
    """A code of the authenticator app, for a fresh second factor."""

    totp: TotpCode = Field(repr=False)


class Accepted(BaseModel):
    """The constant answer to a request whose outcome is told by mail only."""

    detail: str = "if the address can be used, a mail is on its way"


class NewAccount(BaseModel):
    """Who was created."""

    user_id: UUID
    tenant_id: UUID


class TotpSetup(BaseModel):
    """What an authenticator app needs; shown once."""

    secret: str = Field(repr=False)
    otpauth_uri: str = Field(repr=False)


class RecoveryCodes(BaseModel):
    """Codes that each sign in once without the app; shown once."""

    recovery_codes: list[str] = Field(repr=False)


class TotpConfirmed(RecoveryCodes, AccessToken):
    """The second factor is on; the token carries it as fresh."""


class TotpState(BaseModel):
    """Whether the second factor is on."""

    enabled: bool
    pending: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


class SessionCard(BaseModel):
    """A session of the caller."""

    session_id: UUID
    device: str | None
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool


class SessionList(BaseModel):
    """The caller's open sessions, the newest first; there are never more than a few."""

    items: list[SessionCard]


class EndedSessions(BaseModel):
    """How many sessions ended."""

    ended: int
