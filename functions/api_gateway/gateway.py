"""The gateway's one outside party: the issuer's public keys over HTTP."""

from typing import Any

from functions.api_gateway.errors import KeysUnavailable
from kit.http import make_client

KEYS_PATH = "/.well-known/jwks.json"
TIMEOUT_S = 2
KEYS_BYTES_MAX = 64 * 1024


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
            if len(answer.content) > KEYS_BYTES_MAX:
                raise KeysUnavailable("the issuer's answer is too large")
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise KeysUnavailable(f"the issuer did not answer: {type(error).__name__}") from error
