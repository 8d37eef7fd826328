"""What user_service refuses, each refusal by name."""

from kit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unprocessable,
)


class PasswordRefused(Unprocessable):
    """The password is too short, too long or too easy to guess."""

    code, title = "password_refused", "Choose another password"


class InvalidCredentials(Unauthenticated):
    """Address and password do not belong together; which of them is wrong is not said."""

    code, title = "invalid_credentials", "The address or the password is not right"


class EmailNotVerified(Forbidden):
    """The password is right and the address is not proven yet."""

    code, title = "email_not_verified", "Verify your e-mail address first"


class TenantSuspended(Forbidden):
    """The password is right and the tenant is suspended."""

    code, title = "tenant_suspended", "This account is suspended"


class TotpRequired(Unauthenticated):
    """The password is right and a second factor is asked for."""

    code, title = "totp_required", "Give a code of your authenticator app"


class SecondFactorInvalid(Unauthenticated):
    """The password is right and the second factor is wrong or was used before."""

    code, title = "second_factor_invalid", "The code is not right"


class CodeRefused(Forbidden):
    """The code of the authenticator app is wrong or was used before."""

    code, title = "totp_invalid", "The code is not right"


class PasswordNeeded(Forbidden):
    """The caller's password is asked again: the session did not begin just now."""

    code, title = "password_needed", "Confirm with your password"


class PasswordWrong(Forbidden):
    """The caller's password is asked again and is wrong."""

    code, title = "password_wrong", "Your password is not right"


class TotpNotOn(Conflict):
    """There is no second factor to use or to confirm."""

    code, title = "totp_not_on", "Turn on your authenticator app first"


class TotpAlreadyOn(Conflict):
    """The second factor is on; it must be turned off before another is set up."""

    code, title = "totp_already_on", "Your authenticator app is on already"


class TokenInvalid(BadRequest):
    """A token of a mail is wrong, used or expired; which of these is not said."""

    code, title = "token_invalid", "This link is not valid any more"


class InvitationInvalid(BadRequest):
    """An invitation is wrong, used, revoked or expired; which of these is not said."""

    code, title = "invitation_invalid", "This invitation is not valid any more"


class AddressTaken(Conflict):
    """The invited address has an account; only the holder of the invitation hears it."""

    code, title = "address_taken", "This address has an account already"


class UnknownSession(NotFound):
    """The user has no such session."""

    code, title = "unknown_session", "You have no such session"


class LoginBlocked(TooManyRequests):
    """Too many failed sign-ins with this address."""

    code, title = "login_blocked", "Too many failed sign-ins"


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is unknown or expired, or its session has ended."""

    code, title = "refresh_token_invalid", "Sign in again"


class RefreshTokenReused(Unauthenticated):
    """A refresh token came twice: somebody holds a copy, so the whole session ends."""

    code, title = "refresh_token_reused", "This session has ended; sign in again"


class UnknownUser(NotFound):
    """The tenant has no such user."""

    code, title = "unknown_user", "The tenant has no such user"


class WeakSigningSeed(ValueError):
    """The seed of the signing key holds less than 256 bits."""


class WeakFactorKey(ValueError):
    """The key that second factors are sealed with holds less than 256 bits."""


class SigningKeysUnreadable(ValueError):
    """The secret of the signing keys holds none, or not in the form this release knows."""


class UnknownKey(NotFound):
    """The caller has no such API key; nobody else's is told about."""

    code, title = "unknown_key", "You have no such API key"


class ScopeNotHeld(Forbidden):
    """A key was asked for that may do more than whoever asks."""

    code, title = "scope_not_held", "Your role cannot give this scope"


class KeyLifeRefused(Unprocessable):
    """A key was asked for that has ended already, or never would."""

    code, title = "key_life_refused", "The key's end is not possible"


class KeyAlreadyCreated(Conflict):
    """The Idempotency-Key made an API key before; its secret is not kept and cannot be repeated."""

    code, title = "key_already_created", "This request made an API key already"


class KeyAlreadyRotated(Conflict):
    """Another key stands in this one's place."""

    code, title = "key_already_rotated", "This API key was rotated already"


class KeyEnded(Conflict):
    """The key has expired or was revoked."""

    code, title = "key_ended", "This API key has ended"


class KeyLimitReached(Conflict):
    """The tenant has as many living API keys as it can."""

    code, title = "key_limit_reached", "There are enough API keys"


class NotYourKey(Forbidden):
    """A manager may end a colleague's key, but not act in the colleague's name."""

    code, title = "not_your_key", "This API key acts for somebody else"


class CallerNotAllowed(Forbidden):
    """The room that asks has no business here."""

    code, title = "caller_not_allowed", "This room may not ask"
