"""What notification_service keeps and hands around."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Language = Literal["id", "en"]


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
