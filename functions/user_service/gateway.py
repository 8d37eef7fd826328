"""The room's one outside party: Secrets Manager, where the signing keys lie."""

import json
from collections.abc import Mapping
from typing import Any

from kit.aws import client
from kit.errors import Unavailable


class SigningKeyVault:
    """The secret ``sinyal/<stage>/jwt``, read and written past every cache."""

    def __init__(self, stage: str) -> None:
        self._secret_id = f"sinyal/{stage}/jwt"

    def read_current(self) -> Mapping[str, Any]:
        """The secret as it is now. Raises Unavailable."""
        answer = self._call("get_secret_value")
        return dict(json.loads(answer["SecretString"]))

    def has_version(self, version: str) -> bool:
        """Whether this version was written before. Raises Unavailable."""
        try:
            self._call("get_secret_value", VersionId=version)
        except _Refused as refusal:
            if refusal.reason == "ResourceNotFoundException":
                return False
            raise
        return True

    def write(self, value: Mapping[str, Any], version: str) -> None:
        """Make this the current secret; a version written before stays as it is.

        Raises Unavailable.
        """
        try:
            self._call(
                "put_secret_value", SecretString=json.dumps(value), ClientRequestToken=version
            )
        except _Refused as refusal:
            if refusal.reason != "ResourceExistsException":
                raise

    def _call(self, operation: str, **parameters: str) -> dict[str, Any]:
        import botocore.exceptions

        vault = client("secretsmanager")
        try:
            answer: dict[str, Any] = getattr(vault, operation)(
                SecretId=self._secret_id, **parameters
            )
        except botocore.exceptions.ClientError as error:
            raise _Refused(str(error.response["Error"]["Code"])) from error
        except botocore.exceptions.BotoCoreError as error:
            raise Unavailable(f"Secrets Manager: {type(error).__name__}") from error
        return answer


class _Refused(Unavailable):
    """Secrets Manager answered, with a refusal."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Secrets Manager: {reason}")
        self.reason = reason
