"""The Midtrans gateway against the sandbox over real HTTP: every trap of its client is closed."""

import pytest

from contracts.ids import uuid7
from functions.payment_gateway.errors import (
    ChargeRefused,
    DuplicateOrder,
    MidtransBusy,
    MidtransKeyRefused,
    OutcomeUnknown,
)
from functions.payment_gateway.gateway import MidtransAccount, MidtransGateway
from functions.payment_gateway.logic.collecting import obtain_charge
from functions.payment_gateway.models import ChargeOrder

CHARGE = "POST /v2/charge"


@pytest.fixture
def order() -> ChargeOrder:
    return ChargeOrder(f"SNY-{uuid7().hex}", 331_890, "bca", "Sinyal pro", 60)


def count_accounts(midtrans, order: ChargeOrder) -> int:
    return sum(one["order_id"] == order.order_id for one in midtrans.transactions())


def test_a_charge_opens_a_virtual_account_that_its_status_confirms(gateway, order) -> None:
    charged = gateway.charge(order)
    assert (charged.transaction_status, charged.amount) == ("pending", 331_890)
    assert charged.merchant_id == gateway.merchant_id
    assert charged.va_number.isdigit()
    status = gateway.read_status(order.order_id)
    assert status == charged


def test_an_unknown_order_has_no_status_though_http_says_200(gateway) -> None:
    assert gateway.read_status(f"SNY-{uuid7().hex}") is None


def test_an_id_with_a_slash_never_reaches_the_url(gateway, midtrans) -> None:
    with pytest.raises(ChargeRefused):
        gateway.read_status("../charge")
    assert midtrans.requests("GET") == []


def test_the_idempotency_key_goes_with_its_charge_and_with_nothing_else(
    gateway, midtrans, order
) -> None:
    gateway.charge(order)
    gateway.read_status(order.order_id)
    charge, status = midtrans.requests(order.order_id)
    assert charge["headers"]["idempotency-key"] == order.order_id
    assert len(charge["headers"]["idempotency-key"]) <= 46
    assert "idempotency-key" not in status["headers"]


def test_the_key_is_in_no_repr(gateway, midtrans) -> None:
    client = gateway._make_client({})
    assert midtrans.account.server_key not in repr(client.api_config) + repr(midtrans.account)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"delay_ms": 1_500}, OutcomeUnknown),
        ({"drop": True}, OutcomeUnknown),
        ({"status": 500}, OutcomeUnknown),
        ({"status": 502, "body": "<html>Bad Gateway</html>"}, OutcomeUnknown),
        ({"status": 200, "body": "[]"}, OutcomeUnknown),
        ({"status": 200, "body": {"status_code": "202"}}, OutcomeUnknown),
        ({"status": 200, "body": {"status_code": "x"}}, OutcomeUnknown),
        ({"status": 302, "body": "<html>elsewhere</html>"}, OutcomeUnknown),
        ({"status": 406}, DuplicateOrder),
        ({"status": 200, "body": {"status_code": "406"}}, DuplicateOrder),
        ({"status": 429}, MidtransBusy),
        ({"status": 400}, ChargeRefused),
        ({"status": 402}, ChargeRefused),
        ({"status": 401}, MidtransKeyRefused),
    ],
)
def test_every_failure_of_a_charge_has_a_name(gateway, midtrans, order, fault, error) -> None:
    midtrans.fault(match=CHARGE, **fault)
    with pytest.raises(error) as caught:
        gateway.charge(order)
    assert "Transaction" not in str(caught.value)  # no text of theirs: it may be personal


def test_a_wrong_key_is_named(midtrans, order) -> None:
    account = MidtransAccount("SB-Mid-server-WRONG", "M1", midtrans.account.core_url)
    with pytest.raises(MidtransKeyRefused):
        MidtransGateway(account, 1).charge(order)


def test_a_host_that_does_not_answer_is_an_unknown_outcome(order) -> None:
    account = MidtransAccount("SB-Mid-server-x", "M1", "http://127.0.0.1:9")
    with pytest.raises(OutcomeUnknown):
        MidtransGateway(account, 1).charge(order)


@pytest.mark.parametrize(
    "fault",
    [
        {"delay_ms": 1_500, "after": True},
        {"drop": True, "after": True},
        {"status": 503, "after": True},
        {"status": 500, "body": "<html/>", "after": True},
    ],
)
def test_a_charge_that_was_made_but_not_answered_is_adopted(
    gateway, midtrans, order, fault
) -> None:
    midtrans.fault(match=CHARGE, **fault)
    status = obtain_charge(gateway, order, 2)
    assert status.transaction_status == "pending"
    assert len(midtrans.requests(CHARGE)) == 1
    assert count_accounts(midtrans, order) == 1


def test_a_charge_that_never_arrived_is_made_again_under_the_same_key(
    gateway, midtrans, order
) -> None:
    midtrans.fault(match=CHARGE, drop=True)
    assert obtain_charge(gateway, order, 2).transaction_status == "pending"
    keys = {request["headers"]["idempotency-key"] for request in midtrans.requests(CHARGE)}
    assert keys == {order.order_id}
    assert count_accounts(midtrans, order) == 1


def test_a_duplicate_order_is_adopted(gateway, midtrans, order) -> None:
    gateway.charge(order)
    midtrans.fault(match=CHARGE, status=406)
    assert obtain_charge(gateway, order, 2).va_number is not None
    assert count_accounts(midtrans, order) == 1


def test_an_outage_stays_an_unknown_outcome(gateway, midtrans, order) -> None:
    midtrans.fault(match="/v2/", status=503, times=20)
    with pytest.raises(OutcomeUnknown):
        obtain_charge(gateway, order, 2)
    assert len(midtrans.requests("/v2/")) <= 4


def test_an_expired_order_is_read_though_its_body_says_407(gateway, midtrans, order) -> None:
    gateway.charge(order)
    midtrans.pay(order.order_id, outcome="expire", notify=False)
    assert gateway.read_status(order.order_id).transaction_status == "expire"
