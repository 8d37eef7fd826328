"""The REST API's REQUEST authorizer: who asks, whether they may, and whether it is not too much.

A bearer who is known gets a policy with a verdict that the door turns into its answer; others get
401. Fails closed: without the issuer's keys nobody passes, and the log says why. Stores are opened
at the first request that needs them: the cold start is short.
"""

import time
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from contracts.api_keys import ApiKeyText
from contracts.audit import AuditRecorded
from contracts.ids import NIL, derived_id, uuid7
from contracts.permissions import Route
from contracts.routes import find_route
from functions.api_gateway.errors import RecordsUnavailable, ReissueNeeded, Unauthorized
from functions.api_gateway.gateway import Introspection, IssuerKeys
from functions.api_gateway.logic.admission import Admission
from functions.api_gateway.logic.chain import Said, append_entry
from functions.api_gateway.logic.credentials import identify_claims, identify_key, read_credential
from functions.api_gateway.logic.keys import KeyBook
from functions.api_gateway.logic.quota import choose_block, find_day
from functions.api_gateway.logic.tokens import KeyRing, verify_token
from functions.api_gateway.logic.verdicts import build_policy, judge_route, refuse_unaudited
from functions.api_gateway.models import Identity, Verdict
from functions.api_gateway.settings import settings
from functions.api_gateway.store.gate import Gate, open_gate_redis
from functions.api_gateway.store.records import Records
from kit.clock import Clock, SystemClock
from kit.errors import SinyalError
from kit.observability import log, warn
from kit.service_tokens import sign
from kit.settings import read_secret

if TYPE_CHECKING:
    from kit.db import Database

ROOM = "api_gateway"
DEVICE_CHARACTERS_MAX = 200


def _database() -> "Database":
    from kit.db import open_database

    return open_database("api_gateway", settings().event_bus_name)


def _clock() -> Clock:
    return SystemClock()


@lru_cache(maxsize=2)
def _open_keys(issuer: str) -> KeyRing:
    return KeyRing(IssuerKeys(issuer).fetch)


@lru_cache(maxsize=1)
def _gate() -> Gate:
    return Gate(lambda: open_gate_redis(str(read_secret("redis")["url"])))


@lru_cache(maxsize=1)
def _records() -> Records:
    return Records(lambda: _database(), find_day, choose_block)  # noqa: PLW0108


@lru_cache(maxsize=1)
def _admission() -> Admission:
    return Admission(_gate(), _records())


@lru_cache(maxsize=1)
def _key_book() -> KeyBook:
    def prove(now: datetime) -> str:
        return sign(ROOM, "user_service", read_secret("service/api_gateway"), now)

    introspection = Introspection(settings().public_url, prove)
    return KeyBook(_gate(), _admission().gate_breaker, introspection.ask, time.monotonic)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer API Gateway. Raises Unauthorized."""
    now = _clock().now()
    try:
        who, verdict = _admit(event, now)
    except SinyalError as error:
        warn("request not authorized", code=error.code, detail=error.detail)
        raise Unauthorized from None
    route = find_route(str(event.get("httpMethod")), str(event.get("path")))
    who, verdict = judge_route(route, who, verdict, now)
    if route is not None and route.access == "staff" and verdict.kind == "admitted":
        verdict = _audit_staff(event, route, who, verdict, now)
    log(
        "request authorized",
        tenant_id=str(who.tenant_id),
        user_id=str(who.user_id),
        verdict=verdict.kind,
        code=verdict.code,
    )
    return build_policy(who, verdict, str(event["methodArn"]))


def _admit(event: dict[str, Any], now: datetime) -> tuple[Identity, Verdict]:
    """Who asks, and whether their request counts. Raises SinyalError."""
    token, key = read_credential(event, settings().stage)
    request_id = str((event.get("requestContext") or {}).get("requestId") or uuid7())[:80]
    if key is not None:
        return _admit_key(key, request_id, now)
    claims = verify_token(str(token), _open_keys(settings().public_url), settings().public_url, now)
    who = identify_claims(claims)
    return who, _admission().admit(who, request_id, now)


def _admit_key(key: ApiKeyText, request_id: str, now: datetime) -> tuple[Identity, Verdict]:
    """Admit a key's request; when its owner changed since, ask about the key once more."""
    who = identify_key(*_key_book().find(key, now))
    try:
        return who, _admission().admit(who, request_id, now)
    except ReissueNeeded:
        _key_book().forget(key)
        who = identify_key(*_key_book().find(key, _clock().now()))
    return who, _admission().admit(who, request_id, now)


def _audit_staff(
    event: dict[str, Any], route: Route, who: Identity, verdict: Verdict, now: datetime
) -> Verdict:
    """Write down what the platform's staff is about to do; unwritten, it is not done."""
    context = event.get("requestContext") or {}
    identity = context.get("identity") or {}
    tenant_id = _read_subject(route, str(event.get("path")))
    device = str(identity.get("userAgent") or "")[:DEVICE_CHARACTERS_MAX]
    request_id = str(context.get("requestId") or uuid7())
    deed = AuditRecorded(
        room=ROOM,
        actor_kind="admin" if who.platform_admin else "support",
        actor_id=who.user_id,
        action="staff.access",
        target_kind="route",
        target_id=f"{route.method} {route.path}"[:80],
        address=str(identity["sourceIp"])[:64] if identity.get("sourceIp") else None,
        device=device or None,
    )
    try:
        said = Said(derived_id("staff", request_id), uuid7(), now, deed)
        _records().append_audit(tenant_id, lambda log: append_entry(log, tenant_id, said))
    except RecordsUnavailable as error:
        warn("staff access refused: it cannot be audited", detail=error.detail)
        return refuse_unaudited(verdict)
    return verdict


def _read_subject(route: Route, path: str) -> UUID:
    """Whose chain it belongs to: the tenant that the path names, else the platform."""
    parts = dict(zip(route.path.split("/"), path.rstrip("/").split("/"), strict=True))
    try:
        return UUID(parts["{tenant_id}"])
    except (KeyError, ValueError):
        return NIL
