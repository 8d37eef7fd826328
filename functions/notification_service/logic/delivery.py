"""Getting a written message to Telegram: rate limits, refusals, and an end to every message."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from functions.notification_service.errors import (
    MessageRefused,
    RecipientGone,
    SlowDown,
)
from functions.notification_service.models import Notification


class Sender(Protocol):
    """The provider."""

    def send(self, chat_id: int, text: str) -> None:
        """Send; raises SlowDown, RecipientGone, MessageRefused, ProviderUnavailable."""


class Limiter(Protocol):
    """Rate limits shared by all workers."""

    def wait_ms(self, chat_id: int) -> int:
        """Take a place for a chat: 0 when it may send now, else how long to wait."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Certainly not sent; try again then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It will never be taken; with ``block`` nothing else will be taken by this chat."""

    block: bool
    reason: str


Outcome = Sent | Postponed | GivenUp


def deliver(
    notification: Notification, sender: Sender, limiter: Limiter, now: Callable[[], datetime]
) -> Outcome:
    """Try once to deliver.

    Raises ProviderUnavailable when the outcome is unknown: the claim then runs out and the message
    is sent again (Telegram has no idempotency key; a second copy is better than none).
    """
    if wait := limiter.wait_ms(notification.chat_id):
        return Postponed(now() + timedelta(milliseconds=wait))
    try:
        sender.send(notification.chat_id, notification.body)
    except SlowDown as error:
        return Postponed(now() + timedelta(seconds=error.retry_after_s))
    except RecipientGone as error:
        return GivenUp(block=True, reason=error.detail)
    except MessageRefused as error:
        return GivenUp(block=False, reason=error.detail)
    return Sent()
