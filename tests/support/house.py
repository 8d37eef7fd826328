"""The whole product in one process: every room's real doors behind the real authorizer.

What API Gateway, the bus and the queues do between the doors is done here by the template's own
rules; everything else is the product, on real PostgreSQL, Redis, ClickHouse and sandboxes.
"""

import importlib
import json
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.routes import find_route
from iac.local.rooms import ROOMS
from kit.outbox import OutboxRow
from kit.service_tokens import derive_public
from kit.settings import forget_secrets
from tests.architecture.tree import queue_of, resources
from tests.iac.sandbox import stack as sandbox
from tests.support.people import Answer

DELIVERIES_MAX = 500
DEAF = frozenset({"database_service", "performance_analytics"})
"""Rooms whose queue is left alone: the one needs a bucket, the other only counts."""
SETTINGS = {
    "WEB_URL": "https://app.sinyal.example",
    "MODELS_BUCKET": "sinyal-test-models",
    "EXPORTS_BUCKET": "sinyal-test-exports",
}
JWT_SEED = "q5N0v8xZ1kTj3mWc7RbLh2YpEs9GdUfA4oXnJ6iVzQk="
GATEWAY_SEED = "Z1kTj3mWc7RbLh2YpEs9GdUfA4oXnJ6iVzQkq5N0v8x="
HOST = "api.sinyal.localhost"


@dataclass
class House:
    """Calls doors as API Gateway does, and carries events as the bus does."""

    waiting: deque[OutboxRow] = field(default_factory=deque)
    published: list[OutboxRow] = field(default_factory=list)
    url: str = ""
    turn: threading.RLock = field(default_factory=threading.RLock)

    def publish(self, rows: Sequence[OutboxRow]) -> list[UUID]:
        """Stand where the bus would."""
        self.waiting.extend(rows)
        self.published.extend(rows)
        return [row.event_id for row in rows]

    def deliver(self) -> int:
        """Carry what was published to the rooms that hear it, until nothing more comes."""
        carried = 0
        with self.turn:
            while self.waiting:
                row = self.waiting.popleft()
                for room in sorted(hearers(row.detail_type) - DEAF):
                    carried += 1
                    assert carried <= DELIVERIES_MAX, "the events never end"
                    self.hand_over(room, row)
        return carried

    def hand_over(self, room: str, row: OutboxRow) -> None:
        """Give a room's queue a message, which must be taken."""
        body = {
            "detail-type": row.detail_type,
            "source": row.source,
            "detail": json.loads(row.envelope),
        }
        record = {
            "messageId": str(uuid7()),
            "receiptHandle": "handle",
            "body": json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:ap-southeast-3:000000000000:{queue_of(room)}",
        }
        consumer = importlib.import_module(f"functions.{room}.consumer")
        answer = consumer.handler({"Records": [record]}, None)
        assert answer == {"batchItemFailures": []}, (room, row.detail_type)

    def settle(self) -> None:
        """Let everything that was caused happen."""
        self.deliver()

    def read_code(self, email: str) -> str:
        """The newest secret that goes to an address by mail."""
        for row in reversed(self.published):
            data = json.loads(row.envelope)["data"]
            if email in (data.get("email"), data.get("new_email")) and "token" in data:
                return str(data["token"])
        raise LookupError(f"no mail to {email}")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A client's request, through the authorizer when the route asks for one."""
        sent = {"host": urlsplit(self.url).netloc, **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        raw = None
        if body is not None:
            sent.setdefault("content-type", "application/json")
            raw = body if isinstance(body, str) else json.dumps(body)
        return self.forward(method, path, sent, raw)

    def forward(
        self, method: str, target: str, headers: dict[str, str], body: str | None
    ) -> Answer:
        """What API Gateway does with a request."""
        event = make_event(method, target, headers, body)
        row = find_route(method, event["path"])
        if row is None:
            return make_gateway_problem(404, "not_found")
        if row.access != "open":
            context = self.authorize(event)
            if context is None:
                return make_gateway_problem(401, "unauthenticated")
            event["requestContext"]["authorizer"] = context
        door = importlib.import_module(f"functions.{row.room}.api")
        with self.turn:
            answer = door.handler(event, None)
        return Answer(answer["statusCode"], answer["headers"], answer.get("body") or "")

    def authorize(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The authorizer's context; None when it lets nobody pass."""
        from functions.api_gateway import authorizer
        from functions.api_gateway.errors import Unauthorized

        arn = "arn:aws:execute-api:ap-southeast-3:000000000000:api/test/"
        question = {**event, "type": "REQUEST", "methodArn": arn + event["httpMethod"]}
        question["methodArn"] += event["path"]
        try:
            policy = authorizer.handler(question, None)
        except Unauthorized:
            return None
        [statement] = policy["policyDocument"]["Statement"]
        assert statement["Effect"] == "Allow"
        # API Gateway hands every value on as text.
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in policy["context"].items()
        }


def make_event(
    method: str, target: str, headers: dict[str, str], body: str | None
) -> dict[str, Any]:
    """A REST API proxy event, payload 1.0."""
    parts = urlsplit(target)
    query = parse_qsl(parts.query, keep_blank_values=True)
    many: dict[str, list[str]] = {}
    for name, value in query:
        many.setdefault(name, []).append(value)
    return {
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "test",
            "path": parts.path,
            "httpMethod": method,
            "requestId": str(uuid7()),
            "identity": {"sourceIp": "203.0.113.7", "userAgent": headers.get("user-agent", "")},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def make_gateway_problem(status: int, code: str) -> Answer:
    """What API Gateway itself answers, as the template's gateway responses say."""
    problem = {
        "type": f"https://docs.sinyal.id/problems/{code}",
        "title": code,
        "status": status,
        "code": code,
        "detail": code,
    }
    return Answer(status, {"content-type": "application/problem+json"}, json.dumps(problem))


@lru_cache(maxsize=200)
def hearers(detail_type: str) -> frozenset[str]:
    """The rooms whose rule takes an event; the edge is no room."""
    rooms = {queue_of(room): room for room in ROOMS}
    found = set()
    for rule in resources("iac/rules.yaml", "AWS::Events::Rule").values():
        pattern = rule["Properties"]["EventPattern"]["detail-type"]
        refused = [
            name for part in pattern if isinstance(part, dict) for name in part["anything-but"]
        ]
        named = [part for part in pattern if isinstance(part, str)]
        [target] = rule["Properties"]["Targets"]
        room = rooms.get(target["Arn"]["Sub"].rpartition("-${Stage}-")[2])
        heard = detail_type in named or (not named and detail_type not in refused)
        if heard and room is not None:
            found.add(room)
    return frozenset(found)


def list_secrets(
    databases: dict[str, Any], redis_url: str, clickhouse: dict[str, Any], urls: dict[str, str]
) -> dict[str, Any]:
    """Every secret that a room may read, under its name."""
    host, port = urls["smtp"].split(":")
    llm = {name: {"api_key": sandbox.LLM_KEY, "base_url": urls[name]}
           for name in ("openai", "anthropic", "gemini", "deepseek")}  # fmt: skip
    return {
        **{f"db/{room}": secret for room, secret in databases.items()},
        **llm,
        "redis": {"url": redis_url},
        "clickhouse": clickhouse,
        "jwt": {"seed": JWT_SEED},
        "mfa": {"key": "vU7pQe2TzKd9wJr4LxYc1HgNs8MbA6oFi3tXyRuPjEk="},
        "mail-links": {"key": "Hn3Kq8RwTz5Vb1YdMx7Jc0GfPs4LaEo9UiXuQ2tNyWk="},
        "service/api_gateway": {"seed": GATEWAY_SEED},
        "service-keys": {"api_gateway": derive_public(GATEWAY_SEED)},
        "midtrans": {
            "server_key": sandbox.SERVER_KEY,
            "client_key": "client",
            "merchant_id": sandbox.MERCHANT_ID,
            "core_url": urls["midtrans"],
            "snap_url": f"{urls['midtrans']}/snap/v1",
        },
        "telegram": {
            "bot_id": str(sandbox.BOT_ID),
            "bot_token": sandbox.BOT_TOKEN,
            "webhook_secret": sandbox.WEBHOOK_SECRET,
            "api_url": urls["telegram"],
        },
        "smtp": {
            "host": host,
            "port": int(port),
            "username": sandbox.SMTP_USER,
            "password": sandbox.SMTP_PASSWORD,
            "sender": "Sinyal <no-reply@sinyal.example>",
            "tls": False,
        },
    }


class _Door(BaseHTTPRequestHandler):
    """The house's API over HTTP."""

    house: ClassVar[House]
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(size).decode("utf-8", "replace") if size else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.house.forward(self.command, self.path, headers, body)
        content = answer.text.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


for _verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"):
    setattr(_Door, f"do_{_verb}", _Door._serve)


def forget_process_state() -> None:
    """Everything a process keeps between requests, as a cold start has it."""
    import kit.db
    from kit.analytics import open_analytics
    from kit.cache import open_redis

    forget_secrets()
    kit.db.open_database.cache_clear()
    open_redis.cache_clear()
    open_analytics.cache_clear()
    for room in ROOMS:
        for door in ("settings", "authorizer", "api", "consumer"):
            try:
                module = importlib.import_module(f"functions.{room}.{door}")
            except ModuleNotFoundError:
                continue
            for member in vars(module).values():
                if hasattr(member, "cache_clear"):
                    member.cache_clear()


@contextmanager
def open_house(
    databases: dict[str, Any], redis_url: str, clickhouse: dict[str, Any], urls: dict[str, str]
) -> Iterator[House]:
    """Wire every room to the stores for the length of the block, and serve the API over HTTP."""
    house = House()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (_Door,), {"house": house}))
    house.url = f"http://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, secret in list_secrets(databases, redis_url, clickhouse, urls).items():
            variable = "SINYAL_SECRET_" + name.upper().replace("/", "_").replace("-", "_")
            patch.setenv(variable, json.dumps(secret))
        patch.setenv("PUBLIC_URL", house.url)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setattr("kit.db.BusPublisher", lambda _bus: house)
        patch.setattr("kit.consumer._return_at_once", lambda _record: None)
        forget_process_state()
        thread.start()
        try:
            yield house
        finally:
            server.shutdown()
            server.server_close()
            forget_process_state()
