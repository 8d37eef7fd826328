"""Several HTTP servers in one event loop, each on its own loopback port."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"
CONNECTIONS_MAX = 1_000
KEEP_ALIVE_S = 30
SHUTDOWN_GRACE_S = 2
START_ATTEMPTS_MAX = 200


class DroppingProtocol(H11Protocol):
    """HTTP/1.1 that hands the application a way to cut the connection without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application so that it can abort this very connection."""
        super().connection_made(transport)
        self.app = partial(_call_with_abort, self.app, transport.abort)


async def _call_with_abort(
    app: ASGIApp, abort: Callable[[], None], scope: Scope, receive: Receive, send: Send
) -> None:
    scope.setdefault("extensions", {})["sandbox.abort"] = abort
    await app(scope, receive, send)


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: one process runs several servers and stops them together."""
        yield


def bind_loopback(preferred_port: int | None = None) -> socket.socket:
    """Bind a loopback socket, at the port of the last run when it is still free."""
    if preferred_port:
        with contextlib.suppress(OSError):
            return _bind(preferred_port)
    return _bind(0)


def _bind(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is spelled out; without it: 40 ms an answer
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock


class HttpServers:
    """Start applications, stop them all."""

    def __init__(self) -> None:
        self._running: list[tuple[QuietServer, asyncio.Task[Any]]] = []

    async def start(self, app: ASGIApp, sock: socket.socket) -> None:
        """Serve `app` on the bound socket; returns when it accepts connections."""
        config = uvicorn.Config(
            app,
            http=DroppingProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
        )
        server = QuietServer(config)
        task = asyncio.create_task(server.serve(sockets=[sock]))
        self._running.append((server, task))
        for _ in range(START_ATTEMPTS_MAX):
            if server.started or task.done():
                break
            await asyncio.sleep(0.01)
        if not server.started:
            raise RuntimeError(f"the server at {sock.getsockname()} did not start")

    async def stop(self) -> None:
        """Stop accepting, give running answers SHUTDOWN_GRACE_S, then close."""
        for server, _ in self._running:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._running), return_exceptions=True)
