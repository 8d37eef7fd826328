"""Whose access token it is: the same checks as at the API's door, with the keys kept here."""

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from contracts.subscription_service import Tier
from contracts.user_service import Role
from edge_bridge.stream.frames import UNAUTHENTICATED, UNAVAILABLE, Refused

ALGORITHM = "EdDSA"
AUDIENCE = "sinyal-api"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's name for access tokens
LEEWAY = timedelta(seconds=5)
KEYS_LIFE = timedelta(minutes=5)
REFETCH_FLOOR = timedelta(seconds=10)
RETRY_FLOOR = timedelta(seconds=1)
KEYS_MAX = 16


class Claims(BaseModel):
    """What an access token says; claims that the stream has no use for are checked all the same."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    aud: Literal["sinyal-api"]
    sub: UUID
    tid: UUID
    role: Role
    tier: Tier
    scope: str = Field(max_length=500)
    sid: UUID
    jti: UUID
    adm: StrictBool
    iat: StrictInt = Field(ge=0, lt=2**40)
    ims: StrictInt = 0
    exp: StrictInt = Field(ge=0, lt=2**37)
    nbf: StrictInt = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection speaks for."""

    tenant_id: UUID
    user_id: UUID
    session_id: UUID
    issued_ms: int
    expires_at: datetime
    may_read: bool

    def has_expired(self, now: datetime) -> bool:
        """Whether the token's time is over, clocks that disagree a little included."""
        return now >= self.expires_at + LEEWAY


class KeyRing:
    """The issuer's public keys, kept for five minutes; `fetch` gives the JWK set or raises.

    An unknown key id fetches them anew, at most every ten seconds, so that forged key ids cannot
    turn the edge against the issuer; a failed fetch is not repeated within a second. Keys past
    their life are not trusted: without an issuer nobody passes.
    """

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._lock = threading.Lock()

    def wants_fetch(self, key_id: str, now: datetime) -> bool:
        """Whether asking the issuer now could help, and is not too much."""
        floor = REFETCH_FLOOR if self._is_fresh(now) else RETRY_FLOOR
        if self._is_fresh(now) and key_id in self._keys:
            return False
        return self._asked_at is None or self._asked_at <= now - floor

    def fetch(self, now: datetime) -> None:
        """Ask the issuer, one caller at a time; blocks for as long as that takes.

        Raises Refused when it cannot tell.
        """
        if not self._lock.acquire(blocking=False):
            raise _unavailable()
        try:
            self._asked_at = now
            self._keys = read_keys(self._fetch())
            self._fetched_at = now
        except (OSError, ValueError) as error:
            raise _unavailable() from error
        finally:
            self._lock.release()

    def find(self, key_id: str, now: datetime) -> Ed25519PublicKey:
        """The key of that id. Raises Refused."""
        if not self._is_fresh(now):
            raise _unavailable()
        key = self._keys.get(key_id)
        if key is None:
            raise _refused("the token's key is not ours")
        return key

    def _is_fresh(self, now: datetime) -> bool:
        return self._fetched_at is not None and now - self._fetched_at < KEYS_LIFE


def read_keys(document: Any) -> dict[str, Ed25519PublicKey]:
    """Read the Ed25519 signing keys of a JWK set; others are passed over.

    Raises ValueError when it is no JWK set.
    """
    items = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        raise ValueError("the issuer's answer is no JWK set")
    found = (_read_key(item) for item in items[:KEYS_MAX])
    return dict(pair for pair in found if pair is not None)


def _read_key(item: Any) -> tuple[str, Ed25519PublicKey] | None:
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


class TokenVerifier:
    """Believes the access tokens of one issuer."""

    def __init__(self, issuer: str, keys: KeyRing) -> None:
        self._issuer, self.keys = issuer, keys

    def read_key_id(self, token: str) -> str:
        """The key that a token of our kind names. Raises Refused."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise _refused("the token cannot be read") from error
        if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or "crit" in header:
            raise _refused("the token is not of our kind")
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            raise _refused("the token names no key")
        return key_id

    def verify(self, token: str, now: datetime) -> Identity:
        """Read who a token speaks for, once its signature, issuer, audience and time are right.

        Asks nobody: keys are fetched beforehand, when `keys.wants_fetch`. Raises Refused.
        """
        key = self.keys.find(self.read_key_id(token), now)
        try:
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={
                    "require": ["iss", "aud", "sub", "tid", "sid", "jti", "iat", "exp"],
                    "verify_exp": False,  # below, by the injected clock
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            claims = Claims.model_validate(payload)
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise _refused("the token is not valid") from error
        return _identify(claims, now)


def _identify(claims: Claims, now: datetime) -> Identity:
    who = Identity(
        tenant_id=claims.tid,
        user_id=claims.sub,
        session_id=claims.sid,
        issued_ms=claims.ims if claims.ims // 1_000 == claims.iat else claims.iat * 1_000,
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
        may_read="read" in claims.scope.split(),
    )
    if who.has_expired(now):
        raise _refused("the token has expired; refresh it")
    if now.timestamp() < max(claims.iat, claims.nbf) - LEEWAY.total_seconds():
        raise _refused("the token is from the future")
    return who


def _refused(detail: str) -> Refused:
    return Refused("token_refused", detail, UNAUTHENTICATED)


def _unavailable() -> Refused:
    return Refused("keys_unavailable", "tokens cannot be checked now; try again", UNAVAILABLE)
