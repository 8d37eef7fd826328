"""Renders JSON Schema for people: one line for a type, a table for an object."""

import json
from html import escape
from typing import Any

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "like {}",
    "default": "default {}",
}
_NESTED_MAX = 6
"""Schemas written in place go no deeper than this."""


def follow(node: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for, or the node itself."""
    if "$ref" not in node:
        return node
    found: Any = document
    for part in str(node["$ref"]).removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def render_content(content: dict[str, Any]) -> str:
    """The media types of a body with their schemas."""
    return "".join(
        f"<div><small>{escape(kind)}</small> {render_schema(media.get('schema', {}))}</div>\n"
        for kind, media in content.items()
    )


def render_schema(schema: dict[str, Any], depth: int = 0) -> str:
    """A table for an object with members, a line for anything else."""
    if "properties" not in schema or depth >= _NESTED_MAX:
        return render_type(schema, depth)
    required = set(schema.get("required", ()))
    rows = "".join(
        _render_member(name, member, name in required, depth)
        for name, member in schema["properties"].items()
    )
    return (
        '<div class="wide"><table><thead><tr><th scope="col">member</th>'
        '<th scope="col">type</th><th scope="col">meaning</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>\n"
    )


def _render_member(name: str, member: dict[str, Any], required: bool, depth: int) -> str:
    must = "" if required else " <small>optional</small>"
    return (
        f"<tr><td><code>{escape(name)}</code>{must}</td>"
        f"<td>{render_schema(member, depth + 1)}</td>"
        f"<td>{escape(member.get('description', ''), quote=False)}</td></tr>"
    )


def render_type(schema: dict[str, Any], depth: int = 0) -> str:
    """A schema in one line: its type, its bounds, a link when it has a name."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if depth >= _NESTED_MAX:
        return "…"
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            joint = " and " if choice == "allOf" else " or "
            return joint.join(render_type(part, depth + 1) for part in schema[choice])
    if "const" in schema:
        return f"<code>{escape(_write(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(_write(value))}</code>" for value in schema["enum"])
    return _render_plain(schema, depth)


def _render_plain(schema: dict[str, Any], depth: int) -> str:
    kinds = schema.get("type", "anything")
    name = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if name == "array":
        name = f"list of {render_schema(schema.get('items', {}), depth + 1)}"
    elif isinstance(schema.get("additionalProperties"), dict):
        name = f"map to {render_schema(schema['additionalProperties'], depth + 1)}"
    else:
        name = escape(name)
    if "format" in schema:
        name += f" ({escape(schema['format'])})"
    bounds = [
        words.format(f"<code>{escape(_write(schema[key]))}</code>")
        for key, words in _BOUNDS.items()
        if schema.get(key) is not None
    ]
    return ", ".join([name, *bounds])


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
