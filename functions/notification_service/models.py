"""What notification_service keeps, hands around and answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.notification_service import Channel

Language = Literal["id", "en"]
Claim = Literal["taken", "under_way", "done"]
"""What became of a mail's claim: ours to send, another worker's, or ended before."""

POSTGRES_BIGINT_MAX = 2**63 - 1


class Chat(BaseModel):
    """A linked private chat."""

    model_config = ConfigDict(frozen=True)

    chat_id: int
    language: Language


class Notification(BaseModel):
    """A message of a tenant to one recipient. ``body`` is Telegram HTML."""

    model_config = ConfigDict(frozen=True)

    notification_id: UUID
    kind: str
    chat_id: int
    body: str


class TelegramStart(BaseModel):
    """A private ``/start <token>`` message."""

    model_config = ConfigDict(frozen=True)

    update_id: int
    chat_id: int
    user_id: int
    language: Language
    token: str


class Mail(BaseModel):
    """A mail to one address. Its words may hold a one-time code: never kept, never logged."""

    model_config = ConfigDict(frozen=True)

    kind: str
    to: str
    subject: str = Field(repr=False)
    text: str = Field(repr=False)
    html: str = Field(repr=False)


class DeepLink(BaseModel):
    """Answer of POST /v1/notifications/telegram/link."""

    deep_link: str
    """Opens the bot; works once."""
    expires_at: datetime


class ShownNotification(BaseModel):
    """A message to the tenant: that it was sent, not what it said."""

    notification_id: UUID
    channel: Channel
    kind: str
    state: Literal["pending", "sending", "sent", "undeliverable"]
    created_at: datetime
    delivered_at: datetime | None


class NotificationPage(BaseModel):
    """Answer of GET /v1/notifications."""

    items: list[ShownNotification]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""


class WebhookReply(BaseModel):
    """Answer to Telegram: empty, or a message that it sends on the bot's behalf."""

    method: Literal["sendMessage"] | None = None
    chat_id: int | None = None
    text: str | None = None
