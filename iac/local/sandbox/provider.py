"""What every sandbox offers the control face, and the reply shape they answer with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Document = dict[str, Any]


class BadControlRequest(Exception):
    """The control face was asked for something it cannot do; the message says what."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, complete: status, headers and body go out together."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_response(self) -> Response:
        """Turn into a Starlette response."""
        headers = {"content-type": self.content_type, **self.headers}
        return Response(self.body, self.status, headers)


def json_reply(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """Build a JSON reply."""
    return Reply(status, json.dumps(document, ensure_ascii=False).encode(), headers=headers or {})


class Provider(Protocol):
    """One vendor: its wire routes, its own control routes, its error shape."""

    name: str

    def wire_routes(self) -> list[Route]:
        """List the vendor's own routes."""
        ...

    def control_routes(self) -> list[Route]:
        """List the routes under /_sandbox that only this vendor has."""
        ...

    def error_reply(self, status: int, path: str, retry_after: int | None, /) -> Reply:
        """Say `status` the way the vendor does, for a fault without a body."""
        ...

    def configure(self, changes: Document) -> None:
        """Apply settings; raises BadControlRequest naming what is unknown or wrong."""
        ...

    def describe_settings(self) -> Document:
        """Show the settings in force, without secrets."""
        ...

    def reset(self) -> None:
        """Forget all state but the wiring (webhook address, keys)."""
        ...

    async def close(self) -> None:
        """Stop background work."""
        ...


async def read_document(request: Request) -> Document:
    """Read a JSON object from a control request.

    Raises BadControlRequest when the body is something else.
    """
    try:
        document = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise BadControlRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadControlRequest("the body must be a JSON object")
    return document


def fault_words(request: Request) -> Document:
    """Return what a `reply` fault asked the provider to say in this request."""
    words = request.scope.get("sandbox.reply")
    return words if isinstance(words, dict) else {}
