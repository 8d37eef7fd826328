"""Messages leave once, wait when told to, and go to their own tenant's chats only."""

from uuid import UUID

import httpx
import pytest

from contracts.billing_service import InvoicePaid
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.notification_service import DeliverPending, NotificationDelivered
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import OrderFilled
from functions.notification_service import consumer, gateway
from functions.notification_service.store import NotificationStore
from tests.functions.notification_service.conftest import Room, set_chat_rate
from tests.support.builders import NOW, FixedClock, sqs_event, sqs_record, wrap
from tests.support.publisher import RecordingPublisher


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
