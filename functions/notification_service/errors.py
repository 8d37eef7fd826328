"""What can go wrong in notification_service."""

from kit.errors import Forbidden, SinyalError, Unavailable


class WebhookSecretWrong(Forbidden):
    """Whoever called the webhook is not Telegram."""

    code, title = "webhook_secret_wrong", "The webhook secret is wrong"


class SlowDown(SinyalError):
    """The provider asks to wait; ``retry_after_s`` says how long."""

    code, status, title = "provider_slow_down", 429, "The provider asks to slow down"
    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"wait {retry_after_s} s")
        self.retry_after_s = retry_after_s


class RecipientGone(SinyalError):
    """The recipient blocked the bot or does not exist; sending again is useless."""

    code, status, title = "recipient_gone", 410, "The recipient does not take messages"


class MessageRefused(SinyalError):
    """The provider will never take this message."""

    code, status, title = "message_refused", 422, "The provider refuses the message"


class ProviderUnavailable(Unavailable):
    """The provider did not answer, or failed; the message may or may not have gone out."""

    code, title = "provider_unavailable", "The message provider does not answer"


class MailUnderWay(Unavailable):
    """Another worker is sending this mail; the message comes back to see how that ended."""

    code, title = "mail_under_way", "The mail is being sent"
