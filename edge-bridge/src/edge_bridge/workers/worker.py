"""The process of one account: opens its terminal, does what the host asks, tells what it sees.

One thread, because a call to the terminal holds the interpreter: the sign of life is sent between
calls, so a call that hangs is seen outside as silence. It keeps no queue: what had not been
executed when it dies never is. It ends when the host does.
"""

import socket
import sys
import time
from collections.abc import Callable
from select import select
from typing import Any

from edge_bridge.adapters.constants import CONNECTION, E_AUTH_FAILED
from edge_bridge.ports import Rejected, SymbolUnknown, Terminal, TerminalUnavailable, WrongTerminal
from edge_bridge.workers import messages
from edge_bridge.workers.feed import TickFeed
from edge_bridge.workers.messages import Opening
from edge_bridge.workers.reading import StateReader
from edge_bridge.workers.terminals import Opened, TerminalRefused, open_terminal
from edge_bridge.workers.wire import (
    Frame,
    FrameReader,
    Kind,
    Ticks,
    WireBroken,
    cut_ticks,
    pack,
    pack_json,
    pack_ticks,
    read_json,
    read_ticks,
)

HOST = "127.0.0.1"
START_LINE_MAX = 4_096
CONNECT_S = 10.0
READ_BYTES = 262_144
ANSWER_TICKS_MAX = 2_000_000
SOON_NS = 20_000_000
"""After the market moved, so long until it is told; many moves are told as one."""
_NS = 1_000_000
_NEVER_NS = 2**62


class HostGone(Exception):
    """The host closed the connection or died; there is nobody to work for."""


class HostLink:
    """The worker's end of the connection; sending blocks, as the host always reads."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = FrameReader()

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        try:
            self._socket.sendall(frame)
        except OSError as error:
            raise HostGone(str(error)) from error

    def receive(self, wait_s: float) -> list[Frame]:
        """Wait for frames at most so long."""
        try:
            ready, _, _ = select([self._socket], [], [], wait_s)
            data = self._socket.recv(READ_BYTES) if ready else None
        except OSError as error:
            raise HostGone(str(error)) from error
        if data == b"":
            raise HostGone("end of the connection")
        return [] if data is None else self._reader.read(data)


class Worker:
    """One account's terminal, driven by frames."""

    def __init__(self, link: HostLink, opening: Opening, opened: Opened) -> None:
        self._link, self._opening = link, opening
        self._terminal: Terminal = opened.terminal
        self._take_market = opened.take_market
        self._reader = StateReader(self._terminal, opening)
        self._feed = TickFeed(self._terminal, opening.feed, opening.feed_from)
        self._credit = 0
        self._market = 0
        self._last_request = 0
        self._told_ns = 0
        self._state_due_ns = self._feed_due_ns = 0
        self._stopping = False

    def run(self, frames: list[Frame]) -> None:
        """Open the terminal, then serve: these frames first, and until told to stop.

        Raises HostGone and what opening a terminal does.
        """
        self._connect()
        for frame in frames:
            self._handle(frame)
        while not self._stopping:
            due_ns = min(self._state_due_ns, self._feed_due_ns)
            wait_ns = max(0, due_ns - time.monotonic_ns())
            for frame in self._link.receive(wait_ns / 1e9):
                self._handle(frame)
            self._serve_due()
        self._terminal.disconnect()

    def _connect(self) -> None:
        account = self._terminal.connect()
        row = messages.write_account(account)
        self._link.send(pack_json(Kind.READY, 0, [self._opening.account_id, row]))
        self._reader.forget()
        self._tell_state()
        self._feed_due_ns = time.monotonic_ns() if self._opening.feed else _NEVER_NS

    def _serve_due(self) -> None:
        """Tell what is due; a terminal that does not answer is opened again, once."""
        try:
            now_ns = time.monotonic_ns()
            if now_ns >= self._feed_due_ns:
                self._feed_due_ns = now_ns + self._opening.feed_ms * _NS
                self._send_feed()
            if now_ns >= self._state_due_ns:
                self._tell_state()
        except TerminalUnavailable as error:
            self._link.send(pack_json(Kind.LOST, 0, [error.code, str(error)]))
            self._connect()

    def _tell_state(self) -> None:
        now_ns = time.monotonic_ns()
        state = self._reader.read(now_ns, self._market)
        self._link.send(pack_json(Kind.STATE, 0, messages.write_state(state)))
        self._told_ns = now_ns
        # A simulated terminal changes only by what the host sends.
        wait_ms = self._opening.sign_ms if self._take_market else self._opening.state_ms
        self._state_due_ns = now_ns + min(wait_ms, self._opening.sign_ms) * _NS

    def _send_feed(self) -> None:
        for ticks in self._feed.poll(self._credit):
            self._credit -= len(ticks.columns.ts_ns)
            self._link.send(pack_ticks(Kind.TICKS, 0, ticks))

    def _handle(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.REQUEST:
                self._execute(frame)
                self._state_due_ns = 0
            case Kind.ASK:
                self._answer(frame)
            case Kind.MARKET:
                self._move_market(frame)
            case Kind.WATCH:
                self._reader.watch(read_json(frame.payload))
                self._state_due_ns = 0
            case Kind.CREDIT:
                self._credit += int(read_json(frame.payload))
            case Kind.STOP:
                self._stopping = True
            case _:
                raise WireBroken(f"{frame.kind.name} is no message to a worker")
        if time.monotonic_ns() - self._told_ns >= self._opening.sign_ms * _NS:
            self._serve_due()

    def _execute(self, frame: Frame) -> None:
        """Execute a request: once, in time or not at all."""
        deadline_ns, action = messages.read_action(read_json(frame.payload))
        if frame.number <= self._last_request:
            raise WireBroken(f"request {frame.number} came again")
        self._last_request = frame.number
        result = (
            Rejected(CONNECTION, "taken up too late: not sent")
            if self._stopping or time.monotonic_ns() > deadline_ns
            else self._terminal.begin(action).poll()
        )
        assert result is not None  # a terminal in the worker answers at once
        content = messages.write_result(result)
        self._link.send(pack_json(Kind.ANSWER, frame.number, content))

    def _move_market(self, frame: Frame) -> None:
        if self._take_market is None:
            raise WireBroken("a real terminal takes no market")
        self._take_market(read_ticks(frame.payload))
        self._market = frame.number
        self._state_due_ns = min(self._state_due_ns, self._told_ns + SOON_NS)

    def _answer(self, frame: Frame) -> None:
        what, *arguments = read_json(frame.payload)
        try:
            content: list[Any] = ["ok", self._read(frame.number, what, arguments)]
            answer = pack_json(Kind.ANSWER, frame.number, content)
        except TerminalUnavailable as error:
            answer = pack_json(Kind.ANSWER, frame.number, ["down", error.code, str(error)])
            self._state_due_ns = 0
        except SymbolUnknown as error:
            answer = pack_json(Kind.ANSWER, frame.number, ["symbol", 0, str(error)])
        except WireBroken as error:
            answer = pack_json(Kind.ANSWER, frame.number, ["down", CONNECTION, str(error)])
        self._link.send(answer)

    def _read(self, number: int, what: str, arguments: list[Any]) -> Any:
        match what:
            case "deals":
                deals = self._terminal.deals_since(*arguments)
                return [messages.write_deal(each) for each in deals]
            case "bars":
                return [messages.write_bar(each) for each in self._terminal.bars(*arguments)]
            case "ticks":
                ticks = Ticks(arguments[0], 0, self._terminal.ticks_between(*arguments))
                count = len(ticks.columns.ts_ns)
                if count > ANSWER_TICKS_MAX:
                    raise WireBroken(f"{count} ticks; ask for a shorter time")
                for part in cut_ticks(ticks):
                    self._link.send(pack_ticks(Kind.TICKS, number, part))
                return count
        raise WireBroken(f"{what} cannot be read")


def main(open_: Callable[[Opening, str], Opened] = open_terminal) -> int:
    """Serve one account; the first line of the standard input says where the host listens."""
    start = read_json(sys.stdin.buffer.readline(START_LINE_MAX))
    sys.stdin.close()
    with socket.create_connection((HOST, start["port"]), timeout=CONNECT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        link = HostLink(connection)
        link.send(pack(Kind.HELLO, 0, bytes.fromhex(start["key"])))
        try:
            return _serve(link, start["password"], open_)
        except HostGone:
            return 0


def _serve(link: HostLink, password: str, open_: Callable[[Opening, str], Opened]) -> int:
    frames: list[Frame] = []
    while not frames:
        frames = link.receive(CONNECT_S)
    opening = messages.read_opening(read_json(frames[0].payload))
    refused = False
    try:
        Worker(link, opening, open_(opening, password)).run(frames[1:])
    except (WrongTerminal, TerminalRefused) as error:
        refused, code, reason = True, 0, str(error)
    except TerminalUnavailable as error:
        refused, code, reason = error.code == E_AUTH_FAILED, error.code, str(error)
    except HostGone:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        link.send(pack_json(Kind.FAILED, 0, [False, 0, _hide(reason, password)]))
        raise
    else:
        return 0
    link.send(pack_json(Kind.FAILED, 0, [refused, code, _hide(reason, password)]))
    return 1


def _hide(text: str, password: str) -> str:
    return text.replace(password, "***")[:200] if password else text[:200]
