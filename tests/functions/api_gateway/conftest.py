"""An issuer for the gateway's tests: the real signer, tokens bent on purpose, a real key server."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
import pytest

from contracts.ids import uuid7
from functions.user_service.logic.tokens import TokenSigner, derive_key
from functions.user_service.models import Account
from tests.support.builders import NOW

SEED = "q5N0v8xZ1kTj3mWc7RbLh2YpEs9GdUfA4oXnJ6iVzQk"
ISSUER = "http://api.sinyal.localhost"
METHOD_ARN = "arn:aws:execute-api:ap-southeast-3:123456789012:a1b2c3/prod/GET/v1/users/me"


class Issuer:
    """Signs like user_service, and unlike it when told."""

    def __init__(self, seed: str = SEED, url: str = ISSUER) -> None:
        self.signer = TokenSigner(seed, url)
        self.key = derive_key(seed)

    def token(self, tenant_id: UUID | None = None, **account: Any) -> str:
        values: dict[str, Any] = {
            "user_id": uuid7(),
            "tenant_id": tenant_id or uuid7(),
            "password_hash": "",
            "role": "owner",
            "status": "active",
            "platform_admin": False,
            "tier": "pro",
            **account,
        }
        return self.signer.sign(Account(**values), uuid7(), NOW)

    def bend(
        self, *, header: dict[str, Any] | None = None, drop: str | None = None, **claims: Any
    ) -> str:
        """A well-signed token with other claims or headers."""
        payload = jwt.decode(self.token(), options={"verify_signature": False})
        payload.update(claims)
        if drop:
            del payload[drop]
        headers = {"kid": self.signer.key_id, "typ": "at+jwt", **(header or {})}
        return jwt.encode(payload, self.key, algorithm="EdDSA", headers=headers)


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


def authorizer_event(token: str | None, header: str = "Authorization") -> dict[str, Any]:
    headers = {} if token is None else {header: f"Bearer {token}"}
    return {
        "type": "REQUEST",
        "methodArn": METHOD_ARN,
        "resource": "/v1/{proxy+}",
        "path": "/v1/users/me",
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "requestContext": {"stage": "prod", "identity": {"sourceIp": "127.0.0.1"}},
    }


class KeyServer:
    """Serves a JWK set over HTTP as the API would, and can be slow, broken or gone."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.status = 200
        self.delay_s = 0.0
        self.hosts: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.hosts.append(self.headers["host"])
                time.sleep(outer.delay_s)
                self.send_response(outer.status)
                self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://api.sinyal.localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def serve(self, document: Any) -> None:
        self.body = json.dumps(document).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()
