"""The HTTP door of payment_gateway: the webhook, and how to pay."""

import json
import socket
import threading
import time
from typing import Any

import pytest
import uvicorn

from contracts.ids import uuid7
from contracts.payment_gateway import PaymentFailed, PaymentInitiated, PaymentSettled
from functions.payment_gateway import api
from kit.db import Database
from tests.functions.payment_gateway.conftest import ROOM, finalized
from tests.support.builders import api_event, principal, read_answer
from tests.support.publisher import RecordingPublisher


@pytest.fixture
def call(room, tenant):
    """Call a route as the tenant's owner unless told otherwise."""

    def call_(method: str, path: str, body: Any = None, key: str | None = None, **who: Any):
        headers = {"Idempotency-Key": key} if key else {}
        asker = principal(who.pop("tenant", tenant), **who)
        event = api_event(method, path, body=body, principal=asker, headers=headers)
        return read_answer(api.handler(event, None))

    return call_


@pytest.fixture
def invoice(room, tenant):
    """An invoice that waits for its transfer."""
    made = finalized()
    assert room.handle(made, tenant=tenant) == 0
    return made


def test_the_webhook_stores_and_announces_once(room, midtrans, tenant, invoice) -> None:
    [payment] = room.payments(tenant)
    [body] = midtrans.pay(payment["order_id"])
    assert [room.notify(body) for _ in range(3)] == [(200, {"status": "stored"})] * 3
    with room.database.transaction(tenant) as tx:
        [row] = tx.fetch_all("SELECT body, order_id FROM notifications")
    assert json.loads(row["body"]) == json.loads(body)
    [hint] = room.hints()
    assert (hint.meta.tenant_id, hint.data.order_id) == (tenant, payment["order_id"])


def test_a_bad_signature_is_403_and_changes_nothing(room, midtrans, tenant, invoice) -> None:
    [payment] = room.payments(tenant)
    [body] = midtrans.pay(payment["order_id"], bad_signature=True)
    status, problem = room.notify(body)
    assert (status, problem["code"]) == (403, "bad_signature")
    with room.database.transaction(tenant) as tx:
        assert tx.fetch_all("SELECT 1 FROM notifications") == []
    assert room.hints() == []
    assert room.payments(tenant) == [payment]


def test_other_shapes_are_400_and_unknown_orders_404(room, midtrans, invoice, tenant) -> None:
    assert room.notify(b"{")[0] == 400
    assert room.notify(b"[]")[1]["code"] == "bad_notification"
    assert room.notify(b'{"order_id": "x"}')[0] == 400
    foreign = f"SNY-{uuid7().hex}"
    key = midtrans.account.server_key
    notification = api.Notification(foreign, "200", "1000.00")
    body = {
        "order_id": foreign,
        "status_code": "200",
        "gross_amount": "1000.00",
        "signature_key": api.notifications.sign(notification, key),
    }
    status, problem = room.notify(json.dumps(body).encode())
    assert (status, problem["code"]) == (404, "order_unknown")


def test_a_body_over_the_limit_is_413(room) -> None:
    assert room.notify(b"{" + b" " * 300_000 + b"}")[0] == 413


def test_storage_down_is_503_so_that_midtrans_tries_again(
    room, midtrans, tenant, invoice, monkeypatch
) -> None:
    [payment] = room.payments(tenant)
    [body] = midtrans.pay(payment["order_id"])
    nowhere = Database(ROOM, "host=127.0.0.1 port=9 dbname=x user=x", RecordingPublisher())
    monkeypatch.setattr(api, "_database", lambda: nowhere)
    assert room.notify(body)[0] == 503
    monkeypatch.setattr(api, "_database", lambda: room.database)
    assert room.notify(body)[0] == 200


def test_midtrans_itself_reaches_the_webhook(room, midtrans, tenant, invoice) -> None:
    """The sandbox posts over HTTP to the room served alone, and its notification is stored."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        config = uvicorn.Config(api.app, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        midtrans.config(
            webhook_url=f"http://127.0.0.1:{port}/v1/payments/midtrans/notifications",
            host_header="",
        )
        [payment] = room.payments(tenant)
        how = {"order_id": payment["order_id"], "duplicates": 1, "out_of_order": True}
        sent = midtrans.http.post("/_sandbox/pay", json=how).json()["notifications"]
        server.should_exit = True
        thread.join(10)
    assert [notice["delivered"] for notice in sent] == [True, True, True]
    assert len(room.hints()) == 2
    assert room.deliver(*room.hints()) == 0
    assert len(room.published.messages(PaymentSettled)) == 1


def test_how_to_pay_shows_the_account_that_waits(call, room, midtrans, tenant, invoice) -> None:
    path = f"/v1/invoices/{invoice.invoice_id}/payments"
    status, body = call("POST", path, {"method": "bca_va"})
    [payment] = room.payments(tenant)
    assert (status, body["va_number"], body["state"]) == (200, payment["va_number"], "pending")
    assert call("GET", f"/v1/payments/{body['payment_id']}") == (200, body)
    assert len(midtrans.transactions()) == 1


def test_after_an_expiry_a_new_attempt_is_made(call, room, midtrans, tenant, invoice) -> None:
    [first] = room.payments(tenant)
    midtrans.pay(first["order_id"], outcome="expire", notify=False)
    room.database.clock.current = first["expires_at"]
    path = f"/v1/invoices/{invoice.invoice_id}/payments"
    status, body = call("POST", path, {"method": "bca_va"}, key="again")
    assert (status, body["state"]) == (201, "pending")
    assert body["order_id"] != first["order_id"]
    assert call("POST", path, {"method": "bca_va"}, key="again") == (status, body)
    assert [event.reason for event in room.published.messages(PaymentFailed)] == ["expire"]
    assert [payment["state"] for payment in room.payments(tenant)] == ["expire", "pending"]
    assert len(room.published.messages(PaymentInitiated)) == 2


def test_a_paid_invoice_asks_for_nothing_more(call, room, midtrans, tenant, invoice) -> None:
    [payment] = room.payments(tenant)
    [body] = midtrans.pay(payment["order_id"])
    room.notify(body)
    room.deliver(*room.hints())
    path = f"/v1/invoices/{invoice.invoice_id}/payments"
    status, problem = call("POST", path, {"method": "bca_va"})
    assert (status, problem["code"]) == (409, "invoice_already_paid")


def test_midtrans_down_is_503_and_the_same_attempt_goes_on(call, room, midtrans, tenant) -> None:
    made = finalized()
    midtrans.fault(match="/v2/", status=503, times=100)
    room.handle(made, tenant=tenant)
    path = f"/v1/invoices/{made.invoice_id}/payments"
    status, problem = call("POST", path, {"method": "bca_va"})
    assert (status, problem["code"]) == (503, "payment_outcome_unknown")
    midtrans.http.post("/_sandbox/reset")
    assert call("POST", path, {"method": "bca_va"})[1]["state"] == "pending"
    assert len(room.payments(tenant)) == 1


def test_another_tenants_payments_and_invoices_are_not_there(
    call, room, tenant, other_tenant, invoice
) -> None:
    [payment] = room.payments(tenant)
    assert call("GET", f"/v1/payments/{payment['payment_id']}", tenant=other_tenant)[0] == 404
    path = f"/v1/invoices/{invoice.invoice_id}/payments"
    assert call("POST", path, {"method": "bca_va"}, tenant=other_tenant)[0] == 404
    assert room.payments(other_tenant) == []


def test_strange_methods_and_roles_are_refused(call, invoice) -> None:
    path = f"/v1/invoices/{invoice.invoice_id}/payments"
    assert call("POST", path, {"method": "gold"})[0] == 422
    assert call("POST", path, {"method": "bca_va"}, role="viewer")[0] == 403
