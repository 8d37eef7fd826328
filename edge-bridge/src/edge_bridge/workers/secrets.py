"""Broker passwords: decrypted in the host, at the start of an account's worker.

The encryption context binds a ciphertext to its tenant and account: another's cannot be opened
even by mistake.
"""

import base64
import binascii
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PASSWORD_BYTES_MAX = 512
_HOPELESS = ("InvalidCiphertextException", "IncorrectKeyException", "ValidationException")


class SecretUnavailable(Exception):
    """KMS did not answer, or not now; the same call may work later."""


class SecretRefused(Exception):
    """This ciphertext is not the password of this tenant's account; only a new one helps."""


class PasswordVault:
    """Opens broker passwords through KMS."""

    def __init__(self) -> None:
        config = Config(
            connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"}
        )
        self._client = boto3.client("kms", config=config)

    def open(self, tenant_id: UUID, account_id: UUID, ciphertext: str) -> str:
        """Decrypt a base64 ciphertext. Raises SecretUnavailable and SecretRefused; blocks at most
        15 s."""
        try:
            blob = base64.b64decode(ciphertext, validate=True)
        except binascii.Error as error:
            raise SecretRefused("the encrypted password is not base64") from error
        context = {"tenant_id": str(tenant_id), "account_id": str(account_id)}
        try:
            answer = self._client.decrypt(CiphertextBlob=blob, EncryptionContext=context)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _HOPELESS:
                raise SecretRefused(f"KMS refused the encrypted password: {code}") from None
            raise SecretUnavailable(f"KMS: {code}") from None
        except BotoCoreError as error:
            raise SecretUnavailable(f"KMS: {type(error).__name__}") from None
        return _read_password(answer["Plaintext"])


def _read_password(plain: bytes) -> str:
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        raise SecretRefused("the password is not text") from None
    if not text or len(plain) > PASSWORD_BYTES_MAX:
        raise SecretRefused("the password is empty or too long")
    return text
