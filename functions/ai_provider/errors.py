"""What can go wrong in ai_provider.

``ambiguous`` errors leave open whether the provider did the work and will charge for it: the whole
reservation is held until somebody reconciles it.
"""

from typing import ClassVar

from kit.errors import PoisonMessage, SinyalError


class ProviderError(SinyalError):
    """A call to a language model gave no view; base of the reasons why."""

    code, status, title = "provider_error", 502, "The language model gave no usable answer"
    ambiguous: ClassVar[bool] = False


class RateLimited(ProviderError):
    """The provider asks to slow down; ``retry_after`` tells for how long, in seconds."""

    code, title, retryable = "provider_rate_limited", "The provider asks to slow down", True


class QuotaExhausted(ProviderError):
    """Our account at the provider has no money left."""

    code, title = "provider_quota_exhausted", "The provider's account is exhausted"


class TimedOut(ProviderError):
    """The deadline passed; the provider may have done the work."""

    code, title, retryable = "provider_timed_out", "The provider took too long", True
    ambiguous = True


class NotReached(ProviderError):
    """No connection was made; nothing was asked."""

    code, title, retryable = "provider_not_reached", "The provider cannot be reached", True


class ConnectionLost(ProviderError):
    """The connection broke after the question was sent."""

    code, title, retryable = "provider_connection_lost", "The connection broke", True
    ambiguous = True


class Overloaded(ProviderError):
    """The provider has no capacity now (503, 529)."""

    code, title, retryable = "provider_overloaded", "The provider is overloaded", True


class ServerFailed(ProviderError):
    """The provider failed (5xx)."""

    code, title, retryable = "provider_failed", "The provider failed", True


class KeyRefused(ProviderError):
    """Our key is not valid, or may not do this."""

    code, title = "provider_key_refused", "The provider refuses our key"


class RequestRefused(ProviderError):
    """The provider cannot read our request, or does not know the model."""

    code, title = "provider_request_refused", "The provider refuses the request"


class ContextTooLong(ProviderError):
    """The request is longer than the model reads."""

    code, title = "provider_context_too_long", "The request is too long for the model"


class ContentBlocked(ProviderError):
    """The model or its filter refuses to answer."""

    code, title = "provider_content_blocked", "The model refuses to answer"


class MalformedReply(ProviderError):
    """The answer is not what was asked for: no JSON, cut short, or out of bounds."""

    code, title = "provider_malformed_reply", "The model's answer cannot be read"


class PriceUnknown(ProviderError):
    """The model has no price, so it is not asked."""

    code, title = "price_unknown", "The model has no price"


class BudgetExceeded(ProviderError):
    """The month's budget of a scope has no room for this call."""

    code, title = "budget_exceeded", "The month's budget is used up"


class DeadlineExceeded(ProviderError):
    """The command's time is up before every symbol was asked about."""

    code, title, retryable = "deadline_exceeded", "The command took too long", True


class NotPlatformCommand(PoisonMessage):
    """A command that only the platform may send carries a tenant."""

    code, title = "not_platform_command", "The command belongs to the platform"
