"""What a request brings to prove who asks: one access token or one API key, in one place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from contracts.api_keys import ApiKeyAccepted, ApiKeyText, MalformedApiKey, read_api_key
from functions.api_gateway.errors import TokenRefused
from functions.api_gateway.models import Claims, Identity

TOKEN_CHARACTERS_MAX = 4096
API_KEY_PREFIX = "sk_"


class Credential(NamedTuple):
    """A token's text, or a well-formed key."""

    token: str | None
    key: ApiKeyText | None


def read_credential(event: Mapping[str, Any], stage: str) -> Credential:
    """The one credential of a REQUEST authorizer's event. Raises TokenRefused."""
    bearers = _read_header(event, "authorization")
    keys = _read_header(event, "x-api-key")
    if len(bearers) + len(keys) != 1:
        raise TokenRefused("send either one Authorization header or one X-Api-Key")
    if keys:
        return Credential(None, _read_key(keys[0].strip(), stage))
    scheme, _, text = bearers[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(text) <= TOKEN_CHARACTERS_MAX:
        raise TokenRefused("send Authorization: Bearer and an access token")
    if text.startswith(API_KEY_PREFIX):
        return Credential(None, _read_key(text, stage))
    return Credential(text, None)


def _read_header(event: Mapping[str, Any], wanted: str) -> list[str]:
    """All values of a header, whatever its case."""
    values = [
        value
        for name, many in (event.get("multiValueHeaders") or {}).items()
        if name.lower() == wanted
        for value in many
    ] or [value for name, value in (event.get("headers") or {}).items() if name.lower() == wanted]
    if not all(isinstance(value, str) for value in values):
        raise TokenRefused("a header is no text")
    return values


def _read_key(text: str, stage: str) -> ApiKeyText:
    try:
        key = read_api_key(text)
    except MalformedApiKey as error:
        raise TokenRefused("the API key is mistyped") from error
    if key.stage != stage:
        raise TokenRefused("the API key is of another environment")
    return key


def identify_claims(claims: Claims) -> Identity:
    """Who a verified token speaks for."""
    return Identity(
        user_id=claims.sub,
        tenant_id=claims.tid,
        role=claims.role,
        tier=claims.tier,
        scope=claims.scope,
        credential="session",
        subject_id=claims.sid,
        issued_ms=claims.ims if claims.ims // 1_000 == claims.iat else claims.iat * 1_000,
        platform_admin=claims.adm,
        support=claims.sup,
        stepped_up_at=datetime.fromtimestamp(claims.sua, UTC) if claims.sua else None,
    )


def identify_key(key: ApiKeyAccepted, vouched_ms: int) -> Identity:
    """Who an accepted key speaks for; never the platform's staff."""
    return Identity(
        user_id=key.user_id,
        tenant_id=key.tenant_id,
        role=key.role,
        tier=key.tier,
        scope=key.scope,
        credential="api_key",
        subject_id=key.key_id,
        issued_ms=vouched_ms,
        key_rate=key.requests_per_second,
    )
