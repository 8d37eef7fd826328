"""What a door reads from API Gateway's event and adds to every answer, whatever the app is."""

import json
from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from contracts.ids import uuid7
from contracts.permissions import Route
from kit.clock import SystemClock
from kit.context import RequestContext
from kit.errors import (
    Forbidden,
    NotFound,
    QuotaSpent,
    SinyalError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from kit.requests import note_request, open_request_log
from kit.tenancy import Principal, read_principal

DEVICE_CHARACTERS_MAX = 200
UNKNOWN_ROUTE = "(no such route)"

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
}


class LimiterUnavailable(Unavailable):
    """Requests cannot be counted, so those of this plan are not let in."""

    code, title = "limiter_unavailable", "Temporarily unavailable, try again"


def read_context(event: Mapping[str, Any], authorizer: Mapping[str, Any]) -> RequestContext:
    """The request's context: its correlation id is the client's when that is a UUID."""
    headers = {str(k).lower(): v for k, v in (event.get("headers") or {}).items()}
    place = event.get("requestContext") or {}
    identity = place.get("identity") or {}
    device = str(identity.get("userAgent") or headers.get("user-agent") or "")
    return RequestContext(
        correlation_id=_read_uuid(headers.get("x-correlation-id")) or uuid7(),
        request_id=str(place.get("requestId") or uuid7()),
        address=str(identity["sourceIp"])[:64] if identity.get("sourceIp") else None,
        device=device[:DEVICE_CHARACTERS_MAX] or None,
        principal=_read_caller(authorizer),
    )


def _read_uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def _read_caller(authorizer: Mapping[str, Any]) -> Principal | None:
    if not authorizer:
        return None
    try:
        return read_principal(authorizer)
    except Unauthenticated:
        return None


def read_refusal(authorizer: Mapping[str, Any]) -> SinyalError | None:
    """What the authorizer decided against a request whose bearer it knows."""
    verdict = authorizer.get("verdict")
    detail = str(authorizer.get("refusal_detail") or "")
    if verdict in (None, "", "admitted"):
        return None
    if verdict == "unlisted":
        return NotFound("there is no such route")
    if verdict in ("rate_limited", "quota_exhausted"):
        kind = TooManyRequests if verdict == "rate_limited" else QuotaSpent
        retry_after = max(1, int(authorizer.get("retry_after") or 1))
        return kind(detail, retry_after=retry_after)
    if verdict == "limiter_unavailable":
        return LimiterUnavailable(detail, retry_after=1)
    return make_refusal(str(authorizer.get("refusal_code") or Forbidden.code), detail)


def make_refusal(code: str, detail: str) -> Forbidden:
    """A Forbidden under the refusal's own code."""
    error = Forbidden(detail)
    error.code = code  # type: ignore[misc]
    return error


def read_rate_limit(authorizer: Mapping[str, Any]) -> dict[str, str]:
    """The RateLimit header fields, as the authorizer counted."""
    names = {"ratelimit": "rate_limit", "ratelimit-policy": "rate_limit_policy"}
    return {header: str(authorizer[name]) for header, name in names.items() if authorizer.get(name)}


def describe_deprecation(row: Route | None) -> dict[str, str]:
    """Deprecation (RFC 9745), Sunset (RFC 8594) and the successor of a route that will go."""
    if row is None or row.deprecated is None:
        return {}
    return {
        "deprecation": f"@{int(row.deprecated.since.timestamp())}",
        "sunset": format_datetime(row.deprecated.sunset.astimezone(UTC), usegmt=True),
        "link": f'<{row.deprecated.successor}>; rel="successor-version"',
    }


def note_answer(
    event: Mapping[str, Any],
    request: RequestContext,
    row: Route | None,
    answer: Mapping[str, Any],
    latency_ms: float,
) -> None:
    """Leave the request's record for the request log."""
    if open_request_log() is None:
        return
    who = request.principal
    note_request(
        request_id=_read_uuid(request.request_id) or uuid7(),
        tenant_id=who.tenant_id if who else None,
        user_id=who.user_id if who else None,
        method=str(event.get("httpMethod"))[:10],
        route=row.path if row else UNKNOWN_ROUTE,
        status=int(answer["statusCode"]),
        latency_ms=round(latency_ms, 3),
        credential=who.credential if who else "none",
        code=_read_code(answer),
        served_at=SystemClock().now(),
    )


def _read_code(answer: Mapping[str, Any]) -> str | None:
    if int(answer["statusCode"]) < 400:
        return None
    try:
        code = json.loads(answer["body"]).get("code")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return str(code)[:60] if code else None
