"""Linking a Telegram chat to a tenant by a one-time token in a deep link."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.notification_service.models import POSTGRES_BIGINT_MAX, TelegramStart

TOKEN_VALID = timedelta(minutes=10)
_START = re.compile(r"^/start ([A-Za-z0-9_-]{43})$")


class Tokens(Protocol):
    """What linking needs of the store."""

    def add_token(self, token_hash: bytes, expires_at: datetime) -> None:
        """Keep a token's hash."""

    def use_token(self, token_hash: bytes) -> bool:
        """Spend it."""

    def add_chat(self, chat_id: int, user_id: int, language: str) -> None:
        """Link a chat."""


def hash_token(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def make_link(tokens: Tokens, bot_username: str, now: datetime) -> tuple[str, datetime]:
    """A deep link that works once, for ten minutes."""
    token, expires_at = secrets.token_urlsafe(32), now + TOKEN_VALID
    tokens.add_token(hash_token(token), expires_at)
    return f"https://t.me/{bot_username}?start={token}", expires_at


def link_chat(tokens: Tokens, start: TelegramStart) -> bool:
    """Spend the token and link the chat; False when the token is used up or too old."""
    if not tokens.use_token(hash_token(start.token)):
        return False
    tokens.add_chat(start.chat_id, start.user_id, start.language)
    return True


class _From(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: int = Field(ge=-POSTGRES_BIGINT_MAX, le=POSTGRES_BIGINT_MAX)
    language_code: str = ""


class _Chat(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: int = Field(ge=-POSTGRES_BIGINT_MAX, le=POSTGRES_BIGINT_MAX)
    type: str


class _Update(BaseModel):
    model_config = ConfigDict(extra="ignore")
    update_id: int = Field(ge=0, le=POSTGRES_BIGINT_MAX)


def read_start(update: Any) -> TelegramStart | None:
    """A private ``/start <token>`` of an update; None for anything else."""
    message = update.get("message") if isinstance(update, dict) else None
    if not isinstance(message, dict):
        return None
    match = _START.match(str(message.get("text", "")))
    if match is None:
        return None
    try:
        chat = _Chat.model_validate(message.get("chat"))
        sender = _From.model_validate(message.get("from"))
        update_id = _Update.model_validate(update).update_id
    except ValidationError:
        return None
    if chat.type != "private":
        return None
    return TelegramStart(
        update_id=update_id,
        chat_id=chat.id,
        user_id=sender.id,
        language="en" if sender.language_code.startswith("en") else "id",
        token=match.group(1),
    )
