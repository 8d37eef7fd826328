"""The plain HTTP side of the port: who may open a stream, /health and /metrics."""

import asyncio
import hmac
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from edge_bridge.metrics import CONTENT_TYPE
from edge_bridge.stream.health import HostHealth
from edge_bridge.stream.hub import Hub
from edge_bridge.stream.settings import StreamSettings

HEALTH_WAIT_S = 2.0


class HttpSide:
    """Answers GET requests; None lets a WebSocket handshake go on."""

    def __init__(self, settings: StreamSettings, hub: Hub) -> None:
        self._settings, self._hub = settings, hub
        self._reading: asyncio.Task[HostHealth] | None = None

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request by its path."""
        match urlsplit(request.path).path:
            case "/stream":
                return None
            case "/health":
                return await self._tell_health(connection)
            case "/metrics":
                return self._tell_metrics(connection, request)
        return connection.respond(HTTPStatus.NOT_FOUND, "/stream, /health or /metrics\n")

    async def _tell_health(self, connection: ServerConnection) -> Response:
        """The host's word, asked in another thread, one at a time: a host that hangs is not
        healthy, and keeps one thread, not all of them."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._hub.read_health))
        try:
            health = await asyncio.wait_for(asyncio.shield(self._reading), HEALTH_WAIT_S)
        except Exception:  # noqa: BLE001 - whatever the host's callable raises means not ready
            health = HostHealth(ready=False)
        status = HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE
        streams = int(self._hub.metrics.connections.read())
        body = orjson.dumps(health.describe() | {"connections": streams})
        return _typed(connection.respond(status, body.decode()), "application/json")

    def _tell_metrics(self, connection: ServerConnection, request: Request) -> Response:
        if not self._may_scrape(connection, request):
            return connection.respond(HTTPStatus.FORBIDDEN, "metrics are not for you\n")
        text = self._hub.registry.write()
        return _typed(connection.respond(HTTPStatus.OK, text), CONTENT_TYPE)

    def _may_scrape(self, connection: ServerConnection, request: Request) -> bool:
        wanted = self._settings.metrics_token
        if wanted is None:
            return ip_address(connection.remote_address[0]).is_loopback
        given = request.headers.get_all("Authorization")
        bearer = f"Bearer {wanted.get_secret_value()}".encode()
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), bearer)


def _typed(response: Response, content_type: str) -> Response:
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-store"
    return response
