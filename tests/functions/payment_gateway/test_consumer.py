"""The queue door of payment_gateway: real database, Midtrans' sandbox over real HTTP."""

import contextlib
import threading

import pytest

from contracts.payment_gateway import (
    PaymentFailed,
    PaymentInitiated,
    PaymentSettled,
)
from functions.payment_gateway import consumer
from functions.payment_gateway.errors import MidtransKeyRefused, OutcomeUnknown, PaymentMismatch
from functions.payment_gateway.gateway import MidtransGateway
from kit.db import Database, make_conninfo
from tests.functions.payment_gateway.conftest import AMOUNT, READ_TIMEOUT_S, ROOM, finalized
from tests.support.builders import FixedClock, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

CHARGE = "POST /v2/charge"


@pytest.fixture
def order_id(room, tenant) -> str:
    """The order of an invoice that waits for its transfer."""
    assert room.handle(finalized(), tenant=tenant) == 0
    return room.payments(tenant)[0]["order_id"]


def test_a_finalized_invoice_gets_a_virtual_account(room, midtrans, tenant) -> None:
    invoice = finalized()
    assert room.handle(invoice, tenant=tenant) == 0
    [event] = room.published.messages(PaymentInitiated)
    assert (event.invoice_id, event.amount, event.bank) == (invoice.invoice_id, AMOUNT, "bca")
    [transaction] = midtrans.transactions()
    assert (transaction["order_id"], transaction["gross_amount"]) == (event.order_id, AMOUNT)
    [payment] = room.payments(tenant)
    assert (payment["state"], payment["va_number"]) == ("pending", event.va_number)


def test_redelivered_messages_change_nothing(room, midtrans, tenant) -> None:
    """Invariant 3: the same record twice, the same fact under a new id, in both directions."""
    invoice = finalized()
    event = sqs_event(wrap(invoice, tenant))
    for _ in range(2):
        assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert room.handle(invoice, tenant=tenant) == 0
    [payment] = room.payments(tenant)
    [body] = midtrans.pay(payment["order_id"])
    assert room.notify(body) == (200, {"status": "stored"})
    [hint] = room.hints()
    assert room.deliver(hint, hint) == 0
    before, rows = room.payments(tenant), len(room.published.rows)
    assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert room.deliver(hint) == 0
    assert room.handle(invoice, tenant=tenant) == 0
    assert (room.payments(tenant), len(room.published.rows)) == (before, rows)
    assert len(room.published.messages(PaymentInitiated)) == 1
    assert len(room.published.messages(PaymentSettled)) == 1
    assert len(midtrans.requests(CHARGE)) == 1


def test_a_paid_account_settles_the_payment(room, midtrans, tenant, order_id) -> None:
    [body] = midtrans.pay(order_id)
    room.notify(body)
    assert room.deliver(*room.hints()) == 0
    [event] = room.published.messages(PaymentSettled)
    assert (event.order_id, event.amount) == (order_id, AMOUNT)
    assert room.payments(tenant)[0]["state"] == "settlement"


def test_duplicates_and_a_late_pending_settle_once(room, midtrans, tenant, order_id) -> None:
    bodies = midtrans.pay(order_id, duplicates=3, out_of_order=True)
    assert len(bodies) == 5
    assert {room.notify(body)[0] for body in bodies} == {200}
    hints = room.hints()
    assert len(hints) == 2  # four were one content
    assert room.deliver(*reversed(hints), *hints) == 0
    assert len(room.published.messages(PaymentSettled)) == 1
    assert room.payments(tenant)[0]["state"] == "settlement"


def test_the_status_is_believed_and_not_the_unsigned_words(room, midtrans, tenant, order_id):
    """A notification that claims a settlement while Midtrans says expired: expired."""
    claimed = {"transaction_status": "settlement", "fraud_status": "accept"}
    [body] = midtrans.pay(order_id, outcome="expire", overrides=claimed)
    assert room.notify(body)[0] == 200
    assert room.deliver(*room.hints()) == 0
    assert room.published.messages(PaymentSettled) == []
    [failed] = room.published.messages(PaymentFailed)
    assert failed.reason == "expire"


def test_a_status_behind_its_notification_comes_back_and_then_settles(
    room, midtrans, gateway, order_id
) -> None:
    pending = midtrans.http.get(
        f"/v2/{order_id}/status", auth=(midtrans.account.server_key, "")
    ).json()
    [body] = midtrans.pay(order_id)
    room.notify(body)
    midtrans.fault(match=f"GET /v2/{order_id}/status", status=200, body=pending)
    assert room.deliver(*room.hints()) == 1
    assert room.published.messages(PaymentSettled) == []
    assert room.deliver(*room.hints()) == 0
    assert len(room.published.messages(PaymentSettled)) == 1


def test_a_status_of_another_amount_or_merchant_settles_nothing(
    room, midtrans, tenant, order_id
) -> None:
    [body] = midtrans.pay(order_id)
    room.notify(body)
    url = f"/v2/{order_id}/status"
    honest = midtrans.http.get(url, auth=(midtrans.account.server_key, "")).json()
    [hint] = room.hints()
    for lie in ({"gross_amount": "1.00"}, {"merchant_id": "G0"}, {"currency": "USD"}):
        midtrans.fault(match=f"GET {url}", status=200, body=honest | lie)
        with pytest.raises(PaymentMismatch):
            consumer.follow_notification(hint, room.database)
    assert room.published.messages(PaymentSettled) == []
    assert room.payments(tenant)[0]["state"] == "pending"


@pytest.mark.parametrize(
    "fault",
    [
        {"delay_ms": 1_500, "after": True},
        {"drop": True, "after": True},
        {"status": 503, "after": True},
        {"status": 406, "after": True},
        {"drop": True},
        {"status": 502, "body": "<html/>"},
    ],
)
def test_an_unclear_charge_ends_with_one_account(room, midtrans, tenant, fault) -> None:
    midtrans.fault(match=CHARGE, **fault)
    assert room.handle(finalized(), tenant=tenant) == 0
    assert len(midtrans.transactions()) == 1
    [event] = room.published.messages(PaymentInitiated)
    assert event.order_id == midtrans.transactions()[0]["order_id"]


def test_an_outage_leaves_the_attempt_and_the_next_delivery_goes_on(room, midtrans, tenant):
    invoice = finalized()
    midtrans.fault(match="/v2/", status=503, times=100)
    assert room.handle(invoice, tenant=tenant) == 1
    [attempt] = room.payments(tenant)
    assert attempt["state"] == "created"
    midtrans.http.post("/_sandbox/reset")
    assert room.handle(invoice, tenant=tenant) == 0
    [event] = room.published.messages(PaymentInitiated)
    assert event.order_id == attempt["order_id"]


def test_an_account_paid_before_its_charge_was_answered_is_settled(room, midtrans, tenant):
    """The charge went through, the answer was lost, the tenant paid: adopting finds the money."""
    invoice = finalized()
    midtrans.fault(match=CHARGE, drop=True, after=True)
    midtrans.fault(match="/status", status=503, times=4)
    assert room.handle(invoice, tenant=tenant) == 1
    midtrans.fault(match=CHARGE, status=406, times=5)
    midtrans.pay(midtrans.transactions()[0]["order_id"], notify=False)
    for _ in range(4):  # what is left of the outage
        room.handle(invoice, tenant=tenant)
    assert len(room.published.messages(PaymentSettled)) == 1
    assert room.published.messages(PaymentInitiated) == []


def test_concurrent_deliveries_charge_once(stores, room, midtrans, tenant) -> None:
    """Invariant 18, at the vendor: one order, one account, one announcement."""
    invoice, publisher = finalized(), RecordingPublisher()

    def work() -> None:
        own = Database(ROOM, make_conninfo(stores.secret(ROOM)), publisher, FixedClock())
        with contextlib.suppress(OutcomeUnknown):  # the first call still runs: it comes back
            consumer.collect_invoice(wrap(invoice, tenant), own)
        own.close()

    midtrans.config(charge_delay_ms=100)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    room.handle(invoice, tenant=tenant)
    assert len(midtrans.transactions()) == 1
    initiated = publisher.messages(PaymentInitiated) + room.published.messages(PaymentInitiated)
    assert len(initiated) == 1
    assert len(room.payments(tenant)) == 1


def test_concurrent_notifications_settle_once(stores, room, midtrans, order_id) -> None:
    for body in midtrans.pay(order_id, out_of_order=True):
        room.notify(body)
    publisher, hints = RecordingPublisher(), room.hints()

    def work(index: int) -> None:
        own = Database(ROOM, make_conninfo(stores.secret(ROOM)), publisher, FixedClock())
        consumer.follow_notification(hints[index % len(hints)], own)
        own.close()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(publisher.messages(PaymentSettled)) == 1


def test_another_tenants_order_is_not_followed(room, midtrans, tenant, other_tenant, order_id):
    """Invariant 19: a hint under the wrong tenant comes back and moves nothing."""
    [body] = midtrans.pay(order_id)
    room.notify(body)
    [hint] = room.hints()
    assert room.handle(hint.data, tenant=other_tenant) == 1
    assert room.published.messages(PaymentSettled) == []
    assert room.payments(tenant)[0]["state"] == "pending"


def test_a_wrong_key_keeps_the_attempt_for_after_the_repair(
    room, midtrans, tenant, monkeypatch
) -> None:
    account = midtrans.account
    wrong = type(account)("SB-Mid-server-WRONG", account.merchant_id, account.core_url)
    monkeypatch.setattr(consumer, "_gateway", lambda: MidtransGateway(wrong, READ_TIMEOUT_S))
    with pytest.raises(MidtransKeyRefused):
        consumer.collect_invoice(wrap(finalized(), tenant), room.database)
    assert room.payments(tenant)[0]["state"] == "created"
    assert midtrans.transactions() == []
