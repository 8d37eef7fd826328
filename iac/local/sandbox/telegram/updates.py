"""Updates: what users do, written as Telegram does and delivered to the bot's webhook."""

import asyncio
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from iac.local.sandbox.telegram.room import ChatRoom, now_unix
from iac.local.sandbox.telegram.sending import describe_message
from iac.local.sandbox.webhook import Delivery, WebhookCaller

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 a header's name
UPDATE_KINDS = ("message", "edited_message", "callback_query", "my_chat_member", "channel_post")


class UserAction(BaseModel):
    """A user's doing in short: a text, a pressed button, or the bot blocked or unblocked.

    deliveries: how often the same update is sent (Telegram may repeat one). attempts: how often a
    refused delivery is tried. secret: another secret token than the right one.
    """

    model_config = ConfigDict(extra="forbid")

    chat_id: int | None = None
    from_id: int | None = None
    text: str | None = None
    callback_data: str | None = None
    message_id: int | None = None
    blocked: bool | None = None
    language_code: str = "id"
    username: str = "user"
    first_name: str = "User"
    update: dict[str, Any] | None = None
    deliveries: int = Field(default=1, ge=1, le=10)
    attempts: int = Field(default=1, ge=1, le=10)
    secret: str | None = None


def build_update(room: ChatRoom, action: UserAction) -> dict[str, Any]:
    """Write the Update of a user's action.

    Raises ValueError when the action says neither what happened nor where.
    """
    if action.update is not None:
        update = dict(action.update)
        if not any(kind in update for kind in UPDATE_KINDS):
            raise ValueError(f"an update holds one of {', '.join(UPDATE_KINDS)}")
        return _number(room, update)
    if action.chat_id is None:
        raise ValueError("chat_id or update is missing")
    if action.callback_data is not None:
        return _number(room, {"callback_query": _press(room, action)})
    if action.blocked is not None:
        return _number(room, {"my_chat_member": _block(room, action)})
    if action.text is None:
        raise ValueError("text, callback_data or blocked is missing")
    return _number(room, {"message": _say(room, action)})


def note_update(room: ChatRoom, update: dict[str, Any]) -> None:
    """Learn from an update: chats met, chats that block, buttons to be answered."""
    for kind in ("message", "my_chat_member"):
        chat = update.get(kind, {}).get("chat")
        if chat and isinstance(chat.get("id"), int):
            room.meet(chat)
    if "message" in update:
        room.blocked.discard(update["message"].get("chat", {}).get("id", 0))
    if "callback_query" in update:
        room.keep_callback(str(update["callback_query"].get("id", "")))
    change = update.get("my_chat_member", {})
    if change:
        status = change.get("new_chat_member", {}).get("status")
        gone = status in ("kicked", "left")
        (room.blocked.add if gone else room.blocked.discard)(change["chat"]["id"])


async def deliver(
    room: ChatRoom, caller: WebhookCaller, update: dict[str, Any], action: UserAction
) -> list[Delivery]:
    """Post the update to the webhook as often as asked; remember the last failure."""
    secret = room.webhook_secret if action.secret is None else action.secret
    headers = {SECRET_HEADER: secret} if secret else {}
    deliveries: list[Delivery] = []
    for _ in range(action.deliveries):
        for attempt in range(action.attempts):
            await asyncio.sleep(0.2 * attempt)
            deliveries.append(await caller.post(room.webhook, update, headers))
            if deliveries[-1].accepted:
                break
    last = deliveries[-1]
    if not last.accepted:
        words = f"Wrong response from the webhook: {last.status}" if last.status else last.answer
        room.webhook_error = {"last_error_date": now_unix(), "last_error_message": words}
    return deliveries


def _number(room: ChatRoom, update: dict[str, Any]) -> dict[str, Any]:
    if "update_id" in update:
        return update
    room.next_update_id += 1
    return {"update_id": room.next_update_id - 1, **update}


def _user(action: UserAction) -> dict[str, Any]:
    return {
        "id": action.from_id if action.from_id is not None else action.chat_id,
        "is_bot": False,
        "first_name": action.first_name,
        "username": action.username,
        "language_code": action.language_code,
    }


def _chat(action: UserAction) -> dict[str, Any]:
    chat_id = action.chat_id or 0
    if chat_id < 0:
        return {"id": chat_id, "type": "supergroup", "title": "Group"}
    return {
        "id": chat_id,
        "type": "private",
        "first_name": action.first_name,
        "username": action.username,
    }


def _say(room: ChatRoom, action: UserAction) -> dict[str, Any]:
    text = action.text or ""
    message: dict[str, Any] = {
        "message_id": room.draw_message_id(),
        "from": _user(action),
        "chat": _chat(action),
        "date": now_unix(),
        "text": text,
    }
    if text.startswith("/"):
        length = len(text.split()[0])
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
    return message


def _press(room: ChatRoom, action: UserAction) -> dict[str, Any]:
    chat_id, message_id = action.chat_id or 0, action.message_id or 0
    known = room.messages.get((chat_id, message_id))
    message = {"message_id": message_id, "chat": _chat(action), "date": 0}
    return {
        "id": str(uuid.uuid4().int % 10**18),
        "from": _user(action),
        "chat_instance": str(chat_id),
        "message": describe_message(room, known) if known else message,
        "data": action.callback_data,
    }


def _block(room: ChatRoom, action: UserAction) -> dict[str, Any]:
    bot = room.describe_bot()
    member = {"status": "member", "user": bot}
    kicked = {"status": "kicked", "user": bot, "until_date": 0}
    before, after = (member, kicked) if action.blocked else (kicked, member)
    return {
        "chat": _chat(action),
        "from": _user(action),
        "date": now_unix(),
        "old_chat_member": before,
        "new_chat_member": after,
    }
