"""Bot API methods that put messages into chats, change them or take them back."""

from collections.abc import Awaitable, Callable
from typing import Any

from iac.local.sandbox.telegram.body import read_int
from iac.local.sandbox.telegram.errors import Refusal, bad_request
from iac.local.sandbox.telegram.html_text import parse_html
from iac.local.sandbox.telegram.room import ChatRoom, Message, now_text, now_unix

TEXT_MAX = 4_096
CAPTION_MAX = 1_024
CALLBACK_DATA_MAX = 64
CALLBACK_ANSWER_MAX = 200
BUTTONS_MAX = 100
PARSE_MODES = ("", "html", "markdown", "markdownv2")


def demand_chat(room: ChatRoom, parameters: dict[str, Any]) -> int:
    """Return the chat of a call.

    Raises Refusal: 400 without one or for an unknown one (strict_chats), 403 when it blocked the
    bot, 400 with migrate_to_chat_id when a group became a supergroup.
    """
    chat_id = read_int(parameters, "chat_id")
    if chat_id in room.migrated:
        raise Refusal(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            migrate_to_chat_id=room.migrated[chat_id],
        )
    if chat_id in room.blocked:
        raise Refusal(403, "Forbidden: bot was blocked by the user")
    if room.strict_chats and chat_id not in room.chats:
        raise bad_request("chat not found")
    return chat_id


async def send_message(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Send text."""
    draft = _draft(room, parameters, "sendMessage", "text")
    if not draft.text.strip():
        raise bad_request("message text is empty")
    return _deliver(room, draft)


async def send_document(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Send a file."""
    return _send_file(room, parameters, "sendDocument", "document")


async def send_photo(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Send a picture."""
    return _send_file(room, parameters, "sendPhoto", "photo")


def _send_file(room: ChatRoom, parameters: dict[str, Any], method: str, kind: str) -> Any:
    given = parameters.get(kind)
    if isinstance(given, str) and given.startswith("attach://"):
        given = parameters.get(given.removeprefix("attach://"))
    draft = _draft(room, parameters, method, "caption")
    if not given:
        raise bad_request(f"there is no {kind} in the request")
    if isinstance(given, dict) and not given.get("size"):
        raise bad_request("file must be non-empty")
    draft.document = given if isinstance(given, dict) else {"file_name": str(given), "size": 0}
    return _deliver(room, draft)


def _draft(room: ChatRoom, parameters: dict[str, Any], method: str, words: str) -> Message:
    chat_id = demand_chat(room, parameters)
    text, entities = _read_text(parameters, words, TEXT_MAX if words == "text" else CAPTION_MAX)
    return Message(
        message_id=0,
        chat_id=chat_id,
        method=method,
        sent_at=now_text(),
        text=text,
        source_text=str(parameters.get(words, "")),
        parse_mode=parameters.get("parse_mode"),
        entities=entities,
        reply_markup=_read_markup(parameters),
    )


def _deliver(room: ChatRoom, draft: Message) -> dict[str, Any]:
    room.limits.take(draft.chat_id)
    draft.message_id = room.draw_message_id()
    room.keep(draft)
    return describe_message(room, draft)


async def edit_message_text(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Replace a message's text."""
    message = _demand_message(room, parameters, "edit")
    text, entities = _read_text(parameters, "text", TEXT_MAX)
    if not text.strip():
        raise bad_request("message text is empty")
    markup = _read_markup(parameters)
    if (text, entities, markup) == (message.text, message.entities, message.reply_markup):
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly "
            "the same as a current content and reply markup of the message"
        )
    room.limits.take(message.chat_id)
    message.text, message.entities, message.reply_markup = text, entities, markup
    message.source_text = str(parameters.get("text", ""))
    message.parse_mode = parameters.get("parse_mode")
    message.edited_at = now_text()
    return describe_message(room, message)


async def edit_message_reply_markup(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Replace a message's buttons."""
    message = _demand_message(room, parameters, "edit")
    markup = _read_markup(parameters)
    if markup == message.reply_markup:
        raise bad_request("message is not modified")
    message.reply_markup, message.edited_at = markup, now_text()
    return describe_message(room, message)


async def delete_message(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Take a message back."""
    _demand_message(room, parameters, "delete").deleted = True
    return True


async def answer_callback_query(room: ChatRoom, parameters: dict[str, Any]) -> Any:
    """Answer a pressed button, once."""
    callback_id = str(parameters.get("callback_query_id", ""))
    if room.callbacks.get(callback_id) is not False:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(str(parameters.get("text", ""))) > CALLBACK_ANSWER_MAX:
        raise bad_request("MESSAGE_TOO_LONG")
    room.callbacks[callback_id] = True
    return True


def describe_message(room: ChatRoom, message: Message) -> dict[str, Any]:
    """Write a message as the Bot API does."""
    described: dict[str, Any] = {
        "message_id": message.message_id,
        "from": room.describe_bot(),
        "chat": room.describe_chat(message.chat_id),
        "date": now_unix(),
    }
    if message.edited_at:
        described["edit_date"] = now_unix()
    if message.document is not None:
        described |= _describe_upload(message)
    prefix = "caption" if message.document is not None else "text"
    if message.text:
        described[prefix] = message.text
    if message.entities:
        described["caption_entities" if prefix == "caption" else "entities"] = message.entities
    if message.reply_markup and "inline_keyboard" in message.reply_markup:
        described["reply_markup"] = message.reply_markup
    return described


def _describe_upload(message: Message) -> dict[str, Any]:
    upload = message.document or {}
    file = {
        "file_id": f"file-{message.message_id}",
        "file_unique_id": f"unique-{message.message_id}",
        "file_size": upload.get("size", 0),
    }
    if message.method == "sendPhoto":
        return {"photo": [file | {"width": 640, "height": 480}]}
    names = {key: upload[key] for key in ("file_name", "mime_type") if key in upload}
    return {"document": file | names}


def _demand_message(room: ChatRoom, parameters: dict[str, Any], purpose: str) -> Message:
    chat_id = demand_chat(room, parameters)
    message = room.messages.get((chat_id, read_int(parameters, "message_id")))
    if message is None or message.deleted:
        raise bad_request(f"message to {purpose} not found")
    return message


def _read_text(
    parameters: dict[str, Any], name: str, limit: int
) -> tuple[str, list[dict[str, Any]]]:
    source = parameters.get(name, "")
    text = source if isinstance(source, str) else str(source)
    mode = str(parameters.get("parse_mode") or "").lower()
    if mode not in PARSE_MODES:
        raise bad_request("unsupported parse_mode")
    given = parameters.get("entities" if name == "text" else "caption_entities")
    entities: list[dict[str, Any]] = given if isinstance(given, list) else []
    if mode == "html":
        text, entities = parse_html(text)
    if len(text) > limit:
        what = "message is too long" if name == "text" else "message caption is too long"
        raise bad_request(what)
    return text, entities


def _read_markup(parameters: dict[str, Any]) -> dict[str, Any] | None:
    markup = parameters.get("reply_markup")
    if markup in (None, ""):
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    buttons = [button for row in markup.get("inline_keyboard", []) for button in row]
    if len(buttons) > BUTTONS_MAX:
        raise bad_request("reply markup is too long")
    for button in buttons:
        data = button.get("callback_data")
        if not button.get("text"):
            raise bad_request("inline keyboard button text must be non-empty")
        if data is not None and not 1 <= len(str(data).encode()) <= CALLBACK_DATA_MAX:
            raise bad_request("BUTTON_DATA_INVALID")
    return markup


METHODS: dict[str, Callable[[ChatRoom, dict[str, Any]], Awaitable[Any]]] = {
    "sendmessage": send_message,
    "senddocument": send_document,
    "sendphoto": send_photo,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
}
