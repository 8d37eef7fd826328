"""What user_service refuses, each refusal by name."""

from kit.errors import Forbidden, NotFound, TooManyRequests, Unauthenticated, Unprocessable


class PasswordRefused(Unprocessable):
    """The password is too short, too long or too easy to guess."""

    code, title = "password_refused", "Choose another password"


class InvalidCredentials(Unauthenticated):
    """Address and password do not belong together; which of them is wrong is not said."""

    code, title = "invalid_credentials", "The address or the password is not right"


class EmailNotVerified(Forbidden):
    """The password is right and the address is not proven yet."""

    code, title = "email_not_verified", "Verify your e-mail address first"


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
