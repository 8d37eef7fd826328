"""Tokens: short-lived signed access tokens, opaque refresh tokens, and the public key's card.

The Ed25519 key is derived from the secret's seed (HKDF, RFC 5869), so that the secret may be any
string of 256 bits. ``jwt`` and ``cryptography`` are imported where they are used.
"""

import base64
import hashlib
import json
import re
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from contracts.ids import uuid7
from contracts.user_service import Role
from functions.user_service.errors import WeakSigningSeed
from functions.user_service.models import Account

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

AUDIENCE = "sinyal-api"
ACCESS_TOKEN_LIFE = timedelta(minutes=10)
REFRESH_TOKEN_PREFIX = "srt_"  # noqa: S105 - what secret scanners recognise ours by
SEED_BYTES_MIN = 32
SEED_DISTINCT_CHARACTERS_MIN = 10

SCOPES: dict[Role, str] = {
    "owner": "read trade members billing",
    "admin": "read trade members",
    "trader": "read trade",
    "viewer": "read",
}
"""What a role's tokens may do."""


class TokenSigner:
    """Signs access tokens with the key of one seed, and shows its public half."""

    def __init__(self, seed: str, issuer: str) -> None:
        self._key = derive_key(seed)
        self._issuer = issuer
        public = _encode(self._key.public_key().public_bytes_raw())
        self.key_id = _thumbprint(public)
        self.jwks: dict[str, Any] = {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": public,
                    "kid": self.key_id,
                    "use": "sig",
                    "alg": "EdDSA",
                }
            ]
        }

    def sign(self, account: Account, session_id: UUID, now: datetime) -> str:
        """Sign an access token for a session (JWT of type ``at+jwt``, RFC 9068)."""
        import jwt

        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(account.user_id),
            "tid": str(account.tenant_id),
            "role": account.role,
            "tier": account.tier,
            "scope": SCOPES[account.role],
            "sid": str(session_id),
            "jti": str(uuid7()),
            "adm": account.platform_admin,
            "iat": int(now.timestamp()),
            "exp": int((now + ACCESS_TOKEN_LIFE).timestamp()),
        }
        headers = {"kid": self.key_id, "typ": "at+jwt"}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)


@lru_cache(maxsize=4)
def open_signer(seed: str, issuer: str) -> TokenSigner:
    """The process's signer of a seed."""
    return TokenSigner(seed, issuer)


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


def make_refresh_token() -> str:
    """An opaque token of 256 random bits."""
    return REFRESH_TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_secret(value: str) -> bytes:
    """What the store keeps of a refresh token or an address (SHA-256; tokens are random)."""
    return hashlib.sha256(value.encode()).digest()


def _thumbprint(public: str) -> str:
    """The key's name: its RFC 7638 thumbprint."""
    card = {"crv": "Ed25519", "kty": "OKP", "x": public}
    text = json.dumps(card, separators=(",", ":"), sort_keys=True)
    return _encode(hashlib.sha256(text.encode()).digest())


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
