"""The HTTP door: a FastAPI app behind the permissions table, with problem+json errors and limits.

A room's ``api`` is ``app = make_app(...)`` plus routes, and ``handler = make_handler(app)``. What
the authorizer decided (who asks, under which rate limit) comes in the request's context; a room
run alone decides by the same table.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.permissions import Route, decide
from contracts.routes import BY_PATTERN, find_route
from kit import problems as _problems
from kit.clock import SystemClock
from kit.context import use
from kit.door import (
    SECURITY_HEADERS,
    describe_deprecation,
    make_refusal,
    note_answer,
    read_context,
    read_rate_limit,
    read_refusal,
)
from kit.errors import BadRequest, Forbidden, PayloadTooLarge, SinyalError
from kit.observability import log, redact
from kit.problems import ALWAYS, PROBLEM, problems, respond_problem
from kit.tenancy import Principal, read_principal

__all__ = [
    "PROBLEM",
    "CurrentPrincipal",
    "make_app",
    "make_handler",
    "problems",
    "read_json",
    "respond_problem",
]

MAX_BODY_BYTES = 256 * 1024
EXPOSED_HEADERS = (
    "ratelimit", "ratelimit-policy", "retry-after", "x-correlation-id", "deprecation", "sunset",
    "link", "etag", "idempotency-replayed",
)  # fmt: skip


def _authorizer(request: Request) -> Mapping[str, Any]:
    event = request.scope.get("aws.event") or {}
    return (event.get("requestContext") or {}).get("authorizer") or {}


def _principal(request: Request) -> Principal:
    return read_principal(_authorizer(request))


CurrentPrincipal = Annotated[Principal, Depends(_principal)]
"""Route parameter: who asks. 401 when the authorizer said nothing."""


def _enforce_permissions(request: Request) -> None:
    """Refuse a matched route by its row of the permissions table. Raises Forbidden.

    The authorizer decided by the path it saw; this is the route that is really served.
    """
    pattern = request.scope["route"].path
    row = request.app.state.table.get((request.method, pattern))
    if row is None:
        raise Forbidden("this route is closed")
    if row.access == "open":
        return
    refusal = decide(row, _principal(request), SystemClock().now())
    if refusal is not None:
        raise make_refusal(refusal.code, refusal.detail)


class _BodyLimit:
    """Refuses bodies over the limit, whether or not they declare their length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY_BYTES:
                error = PayloadTooLarge(f"send at most {MAX_BODY_BYTES} bytes")
                await respond_problem(error)(scope, receive, send)
                return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


def make_app(
    room: str, purpose: str, table: Mapping[tuple[str, str], Route] = BY_PATTERN
) -> FastAPI:
    """A room's FastAPI app with the shared permissions, error answers, limits and headers."""
    app = FastAPI(
        title=room,
        description=purpose,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(_enforce_permissions)],
        responses=problems(*ALWAYS),
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.table = table
    app.add_middleware(_BodyLimit)
    app.add_middleware(
        CORSMiddleware,  # bearer tokens, no cookies: any origin may ask
        allow_origins=["*"],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["authorization", "content-type", "idempotency-key", "x-correlation-id",
                       "x-api-key", "if-match"],
        expose_headers=list(EXPOSED_HEADERS),
        max_age=7_200,
    )  # fmt: skip
    app.add_exception_handler(SinyalError, _problems.on_sinyal_error)
    app.add_exception_handler(RequestValidationError, _problems.on_invalid)
    app.add_exception_handler(HTTPException, _problems.on_http)
    app.add_exception_handler(Exception, _problems.on_bug)
    return app


@lru_cache(maxsize=1)
def _process_loop() -> asyncio.AbstractEventLoop:
    """The loop that Mangum runs requests on: it asks for the current one, which any
    ``asyncio.run`` elsewhere in the process takes away."""
    return asyncio.new_event_loop()


def make_handler(app: FastAPI) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Wrap the app for a REST API event (proxy integration, payload 1.0)."""
    from mangum import Mangum
    from mangum.handlers import APIGateway

    adapter = Mangum(
        app,
        lifespan="off",
        custom_handlers=[APIGateway],
        text_mime_types=["text/", "application/json", PROBLEM],
    )

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        began = time.perf_counter()
        authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
        request = read_context(event, authorizer)
        with use(request):
            refusal = read_refusal(authorizer)
            if refusal is None:
                asyncio.set_event_loop(_process_loop())
                answer: dict[str, Any] = adapter(event, context)
            else:
                answer = _render(refusal)
            row = find_route(str(event.get("httpMethod")), str(event.get("path")))
            headers = answer.setdefault("headers", {})
            for name, value in {
                **SECURITY_HEADERS,
                "x-correlation-id": str(request.correlation_id),
                **read_rate_limit(authorizer),
                **describe_deprecation(row),
            }.items():
                headers.setdefault(name, value)
            status = int(answer["statusCode"])
            latency_ms = (time.perf_counter() - began) * 1_000
            log(
                "request handled",
                method=event.get("httpMethod"),
                path=event.get("path"),
                status=status,
                latency_ms=round(latency_ms, 3),
                query=redact(dict(event.get("queryStringParameters") or {})),
            )
            note_answer(event, request, row, answer, latency_ms)
        return answer

    return handle


def _render(error: SinyalError) -> dict[str, Any]:
    """A refusal that needs no app."""
    answer = respond_problem(error)
    headers = {name.decode(): value.decode() for name, value in answer.raw_headers}
    return {
        "statusCode": answer.status_code,
        "headers": {**headers, "access-control-allow-origin": "*"},
        "body": bytes(answer.body).decode(),
        "isBase64Encoded": False,
    }


def read_json(text: str) -> Any:
    """Parse JSON; raises BadRequest."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadRequest("the body is not valid JSON") from error
