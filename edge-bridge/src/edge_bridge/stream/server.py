"""The server of port 8001: an event loop in a thread of its own between the hub and the sockets."""

import asyncio
import logging
import ssl
import threading
import time
from functools import partial
from typing import cast
from uuid import UUID

from websockets.asyncio.server import Server, ServerConnection, serve

from edge_bridge.errors import StreamUnavailable
from edge_bridge.stream.bell import Bell
from edge_bridge.stream.connection import StreamConnection
from edge_bridge.stream.frames import TOO_MANY, Refused, frame
from edge_bridge.stream.http import HttpSide
from edge_bridge.stream.hub import Hub
from edge_bridge.stream.plans import StreamLimits
from edge_bridge.stream.roster import Roster
from edge_bridge.stream.session import Conversations
from edge_bridge.stream.settings import StreamSettings
from edge_bridge.stream.tokens import TokenVerifier

START_WAIT_S = 10.0
LISTEN_BACKLOG = 1_024
CONNECTIONS_A_STEP = 50
"""After so many clients were written to, the loop looks at its other work."""
GOING_AWAY = 1001

_log = logging.getLogger(__name__)
_socket_log = logging.getLogger(f"{__name__}.sockets")
_socket_log.setLevel(logging.CRITICAL)  # strangers' broken handshakes are no news


class StreamServer:
    """Serves a hub's streams from `start` to `stop`."""

    def __init__(self, settings: StreamSettings, tokens: TokenVerifier, hub: Hub) -> None:
        self._settings, self._tokens, self._hub = settings, tokens, hub
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._sockets: set[StreamConnection] = set()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self.port = 0
        """Where it listens, once it has started."""

    def start(self) -> None:
        """Listen, or raise StreamUnavailable that says why not."""
        self._thread.start()
        if not self._started.wait(START_WAIT_S) or self._failure is not None:
            raise StreamUnavailable(
                f"cannot listen on {self._settings.host}:{self._settings.port}: {self._failure}"
            ) from self._failure

    @property
    def is_running(self) -> bool:
        """Whether the loop lives; one that ended by itself has written why to the log."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Close all connections and wait for the thread's end, for a bounded time."""
        self._hub.attach(None)
        if self._loop is not None and self._stopping is not None:
            try:
                self._loop.call_soon_threadsafe(self._stopping.set)
            except RuntimeError:  # the loop has ended by itself
                _log.debug("the stream had ended before")
        if self._thread.is_alive():
            self._thread.join(self._settings.close_timeout_s * 2 + START_WAIT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the thread's last words, told to start()
            self._failure = error
            _log.exception("the stream has ended")
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._roster = Roster(self._hub)
        talk = Conversations(self._settings, self._tokens, self._hub, self._roster)
        server = await self._listen(talk)
        self.port = server.sockets[0].getsockname()[1]
        wake = asyncio.Event()
        bell = Bell(partial(self._loop.call_soon_threadsafe, wake.set))
        self._hub.attach(bell.ring)
        self._started.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                chores = [
                    tasks.create_task(self._pump(wake)),
                    tasks.create_task(self._keep_house()),
                ]
                await self._stopping.wait()
                for chore in chores:
                    chore.cancel()
        finally:
            self._hub.attach(None)
            bell.close()
        server.close(code=GOING_AWAY, reason="restart")
        self._loop.call_later(self._settings.close_timeout_s, self._drop_all)
        await server.wait_closed()

    async def _listen(self, talk: Conversations) -> Server:
        limits = self._settings
        http = HttpSide(limits, self._hub)

        async def handle(connection: ServerConnection) -> None:
            await talk.serve(cast(StreamConnection, connection))

        return await serve(
            handle,
            limits.host,
            limits.port,
            process_request=http.answer,
            compression=None,
            server_header=None,
            open_timeout=limits.auth_deadline_s,
            ping_interval=limits.ping_interval_s,
            ping_timeout=limits.ping_timeout_s,
            close_timeout=limits.close_timeout_s,
            max_size=limits.message_bytes_max,
            write_limit=limits.write_buffer_bytes,
            logger=_socket_log,
            create_connection=cast(
                type[ServerConnection],
                partial(StreamConnection, hub=self._hub, stream=limits, count=self._count_socket),
            ),
            ssl=_open_tls(limits),
            backlog=LISTEN_BACKLOG,
        )

    def _count_socket(self, connection: StreamConnection, change: int) -> None:
        """Keep the list of sockets; one too many is dropped before it has said a word."""
        if change < 0:
            self._sockets.discard(connection)
            return
        self._sockets.add(connection)
        strangers = len(self._sockets) - self._roster.size
        if (
            len(self._sockets) > self._settings.connections_max
            or strangers > self._settings.strangers_max
        ):
            self._hub.metrics.closed.add(1, "full")
            connection.transport.abort()

    def _drop_all(self) -> None:
        for connection in list(self._sockets):
            connection.transport.abort()

    async def _pump(self, wake: asyncio.Event) -> None:
        """Hand on what the host published, as soon as it says so."""
        while True:
            await wake.wait()
            wake.clear()
            began = time.perf_counter()
            changed, rejudge = self._hub.take_changes()
            if rejudge:
                self._judge_all()
            touched: dict[StreamConnection, None] = {}
            for topic in changed:
                for subscription in self._roster.list_followers(topic):
                    subscription.connection.pending[subscription] = None
                    touched[subscription.connection] = None
            for number, connection in enumerate(touched, 1):
                connection.deliver()
                if number % CONNECTIONS_A_STEP == 0:
                    await asyncio.sleep(0)
            self._hub.count_tally()
            self._hub.metrics.flush.observe(time.perf_counter() - began)

    async def _keep_house(self) -> None:
        """End what has expired or stands still."""
        while True:
            await asyncio.sleep(self._settings.housekeeping_s)
            self._judge_all()
            now = asyncio.get_running_loop().time()
            for connection in list(self._sockets):
                connection.check_stall(now)
            known = self._roster.size
            self._hub.metrics.connections.set(known)
            self._hub.metrics.strangers.set(len(self._sockets) - known)

    def _judge_all(self) -> None:
        """Hold every connection against its token, the revocations and the plans of now."""
        plans: dict[UUID, StreamLimits] = {}
        for connection in self._roster.list_connections():
            assert connection.who is not None
            try:
                limits = self._hub.judge(connection.who, self._hub.clock.now())
            except Refused as refused:
                connection.cut(refused)
                continue
            if limits != connection.limits:
                plans[connection.who.tenant_id] = connection.limits = limits
        for tenant_id, limits in plans.items():
            self._fit(tenant_id, limits)

    def _fit(self, tenant_id: UUID, limits: StreamLimits) -> None:
        """End what a tenant's new plan does not give."""
        connections, streams = self._roster.list_surplus(tenant_id, limits)
        for connection in connections:
            detail = f"your plan has {limits.connections_max} connections now"
            connection.cut(Refused("too_many_connections", detail, TOO_MANY))
        for connection, name in streams:
            self._roster.unfollow(connection, name)
            message = {"op": "unsubscribed", **name.describe(), "code": "not_entitled"}
            connection.tell(frame(message))


def _open_tls(settings: StreamSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context
