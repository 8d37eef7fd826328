"""One client's socket: positions in streams, what is written while it reads, when it is cut.

There is no queue of a connection's own. While the socket takes bytes, each stream's news are
written from the stream's ring; while it does not, nothing is kept for it. When it reads again,
market data that it is far behind in is conflated; a private stream far behind has had it cut.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from edge_bridge.stream.frames import FORBIDDEN, SLOW_CONSUMER, Refused, frame_error
from edge_bridge.stream.hub import Hub
from edge_bridge.stream.plans import StreamLimits
from edge_bridge.stream.settings import StreamSettings
from edge_bridge.stream.tokens import Identity
from edge_bridge.stream.topics import (
    FRAME_ITEMS_MAX,
    PRIVATE,
    Channel,
    Overrun,
    Topic,
    TopicName,
)

WRITE_BYTES = 16_384
"""Frames are joined up to this size: one system call for many."""
FRAMES_A_TURN = 128
"""After so many, others have their turn."""
INCOMING_BYTES_PER_S = 32_768
INCOMING_BYTES_BURST = 262_144


CountSocket = Callable[["StreamConnection", int], None]
"""Told of a socket that came (1) or went (-1)."""


class Subscription:
    """A connection's position in a stream: the number of the last item it was told of."""

    __slots__ = ("connection", "position", "replay_until", "topic")

    def __init__(
        self, connection: "StreamConnection", topic: Topic, position: int, replay_until: int
    ) -> None:
        self.connection, self.topic = connection, topic
        self.position, self.replay_until = position, replay_until


class StreamConnection(ServerConnection):
    """A socket of the stream, known or not yet."""

    def __init__(
        self, *args: Any, hub: Hub, stream: StreamSettings, count: CountSocket, **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        self.hub, self.stream = hub, stream
        self.who: Identity | None = None
        self.limits: StreamLimits | None = None
        self.subscriptions: dict[TopicName, Subscription] = {}
        self.pending: dict[Subscription, None] = {}
        """Subscriptions with news that are not written yet."""
        self.behind = False
        """The socket was full when there was news."""
        self.full_since: float | None = None
        self._count = count
        self._allowance, self._allowed_at = float(INCOMING_BYTES_BURST), 0.0
        self._drop: asyncio.TimerHandle | None = None

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a socket, unless there are too many; small buffers show early who does not read."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.stream.socket_buffer_bytes)
        self._allowed_at = self.loop.time()
        self._count(self, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the socket."""
        if self._drop is not None:
            self._drop.cancel()
        self._count(self, -1)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, as long as it is not too much: pings and fragments cost work as well."""
        now = self.loop.time()
        earned = (now - self._allowed_at) * INCOMING_BYTES_PER_S
        self._allowance = min(self._allowance + earned, INCOMING_BYTES_BURST) - len(data)
        self._allowed_at = now
        if self._allowance < 0:
            self.hub.metrics.closed.add(1, "too_many_bytes")
            self.transport.abort()
            return
        super().data_received(data)

    def pause_writing(self) -> None:
        """The client does not read fast enough."""
        super().pause_writing()
        self.full_since = self.loop.time()

    def resume_writing(self) -> None:
        """The client has read: go on."""
        super().resume_writing()
        self.full_since = None
        if self.pending:
            self.loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        self.deliver()
        self.hub.count_tally()

    # What is written.

    @property
    def is_open(self) -> bool:
        """Whether anything may be written."""
        return self.protocol.state is State.OPEN

    def tell(self, data: bytes) -> None:
        """Write an answer's frame."""
        if self.is_open:
            self.transport.write(data)

    def begin(self, subscription: Subscription) -> None:
        """Follow a stream from a position on."""
        self.subscriptions[subscription.topic.name] = subscription
        self.pending[subscription] = None
        self.deliver()

    def end(self, name: TopicName) -> Subscription | None:
        """Follow a stream no longer."""
        subscription = self.subscriptions.pop(name, None)
        if subscription is not None:
            self.pending.pop(subscription, None)
        return subscription

    def deliver(self) -> None:
        """Write the news of pending streams for as long as the socket takes them."""
        if not self.is_open:
            self.pending.clear()
            return
        if self.paused:
            self._note_behind()
            return
        parts: list[bytes] = []
        size = 0
        for _ in range(FRAMES_A_TURN):
            if not self.pending or self.paused:
                break
            subscription = next(iter(self.pending))
            step = self._take(subscription)
            if step is None:
                del self.pending[subscription]
                continue
            data, items = step
            parts.append(data)
            size += len(data)
            self.tally(len(data), subscription.topic.name.channel, items)
            if size >= WRITE_BYTES:
                self.transport.write(b"".join(parts))
                parts, size = [], 0
        else:
            self.loop.call_soon(self._catch_up)
        if parts:
            self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
        if not self.pending:
            self.behind = False

    def tally(self, size: int, channel: Channel, items: int = 0) -> None:
        """Note what was written, for the meter."""
        assert self.who is not None
        self.hub.tally.add(self.who.tenant_id, size, channel, items)

    def _take(self, subscription: Subscription) -> tuple[bytes, int] | None:
        topic, after = subscription.topic, subscription.position
        head = topic.head
        if head == after:
            return None
        spares = topic.name.channel not in PRIVATE and after >= subscription.replay_until
        far = self.behind and head - after > self.stream.backlog_max
        try:
            if spares and (far or not topic.holds(after)):
                return self._take_latest(subscription, head)
            return self._take_all(subscription, head)
        except Overrun:
            data, subscription.position = self.hub.frame_snapshot(topic)
            return data, 0

    def _take_all(self, subscription: Subscription, head: int) -> tuple[bytes, int]:
        after = subscription.position
        upto = min(head, after + FRAME_ITEMS_MAX)
        step = subscription.topic.frame_items(after, upto)
        subscription.position = upto
        return step

    def _take_latest(self, subscription: Subscription, head: int) -> tuple[bytes, int]:
        after = subscription.position
        data, count = subscription.topic.frame_latest(after, head)
        subscription.position = head
        self.hub.metrics.conflated.add(head - after - count)
        return data, count

    def _note_behind(self) -> None:
        """News while the socket is full: a private stream may wait for a bounded number."""
        self.behind = True
        for subscription in self.pending:
            topic = subscription.topic
            late = topic.head - max(subscription.position, subscription.replay_until)
            if topic.name.channel in PRIVATE and late > self.stream.private_backlog_max:
                self.cut(_too_slow(f"{late} changes of {topic.name.channel} wait for you"))
                return

    def check_stall(self, now: float) -> None:
        """Cut a client that has taken nothing for too long."""
        if self.full_since is not None and now - self.full_since > self.stream.stall_timeout_s:
            self.cut(_too_slow(f"nothing was read for {self.stream.stall_timeout_s:g} s"))

    # How it ends.

    def cut(self, refused: Refused) -> None:
        """Say why and close; a client that does not even read that is dropped."""
        if not self.is_open:
            return
        self.hub.metrics.closed.add(1, refused.code)
        if not self.paused:
            self.transport.write(frame_error(refused))
        self.pending.clear()
        self.protocol.send_close(refused.close or FORBIDDEN, refused.code)
        self.send_data()
        self._drop = self.loop.call_later(self.stream.close_timeout_s, self.transport.abort)


def _too_slow(detail: str) -> Refused:
    return Refused("slow_consumer", f"{detail}; connect again and resume", SLOW_CONSUMER)
