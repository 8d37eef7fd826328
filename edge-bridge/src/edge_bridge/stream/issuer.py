"""Where the issuer's public keys come from: its address, or a set that is given."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

KEYS_PATH = "/.well-known/jwks.json"
TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 64 * 1024


def fetch_from(url: str, host: str | None = None) -> Callable[[], Any]:
    """A fetch of the JWK set at an address. It raises OSError or ValueError.

    ``host`` is the name to ask for, where the address does not say it.

    Redirects are not followed: keys come from where the settings say, or not at all.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https address of a JWK set")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    name, port = parts.hostname, parts.port
    headers = {"accept": "application/json"} | ({"host": host} if host else {})
    path = (parts.path or KEYS_PATH) + (f"?{parts.query}" if parts.query else "")

    def fetch() -> Any:
        connection = kind(name, port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = _read_body(answer)
        except http.client.HTTPException as error:
            raise OSError(f"the issuer's answer is no HTTP: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK or len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"the issuer answered {answer.status} with {len(body)} bytes")
        return json.loads(body)

    return fetch


def _read_body(answer: http.client.HTTPResponse) -> bytes:
    """Read at most a little too much, and for no longer than the timeout in all."""
    body, deadline = b"", time.monotonic() + TIMEOUT_S
    while len(body) <= ANSWER_BYTES_MAX and (part := answer.read1(ANSWER_BYTES_MAX + 1)):
        body += part
        if time.monotonic() > deadline:
            raise TimeoutError("the issuer answers too slowly")
    return body


def keys_given(document: Mapping[str, Any]) -> Callable[[], Any]:
    """A fetch that needs nobody, for keys that are known."""
    return lambda: document
