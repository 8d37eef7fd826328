"""The Bot API methods, each a function of the room and the call's parameters."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from iac.local.sandbox.telegram.body import read_flag, read_int
from iac.local.sandbox.telegram.errors import Refusal, bad_request
from iac.local.sandbox.telegram.room import ChatRoom, command_scope
from iac.local.sandbox.telegram.sending import METHODS as SENDING_METHODS
from iac.local.sandbox.telegram.sending import demand_chat

SECRET_LENGTH_MAX = 256
COMMANDS_MAX = 100
ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)
POLL_STEP_S = 0.05
POLL_MAX_S = 50
Method = Callable[[ChatRoom, dict[str, Any]], Awaitable[Any]]


async def get_me(room: ChatRoom, _: dict[str, Any]) -> Any:
    """Describe the bot."""
    return room.describe_bot() | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


async def set_webhook(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Set or remove the webhook; plain http is taken for loopback addresses only."""
    url = str(parameters.get("url", ""))
    parts = urlsplit(url)
    host = parts.hostname or ""
    local = host in ("127.0.0.1", "localhost") or host.endswith(".localhost")
    if url and parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    secret = str(parameters.get("secret_token", ""))
    allowed = secret.replace("_", "").replace("-", "")
    if len(secret) > SECRET_LENGTH_MAX or (secret and not (allowed.isalnum() and secret.isascii())):
        raise bad_request("secret token contains unallowed characters")
    room.webhook.set(url, room.webhook.host_header if url else "")
    room.webhook_secret = secret
    room.webhook_error = {}
    if read_flag(parameters, "drop_pending_updates"):
        room.updates.clear()
    return True


async def delete_webhook(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Remove the webhook."""
    return await set_webhook(room, {**parameters, "url": "", "secret_token": ""})


async def get_webhook_info(room: ChatRoom, _: dict[str, Any]) -> Any:
    """Describe the webhook and its last failure."""
    return {
        "url": room.webhook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(room.updates),
        "max_connections": 40,
        **room.webhook_error,
    }


async def get_updates(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Hand out updates by polling; refused while a webhook is set."""
    if room.webhook.url:
        raise Refusal(
            409,
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to "
            "delete the webhook first",
        )
    offset = read_int(parameters, "offset") if "offset" in parameters else 0
    while room.updates and room.updates[0]["update_id"] < offset:
        room.updates.popleft()
    timeout_s = read_int(parameters, "timeout") if "timeout" in parameters else 0
    for _ in range(int(min(max(timeout_s, 0), POLL_MAX_S) / POLL_STEP_S)):
        if room.updates:
            break
        await asyncio.sleep(POLL_STEP_S)
    limit = read_int(parameters, "limit") if "limit" in parameters else 100
    return list(room.updates)[: min(max(limit, 1), 100)]


async def set_my_commands(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Set the command list of a scope and language."""
    commands = parameters.get("commands")
    if not isinstance(commands, list) or len(commands) > COMMANDS_MAX:
        raise bad_request("commands must be a list of at most 100 commands")
    for command in commands:
        name, text = str(command.get("command", "")), str(command.get("description", ""))
        plain = name.replace("_", "")
        if not 1 <= len(name) <= 32 or not plain.isalnum() or name != name.lower():
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(text) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    room.commands[command_scope(parameters)] = commands
    return True


async def get_my_commands(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Read the command list of a scope and language."""
    return room.commands.get(command_scope(parameters), [])


async def delete_my_commands(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Remove the command list of a scope and language."""
    room.commands.pop(command_scope(parameters), None)
    return True


async def send_chat_action(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Show "typing" and the like."""
    demand_chat(room, parameters)
    if parameters.get("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    return True


async def get_chat(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Describe a chat."""
    chat_id = demand_chat(room, parameters)
    return room.describe_chat(chat_id) | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": {
            "unlimited_gifts": True,
            "limited_gifts": True,
            "unique_gifts": True,
            "premium_subscription": True,
            "gifts_from_channels": True,
        },
    }


async def get_chat_member(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Describe a member of a chat."""
    demand_chat(room, parameters)
    user_id = read_int(parameters, "user_id")
    if user_id == room.bot_id:
        return {"status": "member", "user": room.describe_bot()}
    return {"status": "member", "user": {"id": user_id, "is_bot": False, "first_name": "User"}}


METHODS: dict[str, Method] = {
    "getme": get_me,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "getupdates": get_updates,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "sendchataction": send_chat_action,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    **SENDING_METHODS,
}
