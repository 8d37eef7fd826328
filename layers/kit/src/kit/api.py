"""The HTTP door: a FastAPI app with problem+json errors, a body limit and the authorizer's word.

A room's ``api.py`` is ``app = make_app(...)`` plus routes, and ``handler = make_handler(app)``.
"""

import asyncio
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import BadRequest, NotFound, PayloadTooLarge, SinyalError, Unprocessable
from kit.observability import get_logger, log, redact
from kit.tenancy import Principal, read_principal

MAX_BODY_BYTES = 256 * 1024
PROBLEM = "application/problem+json"

_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
}


def respond_problem(error: SinyalError) -> JSONResponse:
    """Render an error as problem+json."""
    headers = {}
    if retry_after := error.extra.get("retry_after"):
        headers["retry-after"] = str(retry_after)
    return JSONResponse(
        error.to_problem(), status_code=error.status, media_type=PROBLEM, headers=headers
    )


def _principal(request: Request) -> Principal:
    event = request.scope.get("aws.event") or {}
    return read_principal((event.get("requestContext") or {}).get("authorizer") or {})


CurrentPrincipal = Annotated[Principal, Depends(_principal)]
"""Route parameter: who asks. 401 when the authorizer said nothing."""


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


async def _on_sinyal_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SinyalError)
    log("request refused", code=error.code, status=error.status, detail=error.detail)
    return respond_problem(error)


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    items = error.errors()
    if any(item["type"] == "json_invalid" for item in items):
        return respond_problem(BadRequest("the body is not valid JSON"))
    fields = [
        {"field": ".".join(map(str, item["loc"])), "reason": item["msg"]} for item in items[:20]
    ]
    return respond_problem(
        Unprocessable("; ".join(f"{f['field']}: {f['reason']}" for f in fields), fields=fields)
    )


async def _on_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == NotFound.status:
        return respond_problem(NotFound("there is no such route"))
    problem = {
        "type": "about:blank",
        "title": str(error.detail),
        "status": error.status_code,
        "code": f"http_{error.status_code}",
        "detail": str(error.detail),
    }
    return JSONResponse(problem, status_code=error.status_code, media_type=PROBLEM)


async def _on_bug(request: Request, _error: Exception) -> JSONResponse:
    get_logger().exception("request failed unexpectedly", extra={"path": request.url.path})
    return respond_problem(SinyalError("the failure is logged; try again, then tell support"))


def make_app(room: str, purpose: str) -> FastAPI:
    """A room's FastAPI app with the shared error answers, limits and headers."""
    app = FastAPI(title=room, description=purpose, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_BodyLimit)
    app.add_exception_handler(SinyalError, _on_sinyal_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)
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
        asyncio.set_event_loop(_process_loop())
        answer: dict[str, Any] = adapter(event, context)
        headers = answer.setdefault("headers", {})
        for name, value in _SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        log(
            "request handled",
            method=event.get("httpMethod"),
            path=event.get("path"),
            status=answer.get("statusCode"),
            query=redact(dict(event.get("queryStringParameters") or {})),
        )
        return answer

    return handle


def read_json(text: str) -> Any:
    """Parse JSON; raises BadRequest."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadRequest("the body is not valid JSON") from error
