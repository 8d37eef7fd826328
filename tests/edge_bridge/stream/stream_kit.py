"""A running stream with real sockets, an issuer that signs as user_service does, and clients."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from contracts.subscription_service import EntitlementsChanged, Tier
from edge_bridge.stream.hub import Hub
from edge_bridge.stream.issuer import keys_given
from edge_bridge.stream.server import StreamServer
from edge_bridge.stream.settings import StreamSettings
from edge_bridge.stream.tokens import KeyRing, TokenVerifier
from functions.user_service.logic.tokens import TokenSigner
from functions.user_service.models import Account

ISSUER = "https://api.sinyal.example"
SEED = "words of many letters that sign the tokens of these tests"
WAIT_S = 10.0


class HandClock:
    """The machine's clock, that can be put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The instant now."""
        return datetime.now(UTC) + self.ahead


def make_plan(tier: Tier = "enterprise", version: int = 1, **other: Any) -> EntitlementsChanged:
    """A plan; all symbols unless told otherwise."""
    given: dict[str, Any] = {
        "version": version,
        "tier": tier,
        "symbols": ("*",),
        "predictions_per_day": None,
        "prediction_delay_s": 0,
        "live_accounts": 1,
    }
    return EntitlementsChanged(**given | other)


@dataclass
class Person:
    """A user of a tenant, and a session."""

    tenant_id: UUID = field(default_factory=uuid4)
    user_id: UUID = field(default_factory=uuid4)
    session_id: UUID = field(default_factory=uuid4)
    signer: TokenSigner = field(default_factory=lambda: TokenSigner(SEED, ISSUER))

    def sign(self, now: datetime | None = None, **other: Any) -> str:
        """An access token as user_service makes it."""
        account = Account(
            user_id=self.user_id, tenant_id=self.tenant_id, email="", password_hash="",
            role="trader", status="active", platform_admin=False, support=False, locale="id",
            tier="pro",
        )  # fmt: skip
        account = replace(account, **other)
        return self.signer.sign(account, self.session_id, now or datetime.now(UTC))


class Client:
    """A client of the stream that keeps what it got, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.got: list[dict[str, Any]] = []

    def ask(self, **request: Any) -> None:
        """Send a request."""
        self.socket.send(json.dumps(request, default=str))

    def take(self, timeout: float = WAIT_S) -> dict[str, Any]:
        """The next message."""
        message = json.loads(self.socket.recv(timeout))
        assert isinstance(message, dict)
        self.got.append(message)
        return message

    def expect(self, op: str) -> dict[str, Any]:
        """The next message, which is of this kind."""
        message = self.take()
        assert message["op"] == op, message
        return message

    def enter(self, token: str) -> Self:
        """Show a token and be let in."""
        self.ask(op="auth", token=token)
        self.expect("authenticated")
        return self

    def follow(self, channel: str = "ticks", **other: Any) -> dict[str, Any]:
        """Subscribe; the answer, and its snapshot where there is one."""
        named = {"symbol": "EURUSD"} if channel in ("ticks", "bars") else {}
        self.ask(op="subscribe", channel=channel, **named | other)
        answer = self.expect("subscribed")
        return answer if answer["resumed"] else answer | {"snapshot": self.expect("snapshot")}

    def closes(self) -> tuple[int, str]:
        """Read until the server closes; with which code and reason."""
        while True:
            try:
                self.take()
            except ConnectionClosed as closed:
                assert closed.rcvd is not None, "it was dropped without a word"
                return closed.rcvd.code, closed.rcvd.reason

    def is_quiet(self) -> bool:
        """Whether nothing comes before the answer to a question asked now."""
        self.ask(op="ping")
        return bool(self.take()["op"] == "pong")


@dataclass
class Stream:
    """A stream that runs."""

    hub: Hub
    server: StreamServer
    clock: HandClock

    @contextmanager
    def connect(self, path: str = "/stream", **other: Any) -> Iterator[Client]:
        """A socket, not let in yet."""
        url = f"ws://127.0.0.1:{self.server.port}{path}"
        with connect(url, close_timeout=1, compression=None, **other) as socket:
            yield Client(socket)

    @contextmanager
    def enter(self, person: Person) -> Iterator[Client]:
        """A client that is let in."""
        with self.connect() as client:
            yield client.enter(person.sign(self.clock.now()))

    def newcomer(self, plan: EntitlementsChanged | None = None) -> Person:
        """A person whose tenant has a plan."""
        person = Person()
        self.hub.set_entitlements(person.tenant_id, plan or make_plan())
        return person

    def tick(self, number: int, symbol: str = "EURUSD", count: int = 1) -> None:
        """Publish ticks that tell their number."""
        numbers = range(number, number + count)
        self.hub.publish_ticks(
            symbol, 5, list(numbers), [100 + n for n in numbers], [101 + n for n in numbers]
        )


@contextmanager
def run_stream(fetch: Callable[[], Any] | None = None, **settings: Any) -> Iterator[Stream]:
    """A stream on a free port of this machine."""
    clock = HandClock()
    hub = Hub("edge-test", clock=clock)
    keys = KeyRing(fetch or keys_given(TokenSigner(SEED, ISSUER).jwks))
    given = {"port": 0, "housekeeping_s": 0.05, "close_timeout_s": 0.5} | settings
    server = StreamServer(StreamSettings(**given), TokenVerifier(ISSUER, keys), hub)
    server.start()
    try:
        yield Stream(hub, server, clock)
    finally:
        server.stop()
        assert not server.is_running


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a fact, for a bounded time."""
    deadline = time.monotonic() + WAIT_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        pause.wait(0.01)
