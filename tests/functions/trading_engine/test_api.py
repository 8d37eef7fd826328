"""Accounts over HTTP: limits, idempotency, and nobody else's business."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import AccountLinked, AccountUnlinked
from functions.trading_engine import api
from functions.trading_engine.store import AccountStore
from kit.db import Database
from tests.support.builders import api_event, principal, read_answer
from tests.support.publisher import RecordingPublisher


def entitle(database: Database, tenant: UUID, paper_accounts: int = 2) -> None:
    event = EntitlementsChanged(
        version=1,
        tier="pro",
        symbols=("EURUSD",),
        predictions_per_day=1_000,
        prediction_delay_s=0,
        live_accounts=1,
        paper_accounts=paper_accounts,
    )
    with database.transaction(tenant) as tx:
        AccountStore(tx).keep_entitlements(event)


def call(method: str, path: str, tenant: UUID, **parts: Any) -> tuple[int, Any]:
    role = parts.pop("role", "owner")
    event = api_event(method, path, principal=principal(tenant, role=role), **parts)
    return read_answer(api.handler(event, None))


def test_linking_needs_a_known_plan(database: Database, tenant: UUID) -> None:
    status, body = call("POST", "/v1/accounts", tenant, body={"mode": "paper"})
    assert (status, body["code"]) == (409, "subscription_not_ready")


def test_linking_publishes_the_account_for_the_edge(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    entitle(database, tenant)
    status, body = call("POST", "/v1/accounts", tenant, body={"mode": "paper"})
    (event,) = published.envelopes(AccountLinked)
    assert status == 201
    assert str(event.data.account_id) == body["account_id"]
    assert event.meta.tenant_id == tenant


def test_the_same_idempotency_key_links_one_account(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    entitle(database, tenant)
    headers = {"Idempotency-Key": "k-1"}
    answers = [
        call("POST", "/v1/accounts", tenant, body={"mode": "paper"}, headers=headers)
        for _ in range(3)
    ]
    assert len({body["account_id"] for _, body in answers}) == 1
    assert {status for status, _ in answers} == {201}
    assert len(published.messages(AccountLinked)) == 1


def test_a_reused_key_with_another_body_is_a_conflict(database: Database, tenant: UUID) -> None:
    entitle(database, tenant)
    headers = {"Idempotency-Key": "k-2"}
    call("POST", "/v1/accounts", tenant, body={"mode": "paper"}, headers=headers)
    status, body = call(
        "POST", "/v1/accounts", tenant, body={"mode": "paper", "leverage": 30}, headers=headers
    )
    assert (status, body["code"]) == (409, "idempotency_key_reused")


def test_concurrent_requests_cannot_pass_the_plans_limit(
    database: Database, open_room: Callable[[str], Database], tenant: UUID
) -> None:
    entitle(database, tenant, paper_accounts=3)
    rooms = [open_room("trading_engine") for _ in range(8)]

    def link(room: Database) -> bool:
        from functions.trading_engine.errors import AccountLimitReached
        from functions.trading_engine.logic.accounts import link_account
        from functions.trading_engine.models import LinkAccount

        try:
            with room.transaction(tenant) as tx:
                link_account(AccountStore(tx), LinkAccount(mode="paper"), uuid7())
        except AccountLimitReached:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(link, rooms)) == 3


def test_another_tenants_account_is_not_found(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    entitle(database, tenant)
    _, account = call("POST", "/v1/accounts", tenant, body={"mode": "paper"})
    path = f"/v1/accounts/{account['account_id']}"
    status, body = call("DELETE", path, other_tenant)
    assert (status, body["code"]) == (404, "account_not_found")
    assert call("GET", "/v1/accounts", other_tenant) == (200, {"items": []})
    assert len(call("GET", "/v1/accounts", tenant)[1]["items"]) == 1


def test_unlinking_publishes_a_newer_version(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    entitle(database, tenant)
    _, account = call("POST", "/v1/accounts", tenant, body={"mode": "paper"})
    assert call("DELETE", f"/v1/accounts/{account['account_id']}", tenant)[0] == 204
    (event,) = published.messages(AccountUnlinked)
    assert event.version == 2


def test_a_viewer_may_not_link(database: Database, tenant: UUID) -> None:
    entitle(database, tenant)
    status, body = call("POST", "/v1/accounts", tenant, body={"mode": "paper"}, role="viewer")
    assert (status, body["code"]) == (403, "role_needed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "bad_request"),
        ({"mode": "live"}, 422, "invalid_value"),
        ({"mode": "paper", "tenant_id": "x"}, 422, "invalid_value"),
        ({"mode": "paper", "note": "x" * 300_000}, 413, "payload_too_large"),
    ],
)
def test_bad_bodies_get_a_typed_problem(
    database: Database, tenant: UUID, body: Any, status: int, code: str
) -> None:
    got, problem = call("POST", "/v1/accounts", tenant, body=body)
    assert (got, problem["code"]) == (status, code)


def test_a_request_without_the_authorizers_word_is_refused(database: Database) -> None:
    status, body = read_answer(api.handler(api_event("GET", "/v1/accounts"), None))
    assert (status, body["code"]) == (401, "unauthenticated")


def test_linking_and_unlinking_are_audited_once(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    entitle(database, tenant)
    headers = {"Idempotency-Key": "k-audit"}
    for _ in range(2):
        _, account = call("POST", "/v1/accounts", tenant, body={"mode": "paper"}, headers=headers)
    path = f"/v1/accounts/{account['account_id']}"
    assert [call("DELETE", path, tenant)[0] for _ in range(2)] == [204, 404]
    records = published.messages(AuditRecorded)
    assert [(r.action, r.target_id, r.actor_kind) for r in records] == [
        ("account.linked", account["account_id"], "user"),
        ("account.unlinked", account["account_id"], "user"),
    ]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/positions", "/v1/trades"])
@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "201"}, {"limit": str(10**30)}, {"cursor": "\x00"}]
)
def test_a_query_out_of_bounds_is_told_as_invalid(
    database: Database, tenant: UUID, path: str, query: dict[str, str]
) -> None:
    status, body = call("GET", path, tenant, query=query)
    assert (status, body["code"]) == (422, "invalid_value")


@pytest.mark.parametrize(
    "field",
    [
        "leverage",
        "initial_balance_cents",
        "risk_per_trade_bp",
        "max_open_positions",
        "max_daily_loss_bp",
    ],
)
def test_numbers_beyond_any_column_are_told_as_invalid(
    database: Database, tenant: UUID, field: str
) -> None:
    entitle(database, tenant)
    for number in (2**63, -(2**63), 10**60, 1.5, "1e400"):
        status, body = call("POST", "/v1/accounts", tenant, body={"mode": "paper", field: number})
        assert (status, body["code"]) == (422, "invalid_value")
