"""The Midtrans sandbox against the real midtransclient package."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from midtransclient import CoreApi, Snap
from midtransclient.error_midtrans import JSONDecodeError, MidtransAPIError

from iac.local.sandbox.midtrans.ledger import LEGAL_NEXT
from iac.local.sandbox.midtrans.wire import sign
from tests.iac.sandbox.stack import MERCHANT_ID, SERVER_KEY, SandboxStack, WebhookReceiver


def make_core(sandbox: SandboxStack, key: str = SERVER_KEY, **headers: str) -> CoreApi:
    core = CoreApi(server_key=key, custom_headers=headers)
    core.api_config.CORE_SANDBOX_BASE_URL = sandbox.endpoints["midtrans"]
    return core


def make_charge(order_id: str = "INV-2025-000001", **changes: Any) -> dict[str, Any]:
    return {
        "payment_type": "bank_transfer",
        "bank_transfer": {"bank": "bca"},
        "transaction_details": {"order_id": order_id, "gross_amount": 111_000},
        "item_details": [
            {"id": "pro", "name": "Sinyal Pro", "price": 120_000, "quantity": 1},
            {"id": "discount", "name": "Diskon", "price": -9_000, "quantity": 1},
        ],
        **changes,
    }


def refusal_code(error: pytest.ExceptionInfo[MidtransAPIError]) -> str:
    return str(error.value.api_response_dict["status_code"])


def test_the_signature_matches_the_reference_vector() -> None:
    assert sign("INV-2025-000001", "200", "111000.00", SERVER_KEY) == (
        "b779de55827a79465fbbfe038ee32e9df9192e52d9af69ca2289f15296a2f26c"
        "8229d0a14e602d5cd009e0399cac2d867490351070106d83c470e63c62686142"
    )


@pytest.mark.parametrize("bank", ["bca", "bni", "bri", "cimb"])
def test_a_bank_transfer_charge_gives_a_virtual_account(sandbox: SandboxStack, bank: str) -> None:
    answer = make_core(sandbox).charge(make_charge(bank_transfer={"bank": bank}))
    assert answer["status_code"] == "201"
    assert answer["transaction_status"] == "pending"
    assert answer["gross_amount"] == "111000.00"
    assert answer["merchant_id"] == MERCHANT_ID
    assert answer["va_numbers"][0]["bank"] == bank
    assert answer["va_numbers"][0]["va_number"].isdecimal()


@pytest.mark.parametrize(
    ("payment_type", "options", "field"),
    [
        ("bank_transfer", {"bank": "permata"}, "permata_va_number"),
        ("echannel", {"bill_info1": "Payment:", "bill_info2": "Sinyal"}, "bill_key"),
        ("qris", {"acquirer": "gopay"}, "actions"),
        ("gopay", {}, "actions"),
        ("shopeepay", {"callback_url": "https://example.com"}, "actions"),
        ("cstore", {"store": "indomaret"}, "payment_code"),
    ],
)
def test_every_method_says_how_to_pay_its_own_way(
    sandbox: SandboxStack, payment_type: str, options: dict[str, str], field: str
) -> None:
    charge = make_charge(payment_type=payment_type) | {payment_type: options}
    answer = make_core(sandbox).charge(charge)
    assert answer[field]
    assert answer["payment_type"] == payment_type


def test_a_wrong_server_key_is_refused_with_401(sandbox: SandboxStack) -> None:
    with pytest.raises(MidtransAPIError) as error:
        make_core(sandbox, key="SB-Mid-server-WRONG").charge(make_charge())
    assert error.value.http_status_code == 401


def test_an_order_id_used_twice_is_refused_with_406(sandbox: SandboxStack) -> None:
    core = make_core(sandbox)
    core.charge(make_charge())
    with pytest.raises(MidtransAPIError) as error:
        core.charge(make_charge())
    assert refusal_code(error) == "406"


def test_the_status_of_an_unknown_order_is_404_in_the_body_only(sandbox: SandboxStack) -> None:
    with pytest.raises(MidtransAPIError) as error:
        make_core(sandbox).transactions.status("INV-unknown")
    assert refusal_code(error) == "404"
    assert error.value.http_status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_details": {"order_id": "INV-1", "gross_amount": 111_001}},
        {"transaction_details": {"order_id": "INV-1", "gross_amount": 111_000.5}},
        {"transaction_details": {"order_id": "INV/1", "gross_amount": 111_000}},
        {"transaction_details": {"order_id": "INV-1", "gross_amount": -1}},
        {"payment_type": "barter"},
        {"bank_transfer": {"bank": "unknown"}},
        {"item_details": [{"name": "x" * 51, "price": 111_000, "quantity": 1}]},
        {
            "transaction_details": {"order_id": "INV-1", "gross_amount": 9_999},
            "item_details": None,
        },
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_with_400(
    sandbox: SandboxStack, changes: dict[str, Any]
) -> None:
    with pytest.raises(MidtransAPIError) as error:
        make_core(sandbox).charge(make_charge(**changes))
    assert refusal_code(error) == "400"
    assert error.value.api_response_dict["validation_messages"]


def test_a_malformed_body_is_refused_with_413(sandbox: SandboxStack) -> None:
    url = f"{sandbox.endpoints['midtrans']}/v2/charge"
    answer = sandbox.client.post(url, content=b"{", auth=(SERVER_KEY, ""))
    assert answer.json()["status_code"] == "413"


def test_an_idempotency_key_repeats_the_first_answer(sandbox: SandboxStack) -> None:
    core = make_core(sandbox, **{"Idempotency-Key": "key-1"})
    first = core.charge(make_charge())
    assert core.charge(make_charge(order_id="INV-other")) == first
    assert len(sandbox.get("midtrans", "transactions")) == 1


def test_a_request_whose_twin_is_still_running_gets_202(sandbox: SandboxStack) -> None:
    sandbox.post("midtrans", "config", charge_delay_ms=500)
    core = make_core(sandbox, **{"Idempotency-Key": "key-1"})
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(core.charge, [make_charge(), make_charge()]))
    assert sorted(answer["status_code"] for answer in answers) == ["201", "202"]
    assert core.charge(make_charge())["status_code"] == "201"


def test_an_idempotency_key_that_is_too_long_is_refused(sandbox: SandboxStack) -> None:
    core = make_core(sandbox, **{"Idempotency-Key": "k" * 47})
    with pytest.raises(MidtransAPIError) as error:
        core.charge(make_charge())
    assert refusal_code(error) == "400"


def test_a_paid_order_is_announced_with_a_signature_that_verifies(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url, host_header="api.test")
    make_core(sandbox).charge(make_charge())
    paid = sandbox.post("midtrans", "pay", order_id="INV-2025-000001", outcome="settlement")
    assert paid.json()["notifications"][0]["delivered"]
    call = webhook.received[0]
    note = call.body
    joined = note["order_id"] + note["status_code"] + note["gross_amount"] + SERVER_KEY
    assert note["signature_key"] == hashlib.sha512(joined.encode()).hexdigest()
    assert (note["transaction_status"], note["status_code"]) == ("settlement", "200")
    assert note["settlement_time"]
    assert call.headers["host"] == "api.test"
    assert make_core(sandbox).transactions.status(note["order_id"])["transaction_status"] == (
        "settlement"
    )


@pytest.mark.parametrize(
    ("outcome", "note_code", "status_code"),
    [("deny", "202", "202"), ("expire", "202", "407"), ("cancel", "200", "200")],
)
def test_every_unhappy_outcome_has_its_own_codes(
    sandbox: SandboxStack,
    webhook: WebhookReceiver,
    outcome: str,
    note_code: str,
    status_code: str,
) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url)
    core = make_core(sandbox)
    core.charge(make_charge())
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001", outcome=outcome)
    assert webhook.received[0].body["status_code"] == note_code
    assert core.transactions.status("INV-2025-000001")["status_code"] == status_code


def test_a_charge_announces_itself_as_pending_when_asked(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url, notify_pending=True)
    make_core(sandbox).charge(make_charge())
    note = webhook.wait_for(1)[0].body
    assert (note["transaction_status"], note["status_code"]) == ("pending", "201")


def test_duplicates_and_a_late_pending_come_in_the_order_asked(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url)
    make_core(sandbox).charge(make_charge())
    sandbox.post(
        "midtrans", "pay", order_id="INV-2025-000001", duplicates=1, out_of_order=True
    ).raise_for_status()
    states = [call.body["transaction_status"] for call in webhook.received]
    assert states == ["settlement", "settlement", "pending"]


def test_a_badly_signed_notification_does_not_verify(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url)
    make_core(sandbox).charge(make_charge())
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001", bad_signature=True)
    note = webhook.received[0].body
    assert note["signature_key"] != sign(
        note["order_id"], note["status_code"], note["gross_amount"], SERVER_KEY
    )


@pytest.mark.parametrize(("status", "calls"), [(500, 2), (404, 3), (503, 5), (418, 6)])
def test_a_refused_notification_comes_again_as_often_as_its_status_says(
    sandbox: SandboxStack, webhook: WebhookReceiver, status: int, calls: int
) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url)
    webhook.statuses.extend([status] * 20)
    make_core(sandbox).charge(make_charge())
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001")
    webhook.wait_for(calls)
    log = sandbox.get("midtrans", "notifications?order_id=INV-2025-000001")
    assert [attempt["status"] for attempt in log[0]["attempts"]] == [status] * calls
    assert not log[0]["delivered"]


def test_redelivery_stops_when_it_is_taken(sandbox: SandboxStack, webhook: WebhookReceiver) -> None:
    sandbox.post("midtrans", "config", webhook_url=webhook.url)
    webhook.statuses.extend([503, 503])
    make_core(sandbox).charge(make_charge())
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001")
    webhook.wait_for(3)
    bodies = [call.body for call in webhook.received]
    assert bodies[0] == bodies[1] == bodies[2]


def test_an_illegal_transition_is_refused_with_412(sandbox: SandboxStack) -> None:
    core = make_core(sandbox)
    core.charge(make_charge())
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001")
    with pytest.raises(MidtransAPIError) as error:
        core.transactions.cancel("INV-2025-000001")
    assert refusal_code(error) == "412"
    again = sandbox.post("midtrans", "pay", order_id="INV-2025-000001", outcome="expire")
    assert again.status_code == 409


def test_an_order_can_be_cancelled_or_expired_through_the_api(sandbox: SandboxStack) -> None:
    core = make_core(sandbox)
    core.charge(make_charge("INV-1"))
    core.charge(make_charge("INV-2"))
    assert core.transactions.cancel("INV-1")["transaction_status"] == "cancel"
    assert core.transactions.expire("INV-2")["transaction_status"] == "expire"


def test_a_virtual_account_cannot_be_refunded(sandbox: SandboxStack) -> None:
    core = make_core(sandbox)
    core.charge(make_charge())
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001")
    with pytest.raises(MidtransAPIError) as error:
        core.transactions.refund("INV-2025-000001", {"amount": 1_000})
    assert refusal_code(error) == "412"


def test_qris_refunds_add_up_and_are_announced_twice(
    sandbox: SandboxStack, webhook: WebhookReceiver
) -> None:
    core = make_core(sandbox)
    core.charge(make_charge(payment_type="qris", qris={"acquirer": "gopay"}))
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001")
    sandbox.post("midtrans", "config", webhook_url=webhook.url)
    core.transactions.refund("INV-2025-000001", {"amount": 11_000, "refund_key": "a"})
    webhook.wait_for(2)
    assert webhook.received[0].body == webhook.received[1].body
    assert webhook.received[0].body["transaction_status"] == "partial_refund"
    with pytest.raises(MidtransAPIError) as error:
        core.transactions.refund("INV-2025-000001", {"amount": 100_001, "refund_key": "b"})
    assert refusal_code(error) == "414"
    with pytest.raises(MidtransAPIError) as error:
        core.transactions.refund("INV-2025-000001", {"amount": 1_000, "refund_key": "a"})
    assert refusal_code(error) == "406"
    core.transactions.refund("INV-2025-000001", {"amount": 100_000, "refund_key": "c"})
    status = core.transactions.status("INV-2025-000001")
    assert status["transaction_status"] == "refund"
    assert status["refund_amount"] == "111000.00"
    assert [refund["refund_key"] for refund in status["refunds"]] == ["a", "c"]


def test_a_pending_order_expires_when_the_clock_passes_its_window(sandbox: SandboxStack) -> None:
    core = make_core(sandbox)
    core.charge(make_charge())
    sandbox.post("midtrans", "config", clock_offset_s=24 * 3_600 - 60)
    assert core.transactions.status("INV-2025-000001")["transaction_status"] == "pending"
    sandbox.post("midtrans", "config", clock_offset_s=24 * 3_600 + 60)
    assert core.transactions.status("INV-2025-000001")["transaction_status"] == "expire"


def test_a_snap_order_has_no_status_until_a_method_is_picked(sandbox: SandboxStack) -> None:
    snap = Snap(server_key=SERVER_KEY)
    snap.api_config.SNAP_SANDBOX_BASE_URL = f"{sandbox.endpoints['midtrans']}/snap/v1"
    body = {key: make_charge()[key] for key in ("transaction_details", "item_details")}
    opened = snap.create_transaction(body)
    assert requests.get(opened["redirect_url"], timeout=5).status_code == 200
    with pytest.raises(MidtransAPIError) as error:
        make_core(sandbox).transactions.status("INV-2025-000001")
    assert refusal_code(error) == "404"
    sandbox.post("midtrans", "pay", order_id="INV-2025-000001").raise_for_status()
    status = make_core(sandbox).transactions.status("INV-2025-000001")
    assert status["transaction_status"] == "settlement"
    with pytest.raises(MidtransAPIError) as error:
        snap.create_transaction(body)
    assert error.value.api_response_dict["error_messages"]


def test_a_charge_dropped_after_the_work_leaves_an_order_behind(sandbox: SandboxStack) -> None:
    sandbox.fault("midtrans", match="/v2/charge", drop=True, after=True)
    core = make_core(sandbox)
    with pytest.raises(requests.ConnectionError):
        core.charge(make_charge())
    assert core.transactions.status("INV-2025-000001")["transaction_status"] == "pending"


def test_faults_speak_midtrans_or_html(sandbox: SandboxStack) -> None:
    core = make_core(sandbox)
    sandbox.fault("midtrans", match="/v2/charge", status=503)
    with pytest.raises(MidtransAPIError) as error:
        core.charge(make_charge())
    assert refusal_code(error) == "503"
    sandbox.fault("midtrans", match="/v2/charge", status=502, body="<html>Bad gateway</html>")
    with pytest.raises((JSONDecodeError, requests.exceptions.JSONDecodeError)):
        core.charge(make_charge())
    assert core.charge(make_charge())["status_code"] == "201"


def test_no_state_follows_a_final_one() -> None:
    for final in ("deny", "cancel", "expire", "failure", "refund", "chargeback"):
        assert final not in LEGAL_NEXT
