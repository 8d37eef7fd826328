"""Parameters of a Bot API call: query, JSON, URL-encoded and multipart bodies alike."""

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from iac.local.sandbox.telegram.errors import bad_request

FIELDS_MAX = 100
JSON_FIELDS = frozenset(
    {
        "reply_markup",
        "commands",
        "scope",
        "entities",
        "caption_entities",
        "allowed_updates",
        "link_preview_options",
        "reply_parameters",
        "menu_button",
    }
)


async def read_parameters(request: Request) -> dict[str, Any]:
    """Return the call's parameters; files become {file_name, mime_type, size}.

    Fields that hold JSON objects or lists are decoded. Raises Refusal for a body that is not
    what its content type says.
    """
    parameters: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    body = await request.body()
    if not body:
        return _decode_values(parameters)
    if kind == "application/json":
        parameters |= _read_json(body)
    elif kind == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError as error:
            raise bad_request("can't parse the form") from error
        parameters |= dict(pairs)
    elif kind == "multipart/form-data":
        parameters |= _read_multipart(request.headers["content-type"], body)
    else:
        raise bad_request(f"unsupported content type {kind!r}")
    return _decode_values(parameters)


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise bad_request("can't parse JSON object") from error
    if not isinstance(document, dict):
        raise bad_request("object expected")
    return document


def _read_multipart(content_type: str, body: bytes) -> dict[str, Any]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise bad_request("can't parse multipart body")
    fields: dict[str, Any] = {}
    for part in list(message.iter_parts())[:FIELDS_MAX]:
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        file_name = part.get_filename()
        if not isinstance(name, str):
            continue
        if file_name is None:
            fields[name] = data.decode("utf-8", "replace")
        else:
            kind = part.get_content_type()
            fields[name] = {"file_name": file_name, "mime_type": kind, "size": len(data)}
    return fields


def _decode_values(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: _decode(name, value) for name, value in parameters.items()}


def _decode(name: str, value: Any) -> Any:
    if name not in JSON_FIELDS or not isinstance(value, str) or not value:
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise bad_request(f"can't parse {name} JSON object") from error


def read_int(parameters: dict[str, Any], name: str) -> int:
    """Read a whole number; Telegram takes it as a number or as text."""
    value = parameters.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise bad_request(f"{name} is empty" if value is None else f"{name} must be an integer")
    try:
        return int(value)
    except ValueError as error:
        raise bad_request(f"{name} must be an integer") from error


def read_flag(parameters: dict[str, Any], name: str) -> bool:
    """Read a boolean."""
    return str(parameters.get(name, "")).lower() in ("true", "1")
