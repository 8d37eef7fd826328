"""Errors of the whole product: each names a fact and carries a code, a status and retryability.

Rooms subclass these in their ``errors.py``. ``kit.api`` turns them into RFC 9457 problem+json,
``kit.consumer`` into a batch failure.
"""

from typing import Any, ClassVar


class SinyalError(Exception):
    """Base of every error a client may see. ``detail`` tells what to do next."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra

    def to_problem(self) -> dict[str, Any]:
        """The error as problem+json members."""
        return {
            "type": f"https://docs.sinyal.id/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }


class BadRequest(SinyalError):
    """The request cannot be read."""

    code, status, title = "bad_request", 400, "The request cannot be read"


class Unauthenticated(SinyalError):
    """Who asks is not known."""

    code, status, title = "unauthenticated", 401, "Sign in first"


class Forbidden(SinyalError):
    """Who asks is known and may not."""

    code, status, title = "forbidden", 403, "This is not allowed for you"


class StepUpNeeded(Forbidden):
    """A second factor must be shown again for this."""

    code, title = "step_up_needed", "Confirm with your authenticator app first"


class NotFound(SinyalError):
    """There is no such thing, or it belongs to somebody else; the answer is the same."""

    code, status, title = "not_found", 404, "There is no such resource"


class Conflict(SinyalError):
    """The state of things does not allow it."""

    code, status, title = "conflict", 409, "The current state does not allow this"


class PayloadTooLarge(SinyalError):
    """The body is over the limit."""

    code, status, title = "payload_too_large", 413, "The request body is too large"


class Unprocessable(SinyalError):
    """The request can be read, and a value in it cannot be right."""

    code, status, title = "invalid_value", 422, "A value is not valid"


class TooManyRequests(SinyalError):
    """Slow down."""

    code, status, title = "rate_limited", 429, "Too many requests"
    retryable = True


class QuotaSpent(TooManyRequests):
    """The day's quota is used up; slowing down does not help, waiting or another plan does."""

    code, title = "daily_quota_exhausted", "The day's requests are used up"
    retryable = False


class Unavailable(SinyalError):
    """A store or vendor we need did not answer; trying again later is right."""

    code, status, title = "unavailable", 503, "Temporarily unavailable, try again"
    retryable = True


class PoisonMessage(SinyalError):
    """A message that no retry can mend; it belongs in the dead-letter queue."""

    code, status, title = "poison_message", 422, "The message cannot be processed"
