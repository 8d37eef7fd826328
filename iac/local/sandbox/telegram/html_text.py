"""Telegram's HTML mode: the tags it knows, its errors, and the plain text with entities."""

import html
import re
from typing import Any

from iac.local.sandbox.telegram.errors import bad_request

ENTITY_OF_TAG = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s[^<>]*)?)>")
ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")
REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")


def count_utf16(text: str) -> int:
    """Count UTF-16 code units, the unit of Telegram's offsets."""
    return len(text.encode("utf-16-le")) // 2


def parse_html(markup: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the plain text and its entities.

    Raises Refusal with Telegram's words for an unknown, unclosed or crossed tag.
    """
    plain: list[str] = []
    entities: list[dict[str, Any]] = []
    stack: list[tuple[str, int, dict[str, Any]]] = []
    length = 0
    position = 0
    while position < len(markup):
        opening = markup.find("<", position)
        text = _decode(markup[position : opening if opening >= 0 else len(markup)])
        plain.append(text)
        length += count_utf16(text)
        if opening < 0:
            break
        tag = TAG.match(markup, opening)
        at = len(markup[:opening].encode())
        if tag is None:
            raise _cannot_parse(f'Unsupported start tag "{_word(markup, opening)}"', at)
        position = tag.end()
        closing, name, attributes = tag.group(1), tag.group(2).lower(), tag.group(3)
        if closing:
            _close(name, at, length, stack, entities)
        else:
            stack.append((name, length, _open(name, attributes, at)))
    if stack:
        raise _cannot_parse(f'Can\'t find end tag corresponding to start tag "{stack[-1][0]}"')
    return "".join(plain), sorted(entities, key=lambda one: (one["offset"], -one["length"]))


def _open(name: str, attributes: str, at: int) -> dict[str, Any]:
    if name not in ENTITY_OF_TAG:
        raise _cannot_parse(f'Unsupported start tag "{name}"', at)
    values = {
        m[1].lower(): html.unescape(m[2] or m[3] or m[4] or "")
        for m in ATTRIBUTE.finditer(attributes)
    }
    if name == "span" and values.get("class") != "tg-spoiler":
        raise _cannot_parse('Tag "span" must have class "tg-spoiler"', at)
    entity: dict[str, Any] = {"type": ENTITY_OF_TAG[name]}
    if name == "a":
        entity["url"] = values.get("href", "")
    if name == "tg-emoji":
        entity["custom_emoji_id"] = values.get("emoji-id", "")
    return entity


def _close(
    name: str,
    at: int,
    length: int,
    stack: list[tuple[str, int, dict[str, Any]]],
    entities: list[dict[str, Any]],
) -> None:
    if not stack:
        raise _cannot_parse("Unexpected end tag", at)
    opened, start, entity = stack.pop()
    if opened != name:
        raise _cannot_parse(
            f'Unmatched end tag at byte offset {at}, expected "</{opened}>", found "</{name}>"'
        )
    if length > start and entity.get("url") != "":
        entities.append({**entity, "offset": start, "length": length - start})


def _decode(text: str) -> str:
    return REFERENCE.sub(lambda reference: html.unescape(reference.group(0)), text)


def _word(markup: str, opening: int) -> str:
    found = re.match(r"[^\s>]*", markup[opening + 1 : opening + 33])
    return found.group(0) if found else ""


def _cannot_parse(what: str, at: int | None = None) -> Exception:
    where = "" if at is None else f" at byte offset {at}"
    return bad_request(f"can't parse entities: {what}{where}")
