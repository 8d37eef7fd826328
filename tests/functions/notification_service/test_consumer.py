"""Messages leave once, wait when told to, and go to their own tenant's chats only."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts.billing_service import InvoicePaid
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.notification_service import DeliverPending, NotificationDelivered
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import OrderFilled
from contracts.user_management import EmailVerificationRequested
from functions.notification_service import consumer, gateway
from functions.notification_service.settings import settings
from functions.notification_service.store import LinkStore, NotificationStore
from kit.db import Database
from tests.iac.sandbox import stack as sandbox_stack
from tests.support.builders import NOW, FixedClock, sqs_event, sqs_record, wrap
from tests.support.publisher import RecordingPublisher


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
    for cached in (gateway.open_telegram, consumer.open_redis):
        cached.cache_clear()
    set_chat_rate(monkeypatch, 30)
    yield Room(database, sandbox_endpoints)
    for provider in ("telegram", "mail"):
        httpx.post(f"{sandbox_endpoints[provider]}/_sandbox/reset", timeout=5)


def set_chat_rate(monkeypatch: pytest.MonkeyPatch, per_second: float) -> None:
    changed = settings().model_copy(update={"telegram_chat_per_second": per_second})
    monkeypatch.setattr(consumer, "settings", lambda: changed)


def quota(tenant: UUID, limit: int = 20) -> Envelope:
    event = QuotaExhausted(meter="prediction", day=NOW.date(), limit=limit, resets_at=NOW)
    return wrap(event, tenant)


def run(*envelopes: Envelope) -> list[dict[str, str]]:
    answer = consumer.handler(sqs_event(*envelopes), None)
    return list(answer["batchItemFailures"])


def test_a_fill_is_told_in_the_chats_language(room: Room, tenant: UUID) -> None:
    chats = {language: room.link(tenant, language) for language in ("id", "en")}
    filled = OrderFilled(
        order_id=uuid7(),
        account_id=uuid7(),
        signal_id=uuid7(),
        symbol="EURUSD",
        digits=5,
        direction="buy",
        volume=12,
        price=137_010,
        stop_loss=136_900,
        take_profit=137_200,
        position_ticket=1,
        deal_ticket=2,
        filled_at=NOW,
        order_path_us=80.0,
    )
    assert run(wrap(filled, tenant)) == []
    (indonesian,) = room.texts(chats["id"])
    (english,) = room.texts(chats["en"])
    assert "BELI EURUSD 0.12 lot @ 1.37010" in indonesian
    assert "BUY EURUSD 0.12 lot @ 1.37010" in english


def test_redelivery_sends_nothing_twice(
    room: Room, tenant: UUID, published: RecordingPublisher
) -> None:
    chat = room.link(tenant)
    record = sqs_record(quota(tenant))
    for _ in range(3):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert len(room.texts(chat)) == 1
    assert len(published.messages(NotificationDelivered)) == 1


def test_another_tenants_chat_hears_nothing(room: Room, tenant: UUID, other_tenant: UUID) -> None:
    own, foreign = room.link(tenant), room.link(other_tenant)
    run(quota(tenant))
    assert len(room.texts(own)) == 1
    assert room.texts(foreign) == []


def test_a_429_waits_as_long_as_told_while_other_chats_go_on(
    room: Room, tenant: UUID, other_tenant: UUID, clock: FixedClock
) -> None:
    slow, quick = room.link(tenant), room.link(other_tenant)
    room.fault(
        "telegram",
        match=str(slow),
        status=429,
        body={
            "ok": False,
            "error_code": 429,
            "description": "Too Many Requests: retry after 7",
            "parameters": {"retry_after": 7},
        },
        times=1,
    )
    assert run(quota(tenant), quota(other_tenant)) == []
    assert room.texts(slow) == []
    assert len(room.texts(quick)) == 1
    run(wrap(DeliverPending()))
    assert room.texts(slow) == []
    clock.advance(seconds=8)
    run(wrap(DeliverPending()))
    assert len(room.texts(slow)) == 1


def test_the_chats_own_rate_is_kept_and_nothing_is_lost(
    room: Room, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_chat_rate(monkeypatch, 1)
    chat = room.link(tenant)
    run(*(quota(tenant, limit) for limit in range(5)))
    assert len(room.texts(chat)) == 1
    assert sorted(room.states(tenant)) == ["pending"] * 4 + ["sent"]


def test_a_claim_outlasts_the_sends_it_covers() -> None:
    from functions.notification_service.store import HALF_SENT_AFTER

    slowest_s = consumer.CLAIMED_AT_ONCE * 2 * gateway.TIMEOUT_S
    assert slowest_s < HALF_SENT_AFTER.total_seconds()


def test_a_sweep_sends_more_than_one_claim_holds(
    room: Room, tenant: UUID, clock: FixedClock
) -> None:
    chat = room.link(tenant)
    count = consumer.CLAIMED_AT_ONCE + 2
    with room.database.transaction(tenant) as tx:
        for number in range(count):
            NotificationStore(tx).add_telegram(uuid7(), uuid7(), "fill", chat, f"text {number}")
    run(wrap(DeliverPending()))
    assert len(room.texts(chat)) == count


def test_a_blocked_chat_is_not_tried_again(room: Room, tenant: UUID) -> None:
    chat = room.link(tenant)
    url = f"{room.endpoints['telegram']}/_sandbox/config"
    httpx.post(url, json={"blocked_chats": [chat]}, timeout=5).raise_for_status()
    run(quota(tenant))
    assert room.states(tenant) == ["undeliverable"]
    with room.database.transaction(tenant) as tx:
        assert tx.fetch_one("SELECT state FROM chats") == {"state": "blocked"}
    run(quota(tenant))
    assert room.states(tenant) == ["undeliverable"]


def test_a_message_left_half_sent_by_a_crash_goes_out_later(
    room: Room, tenant: UUID, clock: FixedClock
) -> None:
    chat = room.link(tenant)
    room.fault("telegram", match=str(chat), drop=True, times=1)
    run(quota(tenant))
    assert room.states(tenant) == ["sending"]
    clock.advance(seconds=61)
    run(wrap(DeliverPending()))
    assert room.states(tenant) == ["sent"]
    assert len(room.texts(chat)) == 1


def test_a_free_invoice_brings_no_receipt(room: Room, tenant: UUID) -> None:
    chat = room.link(tenant)
    paid = InvoicePaid(
        invoice_id=uuid7(),
        number="INV/2026/03/000001",
        subscription_id=uuid7(),
        total=0,
        period_end=NOW,
        payment_id=None,
        paid_at=NOW,
    )
    assert run(wrap(paid, tenant)) == []
    assert room.texts(chat) == []


def verification(email: str) -> EmailVerificationRequested:
    return EmailVerificationRequested(
        user_id=uuid7(),
        email=email,
        full_name="Sari",
        locale="id",
        token="t" * 43,
        expires_at=NOW,
    )


def mails(room: Room, to: str) -> list[dict[str, Any]]:
    url = f"{room.endpoints['mail']}/_sandbox/messages"
    rows = httpx.get(url, params={"to": to}, timeout=5).json()
    return list(rows["messages"] if isinstance(rows, dict) else rows)


def test_the_verification_mail_goes_out_once_and_its_code_is_not_kept(
    room: Room, tenant: UUID
) -> None:
    to = f"{uuid7().hex}@example.com"
    record = sqs_record(wrap(verification(to), tenant))
    for _ in range(2):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    (mail,) = mails(room, to)
    assert "t" * 43 in mail["text"]
    with room.database.transaction(tenant) as tx:
        assert tx.fetch_one("SELECT body, state FROM notifications") == {
            "body": None,
            "state": "sent",
        }


def test_a_mail_server_that_fails_brings_the_message_back(room: Room, tenant: UUID) -> None:
    to = f"{uuid7().hex}@example.com"
    room.fault("mail", match=to, drop=True, times=1)
    record = sqs_record(wrap(verification(to), tenant))
    assert len(consumer.handler({"Records": [record]}, None)["batchItemFailures"]) == 1
    assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert len(mails(room, to)) == 1
