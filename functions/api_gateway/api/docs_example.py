"""Writes a call of an operation as a curl command, with a body that fits its schema."""

import json
from typing import Any

from functions.api_gateway.api.docs_schema import follow

_DEPTH_MAX = 6
_TEXTS = {
    "uuid": "01920000-0000-7000-8000-000000000001",
    "date-time": "2026-03-02T08:00:00Z",
    "date": "2026-03-02",
    "email": "you@example.com",
    "uri": "https://example.com/",
}


def write_curl(
    verb: str,
    path: str,
    operation: dict[str, Any],
    document: dict[str, Any],
    public_url: str,
) -> str:
    """A command that calls the operation; ``$TOKEN`` and ``$API_KEY`` are the reader's own."""
    parameters = [follow(item, document) for item in operation["parameters"]]
    query = [
        f"{item['name']}={_example(item['schema'], document)}"
        for item in parameters
        if item["in"] == "query" and item.get("required")
    ]
    url = public_url + path + ("?" + "&".join(query) if query else "")
    lines = [f"curl -X {verb.upper()} '{url}'"]
    ways = [way for choice in operation["security"] for way in choice]
    if ways:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if any(item["name"] == "Idempotency-Key" for item in parameters):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        value = json.dumps(_example(body.get("schema", {}), document), ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", "-d '" + value.replace("'", "'\\''") + "'"]
    return " \\\n  ".join(lines)


def _example(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Any:
    """A value that a reader understands; not always one that the room accepts."""
    schema = follow(schema, document)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("example", "const", "default"):
        if key in schema and schema[key] is not None:
            return schema[key]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _example(schema[choice][0], document, depth + 1)
    if depth > _DEPTH_MAX:
        return None
    return _example_of_kind(schema, document, depth)


def _example_of_kind(schema: dict[str, Any], document: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        members = schema.get("properties", {})
        wanted = schema.get("required") or list(members)[:1]
        return {
            name: _example(members[name], document, depth + 1) for name in wanted if name in members
        }
    if kind == "array":
        return [_example(schema.get("items", {}), document, depth + 1)]
    return None if kind == "null" else _scalar(kind, schema)


def _scalar(kind: Any, schema: dict[str, Any]) -> Any:
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    return _TEXTS.get(schema.get("format", ""), "…")
