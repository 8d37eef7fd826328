"""Bad input at the product's own doors: a typed answer, and nothing lost."""

import hashlib
import json
import time
from typing import Any
from uuid import uuid4

import pytest

from contracts.ids import uuid7
from iac.local.demo.client import ApiClient, wait_for
from iac.local.demo.tenants import Tenant, open_client, sign_up
from iac.local.stack import Stack

pytestmark = pytest.mark.e2e

QUEUE_TIMEOUT_S = 90.0


@pytest.fixture(scope="session")
def tenants(stack: Stack) -> list[Tenant]:
    return [sign_up(stack, "free", 101), sign_up(stack, "pro", 102)]


@pytest.fixture
def stranger(stack: Stack) -> ApiClient:
    return open_client(stack)


def expect_problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = dict(answer.json())
    assert problem["status"] == status
    assert code is None or problem["code"] == code
    return problem


def test_a_request_without_a_token_is_401(stranger: ApiClient) -> None:
    expect_problem(stranger.call("GET", "/v1/accounts"), 401)


def test_a_foreign_key_s_token_is_401(stack: Stack, stranger: ApiClient) -> None:
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    now = int(time.time())
    claims = {
        "iss": stack.public_url,
        "aud": "sinyal-api",
        "sub": str(uuid4()),
        "tid": str(uuid4()),
        "role": "owner",
        "tier": "enterprise",
        "scope": "",
        "sid": str(uuid4()),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 600,
    }
    key = Ed25519PrivateKey.generate()
    stranger.token = jwt.encode(
        claims, key, algorithm="EdDSA", headers={"kid": "foreign", "typ": "at+jwt"}
    )
    expect_problem(stranger.call("GET", "/v1/accounts"), 401)


def test_an_expired_token_is_401(stack: Stack, stranger: ApiClient, tenants: list[Tenant]) -> None:
    import base64

    import jwt

    from functions.user_service.logic import tokens
    from iac.local.secret_store import list_secrets

    header, payload, _ = tenants[0].client.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    kid = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
    key = tokens.derive_key(list_secrets(stack)["jwt"]["seed"])
    headers = {"kid": kid, "typ": "at+jwt"}
    stranger.token = jwt.encode(claims, key, algorithm="EdDSA", headers=headers)
    stranger.expect(200, "GET", "/v1/accounts")
    claims |= {"iat": claims["iat"] - 3_600, "exp": claims["iat"] - 3_000}
    stranger.token = jwt.encode(claims, key, algorithm="EdDSA", headers=headers)
    expect_problem(stranger.call("GET", "/v1/accounts"), 401)


def test_another_tenants_account_is_404(tenants: list[Tenant]) -> None:
    free, pro = tenants
    path = f"/v1/accounts/{pro.account_id}"
    expect_problem(free.client.call("DELETE", path), 404, "account_not_found")
    assert len(pro.client.expect(200, "GET", "/v1/accounts")["items"]) == 1


def test_a_body_over_256_kb_is_413(tenants: list[Tenant]) -> None:
    body = {"mode": "paper", "note": "x" * 300_000}
    expect_problem(tenants[0].client.call("POST", "/v1/accounts", body), 413, "payload_too_large")


def test_invalid_json_is_400(stack: Stack, tenants: list[Tenant]) -> None:
    client = tenants[0].client
    answer = client._http.post(
        "/v1/accounts",
        content=b'{"mode": ',
        headers={
            "authorization": f"Bearer {client.token}",
            "content-type": "application/json",
        },
    )
    expect_problem(answer, 400, "bad_request")


def test_an_unknown_route_is_404(tenants: list[Tenant]) -> None:
    expect_problem(tenants[0].client.call("GET", "/v1/market/nothing"), 404)


def test_an_unknown_symbol_is_404(tenants: list[Tenant]) -> None:
    path = "/v1/market/ticks?symbol=NOPE&from=2014-05-14T00:00:00Z&to=2014-05-14T01:00:00Z"
    expect_problem(tenants[0].client.call("GET", path), 404, "symbol_unknown")


def test_a_midtrans_notification_with_a_bad_signature_changes_nothing(
    stack: Stack, stranger: ApiClient
) -> None:
    body = {
        "order_id": "SNY-" + "0" * 32,
        "status_code": "200",
        "gross_amount": "331890.00",
        "transaction_status": "settlement",
        "signature_key": hashlib.sha512(b"guess").hexdigest(),
    }
    answer = stranger.call("POST", "/v1/payments/midtrans/notifications", body)
    expect_problem(answer, 403, "bad_signature")


def test_an_event_of_an_unknown_version_ends_in_the_dead_letter_queue_unread(
    stack: Stack, tenants: list[Tenant]
) -> None:
    tenant = tenants[0]
    detail = {
        "meta": {
            "event_id": str(uuid7()),
            "tenant_id": tenant.tenant_id,
            "occurred_at": "2026-01-01T00:00:00Z",
            "correlation_id": str(uuid7()),
            "schema_version": 99,
        },
        "data": {"account_id": tenant.account_id},
    }
    stack.client("events").put_events(
        Entries=[
            {
                "EventBusName": f"sinyal-{stack.stage}",
                "Source": "sinyal.trading_engine",
                "DetailType": "OrderDenied",
                "Detail": json.dumps(detail),
            }
        ]
    )
    sqs = stack.client("sqs")
    name = f"sinyal-{stack.stage}-trading-engine-dlq"
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def look() -> dict[str, Any] | None:
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return dict(messages[0]) if messages else None

    message = wait_for("the dead-letter queue", look, QUEUE_TIMEOUT_S)
    assert json.loads(message["Body"])["detail"] == detail
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    watched = [dimension["Value"] for alarm in alarms for dimension in alarm.get("Dimensions", [])]
    assert name in watched
