"""Whose access token it is: the issuer's keys, and what a token must be to be believed.

``jwt`` and ``cryptography`` are imported where they are used: the health routes start without them.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions.api_gateway.errors import KeysUnavailable, TokenRefused
from functions.api_gateway.models import Claims

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALGORITHM = "EdDSA"
AUDIENCE = "sinyal-api"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's name for access tokens
LEEWAY = timedelta(seconds=5)
KEYS_LIFE = timedelta(minutes=5)
REFETCH_FLOOR = timedelta(seconds=10)
RETRY_FLOOR = timedelta(seconds=1)
KEYS_MAX = 16


class KeyRing:
    """The issuer's public keys, kept for five minutes.

    An unknown key id fetches them anew, at most every ten seconds, so that forged key ids cannot
    turn the gateway against the issuer; a failed fetch is not repeated within a second. Keys past
    their life are not trusted: without an issuer nobody passes.
    """

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None

    def find(self, key_id: str, now: datetime) -> "Ed25519PublicKey":
        """The key of that id. Raises TokenRefused, KeysUnavailable."""
        if self._fetched_at is None or now - self._fetched_at >= KEYS_LIFE:
            self._refresh(now, RETRY_FLOOR)
        elif key_id not in self._keys and self._asked_before(now - REFETCH_FLOOR):
            self._refresh(now, REFETCH_FLOOR)
        if key_id not in self._keys:
            raise TokenRefused("the token's key is not ours")
        return self._keys[key_id]

    def _asked_before(self, moment: datetime) -> bool:
        return self._asked_at is None or self._asked_at <= moment

    def _refresh(self, now: datetime, floor: timedelta) -> None:
        if not self._asked_before(now - floor):
            raise KeysUnavailable("the issuer did not answer just now")
        self._asked_at = now
        self._keys = read_keys(self._fetch())
        self._fetched_at = now


def read_keys(document: Any) -> "dict[str, Ed25519PublicKey]":
    """Read the Ed25519 signing keys of a JWK set; others are passed over.

    Raises KeysUnavailable when it is no JWK set.
    """
    items = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        raise KeysUnavailable("the issuer's answer is no JWK set")
    found = (_read_key(item) for item in items[:KEYS_MAX])
    return dict(pair for pair in found if pair is not None)


def _read_key(item: Any) -> "tuple[str, Ed25519PublicKey] | None":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    wanted = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM}
    if not isinstance(item, Mapping) or any(item.get(name) != wanted[name] for name in wanted):
        return None
    key_id, public = item.get("kid"), item.get("x")
    if not isinstance(key_id, str) or not isinstance(public, str):
        return None
    try:
        raw = base64.urlsafe_b64decode(public + "=" * (-len(public) % 4))
        return key_id, Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        return None


def verify_token(token: str, keys: KeyRing, issuer: str, now: datetime) -> Claims:
    """Read a token's claims once its signature, issuer, audience and time are right.

    Raises TokenRefused, KeysUnavailable.
    """
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        key_id = _check_header(header)
        payload = jwt.decode(
            token,
            keys.find(key_id, now),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=issuer,
            options={
                "require": ["iss", "aud", "sub", "tid", "sid", "jti", "iat", "exp"],
                "verify_exp": False,  # below, by the injected clock
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        claims = Claims.model_validate(payload)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise TokenRefused(type(error).__name__) from error
    _check_time(claims, now)
    return claims


def _check_header(header: Mapping[str, Any]) -> str:
    key_id = header.get("kid")
    if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or "crit" in header:
        raise TokenRefused("the token is not of our kind")
    if not isinstance(key_id, str):
        raise TokenRefused("the token names no key")
    return key_id


def _check_time(claims: Claims, now: datetime) -> None:
    leeway, moment = LEEWAY.total_seconds(), now.timestamp()
    if moment >= claims.exp + leeway:
        raise TokenRefused("the token has expired")
    if moment < max(claims.iat, claims.nbf) - leeway:
        raise TokenRefused("the token is from the future")
