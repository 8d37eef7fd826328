"""What the Telegram sandbox remembers: chats, messages, pending updates, commands, the webhook."""

import json
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from iac.local.sandbox.telegram.limits import SendingLimits
from iac.local.sandbox.webhook import WebhookTarget

MESSAGES_MAX = 50_000
UPDATES_MAX = 1_000
CALLBACKS_MAX = 10_000
CHATS_MAX = 100_000


@dataclass
class Message:
    """A message of the bot as its reader would see it."""

    message_id: int
    chat_id: int
    method: str
    sent_at: str
    text: str
    source_text: str
    parse_mode: str | None
    entities: list[dict[str, Any]]
    reply_markup: dict[str, Any] | None
    document: dict[str, Any] | None = None
    edited_at: str | None = None
    deleted: bool = False


@dataclass
class ChatRoom:
    """State of one bot; bounded, the oldest forgotten first."""

    bot_id: int
    bot_username: str
    messages: OrderedDict[tuple[int, int], Message] = field(default_factory=OrderedDict)
    chats: OrderedDict[int, dict[str, Any]] = field(default_factory=OrderedDict)
    blocked: set[int] = field(default_factory=set)
    migrated: dict[int, int] = field(default_factory=dict)
    updates: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=UPDATES_MAX))
    callbacks: OrderedDict[str, bool] = field(default_factory=OrderedDict)
    commands: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    limits: SendingLimits = field(default_factory=SendingLimits)
    webhook: WebhookTarget = field(default_factory=WebhookTarget)
    webhook_secret: str = ""
    webhook_error: dict[str, Any] = field(default_factory=dict)
    strict_chats: bool = False
    next_message_id: int = 1
    next_update_id: int = 100_000_001

    def describe_bot(self) -> dict[str, Any]:
        """Describe the bot as a Telegram user."""
        return {
            "id": self.bot_id,
            "is_bot": True,
            "first_name": "Sinyal",
            "username": self.bot_username,
        }

    def describe_chat(self, chat_id: int) -> dict[str, Any]:
        """Describe a chat; one that never spoke is known by its id alone."""
        kind = "private" if chat_id > 0 else "supergroup"
        name = {"first_name": "User"} if chat_id > 0 else {"title": "Group"}
        return self.chats.get(chat_id) or {"id": chat_id, "type": kind, **name}

    def meet(self, chat: dict[str, Any]) -> None:
        """Remember a chat that sent an update."""
        self.chats[chat["id"]] = chat
        if len(self.chats) > CHATS_MAX:
            self.chats.popitem(last=False)

    def draw_message_id(self) -> int:
        """Take the next message id."""
        self.next_message_id += 1
        return self.next_message_id - 1

    def keep(self, message: Message) -> None:
        """Store a message of the bot."""
        self.messages[(message.chat_id, message.message_id)] = message
        if len(self.messages) > MESSAGES_MAX:
            self.messages.popitem(last=False)

    def keep_callback(self, callback_id: str) -> None:
        """Remember a callback query that the bot may answer."""
        self.callbacks[callback_id] = False
        if len(self.callbacks) > CALLBACKS_MAX:
            self.callbacks.popitem(last=False)

    def clear(self) -> None:
        """Forget everything but the webhook and its secret; ids go on counting."""
        for store in (self.messages, self.chats, self.blocked, self.migrated, self.updates):
            store.clear()
        self.callbacks.clear()
        self.commands.clear()
        self.limits.clear()
        self.webhook_error = {}
        self.strict_chats = False


def command_scope(parameters: dict[str, Any]) -> str:
    """Key of a command list: scope and language."""
    scope = parameters.get("scope") or {"type": "default"}
    return json.dumps([scope, parameters.get("language_code", "")], sort_keys=True)


def now_text() -> str:
    """Read the wall clock for a listing."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def now_unix() -> int:
    """Read the wall clock in Telegram's unit."""
    return int(datetime.now(UTC).timestamp())
