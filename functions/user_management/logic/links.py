"""Tokens of mails: opaque, signed, and of one purpose each.

``<prefix>_`` and 48 bytes: 16 random ones, then HMAC-SHA256 over purpose and randomness. A forged
token is refused without asking the store; single use and expiry are the store's.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Literal

Purpose = Literal["evt", "inv"]
"""Verification of an address, invitation of a member."""

NONCE_BYTES = 16
KEY_CHARACTERS_MIN = 32


class MailLinks:
    """Makes and checks tokens with the key of the secret ``mail-links``."""

    def __init__(self, key: str) -> None:
        if len(key) < KEY_CHARACTERS_MIN:
            raise ValueError(f"the mail links' key has under {KEY_CHARACTERS_MIN} characters")
        self._key = key.encode()

    def make(self, purpose: Purpose) -> str:
        """A new token."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return f"{purpose}_{urlsafe_b64encode(nonce + self._sign(purpose, nonce)).decode()}"

    def is_genuine(self, purpose: Purpose, token: str) -> bool:
        """Whether this key made the token for this purpose; compares in constant time."""
        prefix, _, body = token.partition("_")
        if prefix != purpose or not body.isascii():
            return False
        try:
            raw = urlsafe_b64decode(body)
        except (NotBase64, ValueError):
            return False
        canonical = urlsafe_b64encode(raw).decode() == body
        nonce, signature = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
        return canonical and hmac.compare_digest(self._sign(purpose, nonce), signature)

    def hide(self, *parts: object) -> bytes:
        """A keyed hash (32 bytes) that counts without telling what is counted."""
        return self._hmac("\x1f".join(["count", *map(str, parts)]).encode())

    def _sign(self, purpose: Purpose, nonce: bytes) -> bytes:
        return self._hmac(purpose.encode() + b"\x1f" + nonce)

    def _hmac(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, hashlib.sha256)


def hash_token(token: str) -> bytes:
    """What a store keeps of a token (SHA-256; the token is random)."""
    return hashlib.sha256(token.encode()).digest()
