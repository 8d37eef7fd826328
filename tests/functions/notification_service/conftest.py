"""The room wired to real servers: PostgreSQL, Redis, and the Telegram and mail sandboxes."""

import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts.ids import uuid7
from functions.notification_service import consumer, gateway
from functions.notification_service.settings import settings
from functions.notification_service.store import LinkStore
from kit.cache import open_redis
from kit.db import Database
from kit.observability import get_logger
from tests.iac.sandbox import stack as sandbox_stack

WEB_URL = "https://app.sinyal.test"


@pytest.fixture(autouse=True)
def web_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The web app's address, which the room's settings ask for."""
    monkeypatch.setenv("WEB_URL", WEB_URL)
    settings.cache_clear()
    yield WEB_URL
    settings.cache_clear()


class Room:
    """The room wired to the Telegram and mail sandboxes."""

    def __init__(self, database: Database, endpoints: dict[str, str]) -> None:
        self.database, self.endpoints = database, endpoints

    def link(self, tenant: UUID, language: str = "id") -> int:
        chat_id = uuid7().int % 10**12
        with self.database.transaction(tenant) as tx:
            LinkStore(tx).add_chat(chat_id, chat_id, language)
        return chat_id

    def texts(self, chat_id: int) -> list[str]:
        url = f"{self.endpoints['telegram']}/_sandbox/messages"
        rows = httpx.get(url, timeout=5).json()
        rows = rows["messages"] if isinstance(rows, dict) else rows
        return [row["text"] for row in rows if row["chat_id"] == chat_id]

    def states(self, tenant: UUID) -> list[str]:
        with self.database.transaction(tenant) as tx:
            rows = tx.fetch_all("SELECT state FROM notifications ORDER BY created_at")
        return [row["state"] for row in rows]

    def mails(self, to: str) -> list[dict[str, Any]]:
        url = f"{self.endpoints['mail']}/_sandbox/messages"
        return list(httpx.get(url, params={"to": to}, timeout=5).json())

    def fault(self, provider: str, **fault: Any) -> None:
        url = f"{self.endpoints[provider]}/_sandbox/faults"
        httpx.post(url, json=fault, timeout=5).raise_for_status()


@pytest.fixture
def room(
    open_room: Callable[[str], Database],
    sandbox_endpoints: dict[str, str],
    redis_url: str,
    set_secret: Callable[[str, dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Room]:
    database = open_room("notification_service")
    monkeypatch.setattr(consumer, "_database", lambda: database)
    host, port = sandbox_endpoints["smtp"].split(":")
    set_secret("redis", {"url": redis_url})
    set_secret(
        "telegram",
        {
            "bot_id": str(sandbox_stack.BOT_ID),
            "bot_token": sandbox_stack.BOT_TOKEN,
            "webhook_secret": sandbox_stack.WEBHOOK_SECRET,
            "api_url": sandbox_endpoints["telegram"],
        },
    )
    set_secret(
        "smtp",
        {
            "host": host,
            "port": port,
            "username": sandbox_stack.SMTP_USER,
            "password": sandbox_stack.SMTP_PASSWORD,
            "sender": "Sinyal <noreply@sinyal.test>",
            "tls": False,
        },
    )
    for cached in (gateway.open_telegram, open_redis):
        cached.cache_clear()
    set_chat_rate(monkeypatch, 30)
    yield Room(database, sandbox_endpoints)
    for provider in ("telegram", "mail"):
        httpx.post(f"{sandbox_endpoints[provider]}/_sandbox/reset", timeout=5)


def set_chat_rate(monkeypatch: pytest.MonkeyPatch, per_second: float) -> None:
    changed = settings().model_copy(update={"telegram_chat_per_second": per_second})
    monkeypatch.setattr(consumer, "settings", lambda: changed)


class LogLines(logging.Handler):
    """Every log record whole, as text: message, fields and traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.__dict__} {self.format(record)}")


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What is logged during the test."""
    listener = LogLines()
    get_logger().addHandler(listener)
    yield listener.lines
    get_logger().removeHandler(listener)
