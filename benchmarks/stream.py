"""A thousand clients on the edge's stream: how late ticks come, and what that costs.

The server runs here as it does in the edge: its loop in a thread beside the one that publishes.
The clients are a second process that reads raw sockets, checks every number, and tells how late
each message was read: its own work of reading a thousand sockets is part of that figure.
"""

import json
import multiprocessing
import os
import selectors
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT),
    *(str(ROOT / part / "src") for part in ("edge-bridge", "layers/contracts", "layers/kit")),
]

from contracts.subscription_service import EntitlementsChanged  # noqa: E402 - import roots first
from edge_bridge.stream.hub import Hub  # noqa: E402
from edge_bridge.stream.issuer import keys_given  # noqa: E402
from edge_bridge.stream.server import StreamServer  # noqa: E402
from edge_bridge.stream.settings import StreamSettings  # noqa: E402
from edge_bridge.stream.tokens import KeyRing, TokenVerifier  # noqa: E402
from functions.user_service.logic.tokens import TokenSigner  # noqa: E402
from functions.user_service.models import Account  # noqa: E402

CONNECTIONS, SECONDS, RATE = 1_000, 10, 50
TENANT_CONNECTIONS = 50
FILES_SPARE = 200
ISSUER = "https://bench.sinyal.example"
SEED = "words of many letters that sign the tokens of a measurement"
WAIT_S = 60.0


def run(
    connections: int = CONNECTIONS, seconds: float = SECONDS, rate: int = RATE
) -> dict[str, Any]:
    """Connect, publish at a steady rate, and gather what both sides saw."""
    _allow_files(connections)
    hub = Hub("bench")
    signer = TokenSigner(SEED, ISSUER)
    verifier = TokenVerifier(ISSUER, KeyRing(keys_given(signer.jwks)))
    limits = StreamSettings(
        port=0, connections_max=connections + 100, strangers_max=connections + 100
    )
    server = StreamServer(limits, verifier, hub)
    server.start()
    tokens = [_make_tenant(hub, signer) for _ in range(-(-connections // TENANT_CONNECTIONS))]
    hub.publish_ticks("EURUSD", 5, [time.perf_counter_ns()], [100], [101])
    ticks = int(seconds * rate)
    here, there = multiprocessing.get_context("spawn").Pipe()
    clients = multiprocessing.get_context("spawn").Process(
        target=read_all, args=(there, server.port, tokens, connections, ticks)
    )
    before = _resident_bytes()
    clients.start()
    try:
        _await(here)
        memory = _resident_bytes() - before
        costs, cpu_share = _publish(hub, ticks, rate)
        floor, _ = _publish(Hub("floor"), min(ticks, rate), rate)
        seen = _await(here)
    finally:
        clients.join(WAIT_S)
        server.stop()
    return {
        "connections": connections,
        "ticks_per_s": rate,
        "seconds": seconds,
        "delivered": seen["delivered"],
        "lost": connections * ticks - seen["delivered"],
        "out_of_order": seen["out_of_order"],
        "latency_ms": seen["latency_ms"],
        "cpu_share": round(cpu_share, 3),
        "client_cpu_share": seen["cpu_share"],
        "kib_per_connection": round(memory / connections / 1_024, 1),
        "publish_us": costs,
        "unread_publish_us": floor,
    }


def _publish(hub: Hub, ticks: int, rate: int) -> tuple[dict[str, float], float]:
    """Publish one tick at a time; what each call cost, and this process's share of a core."""
    costs: list[int] = []
    started, worked = time.perf_counter(), time.process_time()
    for number in range(ticks):
        time.sleep(max(0.0, started + number / rate - time.perf_counter()))
        began = time.perf_counter_ns()
        hub.publish_ticks("EURUSD", 5, [began], [137_000 + number % 50], [137_012 + number % 50])
        costs.append(time.perf_counter_ns() - began)
    time.sleep(1 / rate)
    share = (time.process_time() - worked) / (time.perf_counter() - started)
    return _spread(costs, 1e3), share


def _make_tenant(hub: Hub, signer: TokenSigner) -> str:
    account = Account(
        user_id=uuid4(), tenant_id=uuid4(), email="", password_hash="", role="owner",
        status="active", platform_admin=False, support=False, locale="id", tier="enterprise",
    )  # fmt: skip
    plan = EntitlementsChanged(
        version=1, tier="enterprise", symbols=("*",), predictions_per_day=None,
        prediction_delay_s=0, live_accounts=10,
    )  # fmt: skip
    hub.set_entitlements(account.tenant_id, plan)
    return signer.sign(account, uuid4(), datetime.now(UTC))


def _await(pipe: Any) -> Any:
    if not pipe.poll(WAIT_S):
        raise TimeoutError("the clients' process does not answer")
    return pipe.recv()


def read_all(pipe: Any, port: int, tokens: list[str], connections: int, ticks: int) -> None:
    """The clients' process: connect all, tell so, read all, tell what was seen."""
    _allow_files(connections)
    clients = [_Client(port, tokens[number % len(tokens)]) for number in range(connections)]
    ready = selectors.DefaultSelector()
    for client in clients:
        client.socket.setblocking(False)
        ready.register(client.socket, selectors.EVENT_READ, client)
    pipe.send("connected")
    late: list[int] = []
    missing, out_of_order = connections * ticks, 0
    started, worked, deadline = time.perf_counter(), time.process_time(), time.monotonic() + WAIT_S
    while missing > 0 and time.monotonic() < deadline:
        for key, _ in ready.select(1.0):
            client = key.data
            for message in client.read():
                now = time.perf_counter_ns()
                items = message["items"]
                if message["seq"] != client.seq + len(items) + message.get("conflated", 0):
                    out_of_order += 1
                client.seq = message["seq"]
                missing -= len(items)
                late.extend(now - item[0] for item in items)
    share = (time.process_time() - worked) / (time.perf_counter() - started)
    for client in clients:
        client.socket.close()
    pipe.send(
        {
            "delivered": len(late),
            "out_of_order": out_of_order,
            "latency_ms": _spread(late, 1e6),
            "cpu_share": round(share, 3),
        }
    )


class _Client:
    """A raw WebSocket that follows EURUSD: no library, so that reading costs little."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._rest = b""
        self.socket.sendall(
            b"GET /stream HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        while b"\r\n\r\n" not in self._rest:
            self._rest += self.socket.recv(4_096)
        self._rest = self._rest.split(b"\r\n\r\n", 1)[1]
        self._ask({"op": "auth", "token": token})
        self._ask({"op": "subscribe", "channel": "ticks", "symbol": "EURUSD"})
        got: list[dict[str, Any]] = []
        while len(got) < 3:
            got += self.read()
        if [message["op"] for message in got] != ["authenticated", "subscribed", "snapshot"]:
            raise RuntimeError(f"the stream said {got}")
        self.seq: int = got[-1]["seq"]

    def _ask(self, request: dict[str, str]) -> None:
        body = json.dumps(request).encode()
        self.socket.sendall(struct.pack("!BBH", 0x81, 0xFE, len(body)) + bytes(4) + body)

    def read(self) -> Iterator[dict[str, Any]]:
        """The messages that have come; pings are passed over."""
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the stream has ended")
        data, at = self._rest + data, 0
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                if len(data) < at + 4:
                    break
                size, start = struct.unpack_from("!H", data, at + 2)[0], at + 4
            if len(data) < start + size:
                break
            if data[at] == 0x81:
                yield orjson.loads(data[start : start + size])
            at = start + size
        self._rest = data[at:]


def _spread(values: list[int], unit: float) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=1_000)
    named = {"p50": cuts[499], "p99": cuts[989], "p999": cuts[998], "max": max(values)}
    return {name: round(value / unit, 2) for name, value in named.items()}


def _allow_files(connections: int) -> None:
    """Let this process have as many sockets; Windows has no such limit."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_SPARE
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def _resident_bytes() -> int:
    """What this process holds in memory; 0 where the system does not say it this way."""
    table = Path("/proc/self/statm")
    if not table.exists():
        return 0
    return int(table.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def describe(result: dict[str, Any]) -> str:
    """The figures in a few lines."""
    late, cost, floor = (result[name] for name in ("latency_ms", "publish_us", "unread_publish_us"))
    return (
        f"stream: {result['connections']:,} clients at {result['ticks_per_s']} ticks/s for"
        f" {result['seconds']} s: {result['delivered']:,} delivered, {result['lost']} lost,"
        f" {result['out_of_order']} out of order\n"
        f"  published to read: p50 {late['p50']:.1f}, p99 {late['p99']:.1f}, max {late['max']:.1f}"
        f" ms; {result['cpu_share']:.0%} of a core here, {result['client_cpu_share']:.0%} in the"
        f" clients' process; {result['kib_per_connection']:.0f} KiB a connection\n"
        f"  one publish call after a pause: p50 {cost['p50']:.1f}, p99 {cost['p99']:.1f} us; into a"
        f" hub that nobody reads: p50 {floor['p50']:.1f}, p99 {floor['p99']:.1f} us"
    )


if __name__ == "__main__":
    figures = run(*(int(given) for given in sys.argv[1:]))
    print(json.dumps(figures, indent=2))
    print(describe(figures))
