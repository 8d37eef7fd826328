"""The gateway's one outside party, the issuer: its public keys and its word on API keys."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contracts.api_keys import ApiKeyAnswer, ApiKeyText, IntrospectApiKey
from functions.api_gateway.errors import IntrospectionUnavailable, KeysUnavailable
from kit.http import make_client

KEYS_PATH = "/.well-known/jwks.json"
INTROSPECTION_PATH = "/v1/auth/introspect"
TIMEOUT_S = 2
ANSWER_BYTES_MAX = 64 * 1024
_ANSWER: TypeAdapter[ApiKeyAnswer] = TypeAdapter(ApiKeyAnswer)


class IssuerKeys:
    """Fetches the JWK set of an issuer."""

    def __init__(self, issuer: str) -> None:
        self._client = make_client(base_url=issuer, connect_s=TIMEOUT_S, read_s=TIMEOUT_S)

    def fetch(self) -> Any:
        """The JWK set as JSON. Raises KeysUnavailable."""
        import httpx

        try:
            answer = self._client.get(KEYS_PATH)
            answer.raise_for_status()
            if len(answer.content) > ANSWER_BYTES_MAX:
                raise KeysUnavailable("the issuer's answer is too large")
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise KeysUnavailable(f"the issuer did not answer: {type(error).__name__}") from error


class Introspection:
    """Asks user_service whose an API key is; only the key's digest leaves this process."""

    def __init__(self, issuer: str, sign: Callable[[datetime], str]) -> None:
        self._client = make_client(base_url=issuer, connect_s=TIMEOUT_S, read_s=TIMEOUT_S)
        self._sign = sign

    def ask(self, key: ApiKeyText, now: datetime) -> ApiKeyAnswer:
        """What user_service says of a key. Raises IntrospectionUnavailable."""
        import httpx

        body = IntrospectApiKey(prefix=key.prefix, digest=key.digest)
        try:
            answer = self._client.post(
                INTROSPECTION_PATH,
                content=body.model_dump_json(),
                headers={
                    "authorization": f"Bearer {self._sign(now)}",
                    "content-type": "application/json",
                },
            )
            answer.raise_for_status()
            if len(answer.content) > ANSWER_BYTES_MAX:
                raise IntrospectionUnavailable("the answer is too large")
            return _ANSWER.validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            raise IntrospectionUnavailable(
                f"user_service did not answer: {type(error).__name__}"
            ) from error
