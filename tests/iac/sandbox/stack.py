"""Running sandboxes as the tests see them, and a webhook receiver that answers as scripted."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

SERVER_KEY = "SB-Mid-server-TESTKEY"
MERCHANT_ID = "G141532850"
BOT_ID = 700_000_001
BOT_TOKEN = f"{BOT_ID}:AAtestTokenForTheSandboxOnly_0123456789"
WEBHOOK_SECRET = "webhook-secret_1"
LLM_KEY = "sk-sandbox-key"
SMTP_USER = "mailer"
SMTP_PASSWORD = "mail-password"

ENVIRONMENT = {
    "SANDBOX_MIDTRANS_SERVER_KEY": SERVER_KEY,
    "SANDBOX_MERCHANT_ID": MERCHANT_ID,
    "SANDBOX_TELEGRAM_TOKEN": BOT_TOKEN,
    "SANDBOX_TELEGRAM_BOT_ID": str(BOT_ID),
    "SANDBOX_TELEGRAM_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "SANDBOX_LLM_KEY": LLM_KEY,
    "SANDBOX_SMTP_USER": SMTP_USER,
    "SANDBOX_SMTP_PASSWORD": SMTP_PASSWORD,
}


@dataclass(frozen=True)
class SandboxStack:
    """Endpoints of running sandboxes and their control face."""

    endpoints: dict[str, str]
    client: httpx.Client

    def get(self, provider: str, path: str) -> Any:
        """GET from the control face; fails on anything but 200."""
        answer = self.client.get(f"{self.endpoints[provider]}/_sandbox/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, provider: str, path: str, **body: Any) -> httpx.Response:
        """POST to the control face."""
        url = f"{self.endpoints[provider]}/_sandbox/{path}"
        return self.client.post(url, json=body)

    def fault(self, provider: str, **spec: Any) -> None:
        """Ask for a fault."""
        answer = self.post(provider, "faults", **spec)
        assert answer.status_code == 201, answer.text


@dataclass
class Received:
    """One webhook call."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class WebhookReceiver:
    """A merchant's or bot's webhook: records, and answers the scripted statuses, then 200."""

    url: str
    received: list[Received] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)

    def wait_for(self, count: int, within_s: float = 5.0) -> list[Received]:
        """Wait until so many calls came."""
        deadline = time.monotonic() + within_s
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.received) >= count, f"{len(self.received)} of {count} calls came"
        return self.received


def start_receiver() -> tuple[WebhookReceiver, ThreadingHTTPServer]:
    """Start a receiver on a free loopback port; the caller shuts the server down."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length) or b"null")
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            self.send_response(receiver.statuses.popleft() if receiver.statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = WebhookReceiver(f"http://127.0.0.1:{server.server_port}/hook")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return receiver, server
