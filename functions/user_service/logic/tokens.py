"""Tokens: short-lived signed access tokens, opaque refresh tokens, and the public keys' cards.

The secret ``jwt`` holds one seed (a first deployment) or a list of keys (after a rotation). Each
Ed25519 key is derived from its seed (HKDF, RFC 5869), so that a seed may be any string of 256 bits.
``jwt`` and ``cryptography`` are imported where they are used.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from contracts.ids import uuid7
from contracts.permissions import ROLE_SCOPES
from functions.user_service.errors import SigningKeysUnreadable, WeakSigningSeed
from functions.user_service.models import Account

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

AUDIENCE = "sinyal-api"
ACCESS_TOKEN_LIFE = timedelta(minutes=10)
REFRESH_TOKEN_PREFIX = "srt_"  # noqa: S105 - what secret scanners recognise ours by
SEED_BYTES_MIN = 32
SEED_DISTINCT_CHARACTERS_MIN = 10
SIGNING_KEYS_MAX = 16
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs from an instant on, and whose tokens count until another.

    The newest has no ``honoured_until``: it is set when its successor is made.
    """

    seed: str
    created_at: datetime
    signs_from: datetime
    honoured_until: datetime | None = None

    @classmethod
    def of_seed(cls, seed: str) -> Self:
        """The one key of a first deployment."""
        return cls(seed, LONG_AGO, LONG_AGO)

    def is_honoured(self, now: datetime) -> bool:
        """Whether a token of this key may still count."""
        return self.honoured_until is None or now < self.honoured_until


def read_signing_keys(secret: Mapping[str, Any]) -> tuple[SigningKey, ...]:
    """The keys of the secret ``jwt``, oldest first. Raises SigningKeysUnreadable."""
    try:
        if "keys" not in secret:
            return (SigningKey.of_seed(str(secret["seed"])),)
        keys = tuple(_read_signing_key(item) for item in secret["keys"])
    except (LookupError, TypeError, ValueError) as error:
        raise SigningKeysUnreadable(type(error).__name__) from error
    if not 0 < len(keys) <= SIGNING_KEYS_MAX:
        raise SigningKeysUnreadable(f"the secret holds {len(keys)} keys")
    return tuple(sorted(keys, key=lambda key: key.signs_from))


def _read_signing_key(item: Mapping[str, Any]) -> SigningKey:
    until = item["honoured_until"]
    return SigningKey(
        seed=str(item["seed"]),
        created_at=_read_instant(item["created_at"]),
        signs_from=_read_instant(item["signs_from"]),
        honoured_until=None if until is None else _read_instant(until),
    )


def _read_instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant without its offset")
    return instant.astimezone(UTC)


class TokenSigner:
    """Signs access tokens with the newest key whose time has come, and shows all public halves.

    ``keys``: the secret's keys, or the seed of the only one.
    """

    def __init__(self, keys: str | Sequence[SigningKey], issuer: str) -> None:
        held = (SigningKey.of_seed(keys),) if isinstance(keys, str) else tuple(keys)
        self._issuer = issuer
        self._keys = [
            (key, private, make_card(private))
            for key in sorted(held, key=lambda key: key.signs_from)
            for private in [derive_key(key.seed)]
        ]
        self.jwks: dict[str, Any] = {"keys": [card for _, _, card in reversed(self._keys)]}
        """Every key, whatever the time."""
        self.key_id: str = self._keys[-1][2]["kid"]
        """The newest key's name."""

    def show_keys(self, now: datetime) -> dict[str, Any]:
        """The JWK set (RFC 7517): the next key, the one that signs, and those still honoured."""
        return {"keys": [card for key, _, card in reversed(self._keys) if key.is_honoured(now)]}

    def sign(self, account: Account, session_id: UUID, now: datetime) -> str:
        """Sign an access token for a session (JWT of type ``at+jwt``, RFC 9068)."""
        import jwt

        key, card = self._choose_key(now)
        stepped_up_at = account.stepped_up_at
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(account.user_id),
            "tid": str(account.tenant_id),
            "role": account.role,
            "tier": account.tier,
            "scope": " ".join(ROLE_SCOPES[account.role]),
            "sid": str(session_id),
            "jti": str(uuid7()),
            "adm": account.platform_admin,
            "sup": account.support,
            "sua": int(stepped_up_at.timestamp()) if stepped_up_at else 0,
            "iat": int(now.timestamp()),
            "ims": int(now.timestamp() * 1_000),
            "exp": int((now + ACCESS_TOKEN_LIFE).timestamp()),
        }
        headers = {"kid": card["kid"], "typ": "at+jwt"}
        return jwt.encode(claims, key, algorithm="EdDSA", headers=headers)

    def _choose_key(self, now: datetime) -> "tuple[Ed25519PrivateKey, dict[str, str]]":
        """The newest key whose time has come; the oldest where clocks disagree about the first."""
        for key, private, card in reversed(self._keys):
            if key.signs_from <= now:
                return private, card
        return self._keys[0][1], self._keys[0][2]


def open_signer(secret: Mapping[str, Any], issuer: str) -> TokenSigner:
    """The process's signer of the secret ``jwt`` as it reads now."""
    return _make_signer(json.dumps(secret, sort_keys=True), issuer)


@lru_cache(maxsize=4)
def _make_signer(secret: str, issuer: str) -> TokenSigner:
    return TokenSigner(read_signing_keys(json.loads(secret)), issuer)


def derive_key(seed: str) -> "Ed25519PrivateKey":
    """Derive the signing key. Raises WeakSigningSeed under 32 bytes, as hex and base64 count."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    size = _seed_bytes(seed)
    if size < SEED_BYTES_MIN or len(set(seed)) < SEED_DISTINCT_CHARACTERS_MIN:
        raise WeakSigningSeed(f"the seed holds {size} bytes; give {SEED_BYTES_MIN} random ones")
    kdf = HKDF(SHA256(), length=32, salt=b"sinyal/jwt", info=b"ed25519 access token key 1")
    return Ed25519PrivateKey.from_private_bytes(kdf.derive(seed.encode()))


def _seed_bytes(seed: str) -> int:
    """How many bytes a seed can hold at most, given the alphabet it keeps to."""
    if re.fullmatch(r"[0-9a-fA-F]*", seed):
        return len(seed) // 2
    if re.fullmatch(r"[A-Za-z0-9+/_-]*={0,2}", seed):
        return len(seed.rstrip("=")) * 3 // 4
    return len(seed.encode())


def make_card(key: "Ed25519PrivateKey") -> dict[str, str]:
    """A key's public half as a JWK; its name is its RFC 7638 thumbprint."""
    public = {"crv": "Ed25519", "kty": "OKP", "x": _encode(key.public_key().public_bytes_raw())}
    text = json.dumps(public, separators=(",", ":"), sort_keys=True)
    key_id = _encode(hashlib.sha256(text.encode()).digest())
    return {**public, "kid": key_id, "use": "sig", "alg": "EdDSA"}


def make_refresh_token() -> str:
    """An opaque token of 256 random bits."""
    return REFRESH_TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_secret(value: str) -> bytes:
    """What the store keeps of a refresh token or an address (SHA-256; tokens are random)."""
    return hashlib.sha256(value.encode()).digest()


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
