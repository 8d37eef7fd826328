"""The live edge as a process over a recording: a real bus, real workers, real sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.compute as pc
import pyarrow.parquet as pq
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from contracts.envelope import Envelope
from functions.user_service.logic.tokens import TokenSigner
from tests.edge_bridge.cloud import Cloud, environment
from tests.edge_bridge.stream.stream_kit import ISSUER, SEED, Client, Person

ROOT = Path(__file__).parents[3]
TICKS = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
START_NS, MINUTES = 1_400_054_400_000_000_000, 45
WAIT_S = 40.0
_T = TypeVar("_T")

CONFIG = """
name = "edge-test"
stage = "test"
state = '{state}'
unknown_grace_s = 0.5
[cloud]
event_bus = "sinyal-test"
edge_queue = "sinyal-test-edge"
market_queue = "sinyal-test-market-data"
eager_poll_ms = 5
[market]
source = "recording"
symbols = ["EURUSD"]
recording = '{recording}'
speed = {speed}
[workers]
heartbeat_max_s = 2.0
[stream]
host = "127.0.0.1"
port = {port}
jwks_url = "{issuer}/.well-known/jwks.json"
issuer = "{name}"
[clock]
servers = []
"""


@contextmanager
def serve_keys() -> Iterator[str]:
    """The API's public keys over HTTP."""
    body = json.dumps(TokenSigner(SEED, ISSUER).jwks).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def cut_recording(folder: Path) -> Path:
    """Some minutes of the shipped day."""
    table = pq.read_table(TICKS)
    end_ns = START_NS + MINUTES * 60_000_000_000
    inside = pc.and_(pc.greater_equal(table["ts_ns"], START_NS), pc.less(table["ts_ns"], end_ns))
    path = folder / "ticks.parquet"
    pq.write_table(table.filter(inside), path)
    return path


def find_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class LiveProcess:
    """One host; `start` may be called again after it ended."""

    cloud: Cloud
    folder: Path
    issuer: str
    speed: float = 20.0
    port: int = field(default_factory=find_port)
    seen: list[Envelope] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.folder / "state"
        self.config = self.folder / "edge.toml"
        self.recording = cut_recording(self.folder)

    def start(self) -> None:
        """Start the process."""
        self.config.write_text(
            CONFIG.format(
                state=self.state, recording=self.recording, speed=self.speed, port=self.port,
                issuer=self.issuer, name=ISSUER,
            )
        )  # fmt: skip
        paths = [ROOT / "layers" / "contracts" / "src", ROOT / "edge-bridge" / "src"]
        with (self.folder / "stderr.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge_bridge", "run", "--config", str(self.config)],
                env={**os.environ, **environment(self.cloud.endpoint),
                     "PYTHONPATH": os.pathsep.join(map(str, paths))},
                stderr=log,
            )  # fmt: skip

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def read_log(self) -> str:
        """What it said."""
        log = self.state / "logs" / "edge.log"
        said = (self.folder / "stderr.log").read_text()
        return said + (log.read_text() if log.exists() else "")

    def ask(self, path: str) -> tuple[int, str]:
        """GET an address of the port; status 0 when it is not there yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def observe(self, kind: type[Any]) -> list[Any]:
        """Every event of a type that came out so far."""
        self.seen += self.cloud.drain("observed")
        return [each for each in self.seen if isinstance(each.data, kind)]

    def wait_for(self, read: Callable[[], _T | None], what: str) -> _T:
        """Read until there is something; the process must be alive meanwhile."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = read()
            if found:
                return found
            assert self.process.poll() is None, self.read_log()[-3_000:]
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come: {self.read_log()[-3_000:]}")

    @contextmanager
    def enter(self, person: Person, *channels: str) -> Iterator["Follower"]:
        """A client of the stream that is let in and reads on by itself."""
        url = f"ws://127.0.0.1:{self.port}/stream"
        with connect(url, close_timeout=1, compression=None) as connection:
            client = Client(connection).enter(person.sign())
            for channel in channels:
                client.follow(channel)
            follower = Follower(client)
            yield follower
        follower.thread.join(10)


class Follower:
    """Reads everything a client gets, in a thread."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            while True:
                self.client.take(60)
        except (ConnectionClosed, TimeoutError):
            return

    def find(self, channel: str, key: str) -> dict[str, Any] | None:
        """The newest value of a key on a channel."""
        found = None
        for message in list(self.client.got):
            if message.get("channel") != channel:
                continue
            for item in message.get("items") or message.get("state") or ():
                if isinstance(item, dict) and item.get("key") == key:
                    found = item["value"]
        return found

    def text(self) -> str:
        """Everything it got."""
        return json.dumps(self.client.got)


def list_workers(process: "subprocess.Popen[bytes]") -> list[int]:
    """The process ids of a host's workers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found = [int(each) for each in children.read_text().split()]
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        found += [int(each) for each in (thread / "children").read_text().split()]
    return sorted(set(found))
