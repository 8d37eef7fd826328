"""An issuer for the gateway's tests: tokens good and bent, a real server of keys and key answers.

And the gate over real stores, with connections of its own for whoever asks.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis import Redis

from contracts.ids import uuid7
from contracts.subscription_service import ApiLimits, Tier
from functions.api_gateway.logic.admission import Admission
from functions.api_gateway.logic.quota import choose_block, find_day
from functions.api_gateway.models import (
    DayRow,
    Identity,
    Limits,
    Mark,
    Snapshot,
    Standing,
    TenantState,
)
from functions.api_gateway.store.gate import Gate
from functions.api_gateway.store.records import Records
from functions.api_gateway.store.tenants import TenantStore
from kit.db import Database, make_conninfo
from tests.conftest import Stores
from tests.support.builders import NOW
from tests.support.publisher import RecordingPublisher

SEED = "q5N0v8xZ1kTj3mWc7RbLh2YpEs9GdUfA4oXnJ6iVzQk"
ISSUER = "http://api.sinyal.localhost"
METHOD_ARN = "arn:aws:execute-api:ap-southeast-3:123456789012:a1b2c3/prod/GET/v1/users/me"


class Signer:
    """An Ed25519 key and its JWK set, as user_service shows one."""

    def __init__(self, seed: str) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
        public = base64.urlsafe_b64encode(self.key.public_key().public_bytes_raw())
        self.key_id = hashlib.sha256(public).hexdigest()[:16]
        self.jwks = {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "use": "sig",
                    "alg": "EdDSA",
                    "kid": self.key_id,
                    "x": public.decode().rstrip("="),
                }
            ]
        }


class Issuer:
    """Signs like user_service, and unlike it when told."""

    def __init__(self, seed: str = SEED, url: str = ISSUER) -> None:
        self.signer = Signer(seed)
        self.key = self.signer.key
        self._url = url

    def claims(self, tenant_id: UUID | None = None, now: datetime = NOW) -> dict[str, Any]:
        issued = int(now.timestamp())
        return {
            "iss": self._url,
            "aud": "sinyal-api",
            "sub": str(uuid7()),
            "tid": str(tenant_id or uuid7()),
            "role": "owner",
            "tier": "pro",
            "scope": "read trade members billing account",
            "sid": str(uuid7()),
            "jti": str(uuid7()),
            "adm": False,
            "sup": False,
            "sua": 0,
            "iat": issued,
            "exp": issued + 600,
        }

    def token(self, tenant_id: UUID | None = None, now: datetime = NOW, **claims: Any) -> str:
        return self.sign({**self.claims(tenant_id, now), **claims})

    def sign(self, payload: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        headers = {"kid": self.signer.key_id, "typ": "at+jwt", **(header or {})}
        return jwt.encode(payload, self.key, algorithm="EdDSA", headers=headers)

    def bend(
        self, *, header: dict[str, Any] | None = None, drop: str | None = None, **claims: Any
    ) -> str:
        """A well-signed token with other claims or headers."""
        payload = {**self.claims(), **claims}
        if drop:
            del payload[drop]
        return self.sign(payload, header)


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


def authorizer_event(
    token: str | None,
    header: str = "Authorization",
    *,
    method: str = "GET",
    path: str = "/v1/users/me",
    request_id: str | None = None,
    **headers: str,
) -> dict[str, Any]:
    """A REQUEST authorizer's event; further headers by keyword, ``_`` for ``-``."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        given[header] = f"Bearer {token}"
    return {
        "type": "REQUEST",
        "methodArn": METHOD_ARN,
        "resource": "/v1/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": None,
        "requestContext": {
            "stage": "prod",
            "requestId": request_id or str(uuid7()),
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8"},
        },
    }


class KeyServer:
    """Serves a JWK set and answers about API keys over HTTP; can be slow, broken or gone."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.status = 200
        self.delay_s = 0.0
        self.hosts: list[str] = []
        self.asked: list[tuple[str, Any]] = []
        self.key_answer: Any = {"active": False}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.hosts.append(self.headers["host"])
                time.sleep(outer.delay_s)
                self.send_response(outer.status)
                self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.asked.append((self.headers["authorization"], json.loads(body)))
                answer = outer.key_answer
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                time.sleep(outer.delay_s)
                self.send_response(outer.status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

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


def identity(tenant_id: UUID, **values: Any) -> Identity:
    """A member of a tenant with a token of a moment ago."""
    given: dict[str, Any] = {
        "user_id": uuid7(),
        "tenant_id": tenant_id,
        "role": "owner",
        "tier": "free",
        "scope": "read",
        "credential": "session",
        "subject_id": uuid7(),
        "issued_ms": int(time.time() * 1_000) - 1_000,
        **values,
    }
    return Identity(**given)


def snapshot(
    limits: Limits,
    *,
    version: int = 1,
    tier: Tier = "free",
    leased: int = 0,
    state: TenantState = "open",
    state_version: int = 0,
    marks: tuple[Mark, ...] = (),
    zone: str = "Asia/Jakarta",
) -> Snapshot:
    """What PostgreSQL could say of a tenant."""
    standing = Standing(tier, limits, zone, version, state, state_version)
    day = find_day(zone, datetime.now(UTC))
    return Snapshot(standing, day, DayRow(leased, 0), marks)


class GateMaker:
    """Makes gates and admissions over the real stores, each with connections of its own."""

    def __init__(self, stores: Stores, redis_url: str) -> None:
        self.stores, self.redis_url = stores, redis_url
        self._opened: list[Any] = []

    def database(self) -> Database:
        secret = self.stores.secret("api_gateway")
        database = Database("api_gateway", make_conninfo(secret), RecordingPublisher())
        self._opened.append(database)
        return database

    def gate(self, url: str | None = None) -> Gate:
        # Not the process's shared client: its 50 ms would be spent waiting for the CPU.
        client = Redis.from_url(
            url or self.redis_url, socket_timeout=5, decode_responses=True, max_connections=1
        )
        self._opened.append(client)
        return Gate(lambda: client)

    def admission(self, url: str | None = None) -> Admission:
        database = self.database()
        return Admission(self.gate(url), Records(lambda: database, find_day, choose_block))

    def set_limits(self, tenant_id: UUID, limits: Limits, tier: Tier = "free", v: int = 1) -> None:
        api = ApiLimits(
            requests_per_second=limits.requests_per_second,
            burst=limits.burst,
            requests_per_day=limits.requests_per_day,
        )
        with self.database().transaction(tenant_id) as tx:
            TenantStore(tx).set_entitlements(v, tier, api, "Asia/Jakarta")

    def close(self) -> None:
        for opened in self._opened:
            opened.close()


@pytest.fixture
def gates(stores: Stores, redis_url: str) -> Iterator[GateMaker]:
    maker = GateMaker(stores, redis_url)
    yield maker
    maker.close()
