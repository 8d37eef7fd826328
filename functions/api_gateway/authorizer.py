"""The REST API's REQUEST authorizer: a valid token gets a policy and a context, others get 401.

Fails closed: without the issuer's keys nobody passes, and the log says why.
"""

from functools import lru_cache
from typing import Any

from functions.api_gateway.errors import Unauthorized
from functions.api_gateway.gateway import IssuerKeys
from functions.api_gateway.logic import KeyRing, build_policy, read_bearer, verify_token
from functions.api_gateway.settings import settings
from kit.clock import Clock, SystemClock
from kit.errors import SinyalError
from kit.observability import log, warn


@lru_cache(maxsize=2)
def _open_keys(issuer: str) -> KeyRing:
    return KeyRing(IssuerKeys(issuer).fetch)


def _keys() -> KeyRing:
    return _open_keys(settings().public_url)


def _clock() -> Clock:
    return SystemClock()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer API Gateway. Raises Unauthorized."""
    try:
        token = read_bearer(event)
        claims = verify_token(token, _keys(), settings().public_url, _clock().now())
    except SinyalError as error:
        warn("request not authorized", code=error.code, detail=error.detail)
        raise Unauthorized from None
    log("request authorized", tenant_id=str(claims.tid), user_id=str(claims.sub))
    return build_policy(claims, str(event["methodArn"]))
