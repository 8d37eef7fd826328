"""The rooms that let somebody in, in one process over real PostgreSQL and Redis, for benchmarks.

Stands where API Gateway and the bus are; the issuer's keys and the API keys' introspection are
served over HTTP on loopback, as the authorizer asks for them.
"""

import base64
import contextlib
import json
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in (".", "layers/contracts/src", "layers/kit/src")]

from contracts.envelope import Envelope, Message  # noqa: E402 - after the import roots
from contracts.ids import uuid7  # noqa: E402
from contracts.subscription_service import ApiLimits, EntitlementsChanged  # noqa: E402
from contracts.user_management import EmailVerified  # noqa: E402
from contracts.user_service import UserRegistered  # noqa: E402
from iac.local.testing import PostgresServer, RedisServer  # noqa: E402
from kit.clock import SystemClock  # noqa: E402
from tests.support.builders import api_event, sqs_event  # noqa: E402
from tests.support.publisher import RecordingPublisher  # noqa: E402

PASSWORD = "jalan kenangan 1978"
EMAIL = "bench@example.com"
STAGE = "bench"
STAGE_ARN = "arn:aws:execute-api:ap-southeast-3:000000000000:a1/bench"
OPEN_ROOMS = ("user_service", "user_management", "api_gateway")


def _iterate_addresses() -> Iterator[str]:
    """An address of its own for each request: throttles by address are not what is measured."""
    while True:
        for low in range(65_536):
            yield f"10.9.{low // 256}.{low % 256}"


@dataclass
class Product:
    """The rooms, and one user with a verified address."""

    modules: dict[str, Any]
    bus: RecordingPublisher
    redis: RedisServer
    postgres: PostgresServer
    addresses: Iterator[str] = field(default_factory=_iterate_addresses)
    user_id: UUID = field(default_factory=uuid7)
    tenant_id: UUID = field(default_factory=uuid7)

    def handler(self, name: str) -> Callable[..., Any]:
        """A Lambda handler by its module's name below ``functions``."""
        found: Callable[..., Any] = self.modules[name].handler
        return found

    def call(self, room: str, method: str, path: str, **parts: Any) -> Any:
        """Call a room as API Gateway would; returns the JSON body. Raises RuntimeError."""
        event = make_event(method, path, address=next(self.addresses), **parts)
        answer = self.handler(f"{room}.api")(event, None)
        if answer["statusCode"] >= 400:
            raise RuntimeError(f"{method} {path}: {answer['statusCode']} {answer['body']}")
        return json.loads(answer["body"]) if answer.get("body") else None

    def deliver(self, room: str, message: Message, tenant_id: UUID | None) -> None:
        """Let a message reach a room's queue. Raises RuntimeError."""
        envelope = Envelope.wrap(message, tenant_id=tenant_id, now=SystemClock().now())
        failures = self.handler(f"{room}.consumer")(sqs_event(envelope), None)
        if failures["batchItemFailures"]:
            raise RuntimeError(f"{room} did not take {type(message).__name__}")

    def authorize(self, method: str, path: str, **headers: str) -> dict[str, Any]:
        """Ask the authorizer; the context that the room will see."""
        event = make_event(method, path, address="10.1.2.3", headers=headers)
        policy = self.handler("api_gateway.authorizer")(event, None)
        return dict(policy["context"])

    def sign_up(self, limits: ApiLimits) -> None:
        """Register, prove the address, and let every room know of the tenant."""
        body = {
            "email": EMAIL,
            "password": PASSWORD,
            "full_name": "Bench",
            "tenant_name": "Bench",
            "locale": "id",
        }
        made = self.call("user_service", "POST", "/v1/auth/register", body=body)
        self.user_id, self.tenant_id = UUID(made["user_id"]), UUID(made["tenant_id"])
        known = {
            "user_id": self.user_id,
            "email": EMAIL,
            "full_name": "Bench",
            "tenant_name": "Bench",
            "locale": "id",
        }
        self.deliver("user_management", UserRegistered(**known), self.tenant_id)
        self.deliver("user_service", EmailVerified(**known), self.tenant_id)
        grant = EntitlementsChanged(
            version=1,
            tier="enterprise",
            symbols=("*",),
            predictions_per_day=None,
            prediction_delay_s=0,
            live_accounts=1,
            api=limits,
        )
        for room in ("user_service", "api_gateway"):
            self.deliver(room, grant, self.tenant_id)

    def log_in(self) -> str:
        """Open a session; its access token."""
        body = {"email": EMAIL, "password": PASSWORD}
        return str(self.call("user_service", "POST", "/v1/auth/login", body=body)["access_token"])

    def make_api_key(self, token: str) -> str:
        """An API key that may read."""
        path = "/v1/auth/api-keys"
        context = self.authorize("POST", path, authorization=f"Bearer {token}")
        body = {"name": "bench", "scopes": ["read"]}
        made = self.call("user_service", "POST", path, body=body, principal=context)
        return str(made["key"])


def make_event(method: str, path: str, *, address: str, **parts: Any) -> dict[str, Any]:
    """A REST API event as the authorizer and the rooms get it."""
    event = api_event(method, path, **parts)
    event["requestContext"]["identity"] = {"sourceIp": address, "userAgent": "bench"}
    event["type"], event["methodArn"] = "REQUEST", f"{STAGE_ARN}/{method}{path}"
    return event


class _Entrance(ThreadingHTTPServer):
    """Serves user_service's open routes to the authorizer."""

    daemon_threads = True
    handler: Callable[..., Any]


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(size).decode() if size else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        event = make_event(self.command, self.path, address="10.0.0.1", headers=headers, body=text)
        server: Any = self.server
        answer = server.handler(event, None)
        body = (answer.get("body") or "").encode()
        self.send_response(answer["statusCode"])
        self.send_header("content-type", answer["headers"].get("content-type", "text/plain"))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def open_product() -> Iterator[Product]:
    """Start the stores, migrate, import the rooms and open the entrance; everything ends after."""
    from functions.database_service.migrate import ROOMS, migrate
    from iac.local.testing import start_postgres, start_redis

    entrance = _Entrance(("127.0.0.1", 0), _Request)
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        postgres = start_postgres(folder)
        opened.callback(postgres.stop)
        redis = start_redis(folder)
        opened.callback(redis.stop)
        passwords = {room: secrets.token_urlsafe(24) for room in ROOMS}
        migrate(postgres.dsn, passwords)
        secret_texts = list_secrets(postgres.port, redis.url, passwords)
        opened.enter_context(_environment(f"http://127.0.0.1:{entrance.server_port}", secret_texts))
        product = Product(_import_rooms(), RecordingPublisher(), redis, postgres)
        _connect(product, opened)
        entrance.handler = product.handler("user_service.api")
        threading.Thread(target=entrance.serve_forever, daemon=True).start()
        opened.callback(entrance.server_close)
        opened.callback(entrance.shutdown)
        yield product


def list_secrets(port: int, redis_url: str, passwords: dict[str, str]) -> dict[str, Any]:
    """What the rooms read from Secrets Manager."""
    from kit.service_tokens import derive_public

    databases = {
        f"db/{room}": {
            "host": "127.0.0.1",
            "port": port,
            "dbname": "sinyal",
            "user": f"sinyal_{room}",
            "password": password,
        }
        for room, password in passwords.items()
    }
    gateway_seed = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        **databases,
        "redis": {"url": redis_url},
        "jwt": {"seed": base64.b64encode(secrets.token_bytes(32)).decode()},
        "mfa": {"key": base64.b64encode(secrets.token_bytes(32)).decode()},
        "mail-links": {"key": base64.b64encode(secrets.token_bytes(32)).decode()},
        "service/api_gateway": {"seed": gateway_seed},
        "service-keys": {"api_gateway": derive_public(gateway_seed)},
    }


@contextlib.contextmanager
def _environment(url: str, secret_texts: dict[str, Any]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(
        STAGE=STAGE,
        POWERTOOLS_SERVICE_NAME="bench",
        POWERTOOLS_TRACE_DISABLED="true",
        EVENT_BUS_NAME="bench",
        PUBLIC_URL=url,
        AWS_DEFAULT_REGION="ap-southeast-3",
        AWS_ACCESS_KEY_ID="bench",
        AWS_SECRET_ACCESS_KEY="bench",
    )
    for name, value in secret_texts.items():
        variable = name.upper().replace("/", "_").replace("-", "_")
        os.environ[f"SINYAL_SECRET_{variable}"] = json.dumps(value)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _import_rooms() -> dict[str, Any]:
    import importlib

    names = [f"{room}.{door}" for room in OPEN_ROOMS for door in ("api", "consumer")]
    names.append("api_gateway.authorizer")
    return {name: importlib.import_module(f"functions.{name}") for name in names}


def _connect(product: Product, opened: contextlib.ExitStack) -> None:
    """Give each room its database; what it publishes goes to the stand-in of the bus."""
    from kit.db import Database, make_conninfo
    from kit.settings import read_secret

    for room in OPEN_ROOMS:
        database = Database(room, make_conninfo(read_secret(f"db/{room}")), product.bus)
        opened.callback(database.close)
        for name, module in product.modules.items():
            if name.startswith(f"{room}.") and hasattr(module, "_database"):
                module._database = lambda database=database: database
