"""Merges what the fifteen rooms' apps say of themselves into one OpenAPI 3.1 document."""

import copy
import importlib
import tomllib
from pathlib import Path
from typing import Any

from contracts.permissions import Route
from contracts.routes import BY_PATTERN, ROUTES
from iac.local.rooms import ROOMS
from iac.openapi.operations import describe_operation
from iac.openapi.schemas import merge_schemas, rename_references
from iac.openapi.shared import (
    HEADERS,
    PARAMETERS,
    SECURITY,
    describe_problem,
    describe_problems,
)

DIALECT = "3.1.0"
SERVERS = (
    ("/", "The host that this document came from"),
    ("https://api.sinyal.id", "Production"),
    ("https://api.staging.sinyal.id", "Staging"),
)
INTRODUCTION = """\
Trading signals and automatic trading for MetaTrader 5, by subscription.

**Sign in** with `POST /v1/auth/login` and send the access token as `Authorization: Bearer …`, or
make an API key (`POST /v1/auth/api-keys`) and send it as `X-Api-Key`. What a route asks for (role,
scope, plan, a fresh second factor) stands beside it; what is missing is told by `code` in a 403.

**Errors** are `application/problem+json` (RFC 9457) with a stable `code`. **Lists** take `limit`
and `cursor`; the next page's cursor is `next_cursor`. **Writes** take an `Idempotency-Key`: the
same key and request give the same answer. **Limits** of the plan are told by `RateLimit` and
`RateLimit-Policy`; over them is a 429 with `Retry-After`. Times are UTC, money is whole rupiah.

**Bahasa Indonesia.** Masuk lewat `POST /v1/auth/login` lalu kirim token sebagai
`Authorization: Bearer …`, atau buat kunci API dan kirim sebagai `X-Api-Key`. Kesalahan dijawab
dengan `application/problem+json`; bacalah `code`. Waktu dalam UTC, uang dalam rupiah bulat.
"""


class RouteWithoutRow(LookupError):
    """A room serves what the permissions table does not name."""


def build_document(root: Path) -> dict[str, Any]:
    """The whole product's document. Raises RouteWithoutRow."""
    told = {room: read_room(room) for room in ROOMS}
    schemas, names = merge_schemas(
        {room: document.get("components", {}).get("schemas", {}) for room, document in told.items()}
    )
    schemas["Problem"] = describe_problem()
    operations: dict[tuple[str, str], dict[str, Any]] = {}
    for room, document in told.items():
        for path, verbs in rename_references(document["paths"], names[room]).items():
            for verb, operation in verbs.items():
                row = find_row(verb.upper(), path, room)
                operations[row.method, row.path] = describe_operation(operation, row)
    return {
        "openapi": DIALECT,
        "info": _describe_product(root),
        "servers": [{"url": url, "description": words} for url, words in SERVERS],
        "tags": [_describe_room(room, document) for room, document in told.items()],
        "paths": _order_paths(operations),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": describe_problems(),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


def read_room(room: str) -> dict[str, Any]:
    """What a room's app says of itself, as OpenAPI."""
    app = importlib.import_module(f"functions.{room}.api").app
    return copy.deepcopy(dict(app.openapi()))


def find_row(method: str, path: str, room: str) -> Route:
    """The route's row. Raises RouteWithoutRow."""
    row = BY_PATTERN.get((method, path))
    if row is None or row.room != room:
        raise RouteWithoutRow(f"contracts.routes has no row for {method} {path} of {room}")
    return row


def _order_paths(operations: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Paths and verbs in the table's order."""
    paths: dict[str, Any] = {}
    for row in ROUTES:
        operation = operations.get((row.method, row.path))
        if operation is not None:
            paths.setdefault(row.path, {})[row.method.lower()] = operation
    return paths


def _describe_product(root: Path) -> dict[str, Any]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "title": "Sinyal",
        "version": project["version"],
        "summary": project["description"],
        "description": INTRODUCTION,
        "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    }


def _describe_room(room: str, document: dict[str, Any]) -> dict[str, Any]:
    return {"name": room, "description": document["info"]["description"]}
