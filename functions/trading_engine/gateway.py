"""KMS: brokers' passwords are sealed here, and only the edge host's role can open them."""

import base64
from uuid import UUID

from functions.trading_engine.errors import PasswordNotSealed
from kit.observability import warn


def seal_password(key_id: str, password: str, tenant_id: UUID, account_id: UUID) -> str:
    """Base64 of the ciphertext of a password, good for this account of this tenant only.

    Raises PasswordNotSealed when KMS does not answer (2 s to connect, 5 s to read, three tries).
    """
    import botocore.exceptions

    from kit.aws import client

    try:
        answer = client("kms").encrypt(
            KeyId=key_id,
            Plaintext=password.encode(),
            EncryptionContext={"tenant_id": str(tenant_id), "account_id": str(account_id)},
        )
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        # The error's text may repeat the request.
        warn("broker password not sealed", error=type(error).__name__)
        raise PasswordNotSealed("the password was not kept; send the same request again") from None
    return base64.b64encode(answer["CiphertextBlob"]).decode()
