"""The vault of second factors: seals their secrets at rest and hashes recovery codes.

Both keys are derived from one secret (HKDF, RFC 5869). A sealed secret is bound to its user, so
that a row copied to another user opens nothing.
"""

import hmac
import secrets
from collections.abc import Callable
from uuid import UUID

from functions.user_service.errors import WeakFactorKey

KEY_CHARACTERS_MIN = 43
KEY_DISTINCT_CHARACTERS_MIN = 10
NONCE_BYTES = 12
VERSION = b"\x01"

CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Nothing that reads like something else."""
CODE_GROUPS, CODE_GROUP_LENGTH = 3, 4
CODES_A_USER = 10


class FactorVault:
    """Seals and opens TOTP secrets; the key is read when first needed."""

    def __init__(self, read_key: Callable[[], str]) -> None:
        self._read_key = read_key

    def seal(self, user_id: UUID, secret: str) -> bytes:
        """Encrypt a secret for its user (AES-256-GCM, a fresh nonce)."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = AESGCM(self._derive(b"totp secret"))
        return VERSION + nonce + cipher.encrypt(nonce, secret.encode(), user_id.bytes)

    def open(self, user_id: UUID, sealed: bytes) -> str:
        """Decrypt a user's secret. Raises cryptography's InvalidTag when it is not theirs."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        return AESGCM(self._derive(b"totp secret")).decrypt(nonce, body, user_id.bytes).decode()

    def hash_code(self, user_id: UUID, code: str) -> bytes:
        """What the store keeps of a recovery code; a copied table cannot be guessed from."""
        plain = "".join(code.upper().split()).replace("-", "")
        return hmac.digest(
            self._derive(b"recovery codes"), user_id.bytes + plain.encode(), "sha256"
        )

    def _derive(self, purpose: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        key = self._read_key()
        if len(key) < KEY_CHARACTERS_MIN or len(set(key)) < KEY_DISTINCT_CHARACTERS_MIN:
            raise WeakFactorKey("give 32 random bytes or more, in base64 or hex")
        return HKDF(SHA256(), length=32, salt=b"sinyal/mfa", info=purpose).derive(key.encode())


def make_recovery_codes() -> list[str]:
    """Ten codes of 58 random bits each, in groups that can be typed."""
    return [
        "-".join(
            "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_GROUP_LENGTH))
            for _ in range(CODE_GROUPS)
        )
        for _ in range(CODES_A_USER)
    ]
