"""ClickHouse's HTTP interface over the engine: what clickhouse-connect sends, answered alike."""

import json
import socket
import sys
import threading
import traceback
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from iac.local.clickhouse.codes import QueryRefused
from iac.local.clickhouse.engine import Engine
from iac.local.clickhouse.requests import build_statement, check_credentials, read_body
from iac.local.ports import LOOPBACK

IDLE_SECONDS = 75.0
LISTEN_BACKLOG = 256
DISPLAY_NAME = "sinyal-local"


class Front(ThreadingHTTPServer):
    """The HTTP server; a thread a connection."""

    daemon_threads = True
    request_queue_size = LISTEN_BACKLOG

    def __init__(self, port: int, engine: Engine, user: str, password: str) -> None:
        self.engine = engine
        self.user = user
        self.password = password
        super().__init__((LOOPBACK, port), _Handler)

    def handle_error(self, *_connection: Any) -> None:
        """Log what went wrong; a client that went away is no error of the server."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: Front

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        self._answer(read_only=True)

    def do_POST(self) -> None:
        self._answer(read_only=False)

    def log_message(self, *_arguments: Any) -> None:
        """Keep the log for failures: one line a request would drown them."""

    def _answer(self, read_only: bool) -> None:
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path in ("/ping", "/replicas_status"):
            self._send(200, b"Ok.\n", {})
            return
        query_id = params.get("query_id") or str(uuid.uuid4())
        common = {
            "X-ClickHouse-Server-Display-Name": DISPLAY_NAME,
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self.server.engine.timezone,
        }
        try:
            body = read_body(self.rfile, self.headers)  # type: ignore[arg-type]
            check_credentials(
                self.headers,  # type: ignore[arg-type]
                params,
                self.server.user,
                self.server.password,
            )
            statement = build_statement(params, self.headers, body, read_only)  # type: ignore[arg-type]
            if not statement.text.strip():
                self._send(200, b"Ok.\n", common)
                return
            result = self.server.engine.run(statement)
        except QueryRefused as refusal:
            self._refuse(refusal, common)
        except (ValueError, UnicodeDecodeError) as error:
            self._send(400, f"Bad request: {error}\n".encode(), common)
            self.close_connection = True
        else:
            summary = {"X-ClickHouse-Summary": json.dumps({"result_bytes": str(len(result))})}
            self._send(200, result, {**common, **summary})

    def _refuse(self, refusal: QueryRefused, common: dict[str, str]) -> None:
        code = {"X-ClickHouse-Exception-Code": str(refusal.code)}
        message = f"{refusal.body} (version {self.server.engine.version})\n"
        print(f"{refusal.status} {refusal.body[:500]}", flush=True)
        self._send(refusal.status, message.encode(errors="replace"), {**common, **code})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Write status, headers and body at once: clickhouse-connect may time out between them."""
        lines = [f"HTTP/1.1 {status} {self.responses[status][0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [
            "Content-Type: text/plain; charset=UTF-8",
            f"Content-Length: {len(body)}",
            "Connection: Keep-Alive",
        ]
        self.connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def serve_in_thread(front: Front) -> threading.Thread:
    """Serve requests until `front.shutdown()`."""
    thread = threading.Thread(target=front.serve_forever, name="clickhouse-front", daemon=True)
    thread.start()
    return thread
