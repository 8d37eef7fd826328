"""Room-to-room calls: a caller proves which room it is with a JWT of a minute for one audience.

Each caller has a seed of its own (secret ``service/<room>`` {seed}); whoever is called knows the
callers' public keys only (secret ``service-keys`` {room: key}), so that a room that is broken into
can speak for itself and for nobody else. ``jwt`` and ``cryptography`` are imported where used.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.ids import uuid7
from kit.errors import Unauthenticated

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

ALGORITHM = "EdDSA"
TOKEN_TYPE = "sinyal-service+jwt"  # noqa: S105 - the header's typ; no other token has it
TOKEN_LIFE = timedelta(seconds=60)
LEEWAY = timedelta(seconds=5)
TOKEN_CHARACTERS_MAX = 2048
ROOM_PREFIX = "sinyal."
SEED_BYTES_MIN = 32
SEED_DISTINCT_CHARACTERS_MIN = 10
PUBLIC_KEY_BYTES = 32

_ROOM = re.compile(r"[a-z][a-z_]{1,39}")
_CLAIMS = ("iss", "aud", "iat", "exp", "jti")


class ServiceTokenRefused(Unauthenticated):
    """The token is missing, malformed, forged, expired, or not for us."""

    code, title = "service_token_refused", "The service token is not valid"


class WeakServiceSeed(ValueError):
    """The seed of a room's key holds less than 256 bits."""


def sign(caller_room: str, audience_room: str, secret: Mapping[str, Any], now: datetime) -> str:
    """Say who calls whom, for the next minute; ``secret`` is the caller's {seed}.

    Raises WeakServiceSeed.
    """
    import jwt

    issued = int(now.timestamp())
    claims = {
        "iss": ROOM_PREFIX + caller_room,
        "aud": ROOM_PREFIX + audience_room,
        "iat": issued,
        "exp": issued + int(TOKEN_LIFE.total_seconds()),
        "jti": str(uuid7()),
    }
    key = _derive_key(str(secret["seed"]))
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE})


def verify(token: str, audience_room: str, public_keys: Mapping[str, Any], now: datetime) -> str:
    """Name the room that calls ``audience_room``; raises ServiceTokenRefused (a 401).

    ``public_keys`` maps a room to its key as ``derive_public`` writes it.
    """
    import jwt

    if not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        raise ServiceTokenRefused("send one service token")
    try:
        _check_header(jwt.get_unverified_header(token))
        caller = _read_caller(jwt.decode(token, options={"verify_signature": False}))
        claims = jwt.decode(
            token,
            _read_public(public_keys, caller),
            algorithms=[ALGORITHM],
            audience=ROOM_PREFIX + audience_room,
            issuer=ROOM_PREFIX + caller,
            options={
                "require": list(_CLAIMS),
                "strict_aud": True,
                "verify_exp": False,  # below, by the injected clock
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise ServiceTokenRefused(type(error).__name__) from error
    _check_claims(claims, now)
    return caller


def derive_public(seed: str) -> str:
    """The public key that belongs to a seed, as ``service-keys`` holds it (base64url, raw)."""
    raw = _derive_key(seed).public_key().public_bytes_raw()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _derive_key(seed: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    if not _is_strong(seed):
        raise WeakServiceSeed(f"give {SEED_BYTES_MIN} random bytes as hex or base64")
    kdf = HKDF(SHA256(), length=32, salt=b"sinyal/service", info=b"ed25519 service token key 1")
    return Ed25519PrivateKey.from_private_bytes(kdf.derive(seed.encode()))


def _is_strong(seed: str) -> bool:
    """Whether a seed can hold 32 random bytes, as hex and base64 count."""
    if len(set(seed)) < SEED_DISTINCT_CHARACTERS_MIN:
        return False
    if re.fullmatch(r"[0-9a-fA-F]*", seed):
        return len(seed) // 2 >= SEED_BYTES_MIN
    return len(seed.rstrip("=")) * 3 // 4 >= SEED_BYTES_MIN


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or "crit" in header:
        raise ServiceTokenRefused("the token is not a service token")


def _read_caller(claims: Mapping[str, Any]) -> str:
    """The room that the token claims to come from, not proven yet."""
    issuer = claims.get("iss")
    room = issuer.removeprefix(ROOM_PREFIX) if isinstance(issuer, str) else ""
    if issuer == room or not _ROOM.fullmatch(room):
        raise ServiceTokenRefused("the token names no room")
    return room


def _read_public(public_keys: Mapping[str, Any], caller: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text = public_keys.get(caller)
    if not isinstance(text, str):
        raise ServiceTokenRefused("the caller's key is not known here")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ServiceTokenRefused("the caller's key cannot be read") from error
    if len(raw) != PUBLIC_KEY_BYTES:
        raise ServiceTokenRefused("the caller's key cannot be read")
    return Ed25519PublicKey.from_public_bytes(raw)


def _check_claims(claims: Mapping[str, Any], now: datetime) -> None:
    """Refuse what is over, from the future, longer than a minute, or without a name of its own."""
    issued, expires, name = claims["iat"], claims["exp"], claims["jti"]
    if type(issued) is not int or type(expires) is not int or not isinstance(name, str):
        raise ServiceTokenRefused("the token's claims cannot be read")
    leeway, moment = LEEWAY.total_seconds(), now.timestamp()
    if moment >= expires + leeway:
        raise ServiceTokenRefused("the token has expired")
    if moment < issued - leeway:
        raise ServiceTokenRefused("the token is from the future")
    if not name or expires - issued > TOKEN_LIFE.total_seconds():
        raise ServiceTokenRefused("the token is not one of a minute")
