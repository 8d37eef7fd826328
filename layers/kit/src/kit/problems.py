"""problem+json (RFC 9457): how every refusal of the API looks, and how it is documented."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from kit.errors import BadRequest, NotFound, SinyalError, Unprocessable
from kit.observability import get_logger, log

PROBLEM = "application/problem+json"
FIELDS_MAX = 20

_MEANINGS = {
    400: "The request cannot be read.",
    401: "Who asks is not known: sign in.",
    403: "Who asks may not do this; `code` says what is missing.",
    404: "There is no such resource, or it belongs to somebody else.",
    405: "The route does not take this method.",
    409: "The state of things does not allow it, or the Idempotency-Key was used otherwise.",
    410: "It was there and is gone.",
    413: "The body is over 256 KiB.",
    422: "A value is not valid; `fields` names them.",
    429: "Too many requests (`rate_limited`), or the day's quota is used up.",
    500: "A failure on our side.",
    503: "A store or provider did not answer; try again later.",
}
ALWAYS = (400, 401, 403, 413, 422, 429, 500, 503)
"""What any route can answer."""


class Problem(BaseModel):
    """RFC 9457 problem details. Other members depend on the problem."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's ``responses=``: the problems a route can answer."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def respond_problem(error: SinyalError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Render an error as problem+json."""
    own = {}
    if retry_after := error.extra.get("retry_after"):
        own["retry-after"] = str(retry_after)
    return JSONResponse(
        error.to_problem(),
        status_code=error.status,
        media_type=PROBLEM,
        headers={**own, **(headers or {})},
    )


async def on_sinyal_error(_request: Request, error: Exception) -> JSONResponse:
    """A refusal by name."""
    assert isinstance(error, SinyalError)
    log("request refused", code=error.code, status=error.status, detail=error.detail)
    return respond_problem(error)


async def on_invalid(_request: Request, error: Exception) -> JSONResponse:
    """A body or parameter that does not fit; says where, never what was sent."""
    assert isinstance(error, RequestValidationError)
    items = error.errors()
    if any(item["type"] == "json_invalid" for item in items):
        return respond_problem(BadRequest("the body is not valid JSON"))
    fields = [
        {"field": ".".join(map(str, item["loc"])), "reason": item["msg"]}
        for item in items[:FIELDS_MAX]
    ]
    return respond_problem(
        Unprocessable("; ".join(f"{f['field']}: {f['reason']}" for f in fields), fields=fields)
    )


async def on_http(_request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses: an unknown route, a wrong method."""
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
    return JSONResponse(
        problem, status_code=error.status_code, media_type=PROBLEM, headers=error.headers
    )


async def on_bug(request: Request, _error: Exception) -> JSONResponse:
    """An unknown failure: logged whole, told in one sentence."""
    get_logger().exception("request failed unexpectedly", extra={"path": request.url.path})
    return respond_problem(SinyalError("the failure is logged; try again, then tell support"))
