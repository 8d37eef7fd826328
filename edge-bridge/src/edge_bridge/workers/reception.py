"""Where new workers knock: on loopback, with the key that only they were given."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from edge_bridge.workers.channel import Channel
from edge_bridge.workers.wire import Frame, Kind, WireBroken
from edge_bridge.workers.worker import HOST

WAITING_MAX = 64
KNOCK_MAX_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """A connection that has not shown its key yet."""

    channel: Channel
    since_ns: int


class Reception:
    """Listens for workers; tells which key a connection has shown."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.listener = socket.create_server((HOST, 0), backlog=128)
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.visitors: set[Visitor] = set()

    def accept(self, now_ns: int) -> Visitor | None:
        """Take a new connection; None when there is none, or too many wait already."""
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return None
        if len(self.visitors) >= WAITING_MAX:
            connection.close()
            return None
        visitor = Visitor(Channel(connection, self._wake), now_ns)
        self.visitors.add(visitor)
        return visitor

    def read_key(self, visitor: Visitor) -> bytes | None:
        """The key that a connection shows; None while it has not, b"" when it is no worker."""
        try:
            frames = visitor.channel.read()
        except WireBroken:
            return b""
        match frames:
            case []:
                return None
            case [Frame(Kind.HELLO, _, key)] if len(key) == 32:
                return key
        return b""

    def find_overdue(self, now_ns: int) -> list[Visitor]:
        """Connections that showed no key in time."""
        return [each for each in self.visitors if now_ns - each.since_ns > KNOCK_MAX_NS]

    def close(self) -> None:
        """Listen no more."""
        self.listener.close()
        for visitor in self.visitors:
            visitor.channel.close()
