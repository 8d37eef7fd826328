"""The HTTP door of subscription_service, in process over the real database."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.audit import AuditRecorded
from contracts.billing_service import BillingRunStarted
from contracts.ids import uuid7
from contracts.subscription_service import ApiLimits, BillingPeriodClosed, EntitlementsChanged
from contracts.user_management import TenantClosed
from functions.subscription_service import api
from tests.functions.subscription_service.conftest import delivered, verified
from tests.support.builders import api_event, principal, read_answer


@pytest.fixture
def call(database, tenant):
    """Call a route as the tenant's owner unless told otherwise."""

    def call_(method: str, path: str, body: Any = None, key: str | None = None, **who: Any):
        headers = {"Idempotency-Key": key} if key else {}
        asker = principal(who.pop("tenant", tenant), **who)
        event = api_event(method, path, body=body, principal=asker, headers=headers)
        return read_answer(api.handler(event, None))

    return call_


def test_plans_are_open_to_everybody(database) -> None:
    status, body = read_answer(api.handler(api_event("GET", "/v1/plans"), None))
    assert status == 200
    assert [(plan["code"], plan["price"]["amount"]) for plan in body["items"]] == [
        ("free", 0),
        ("pro", 299_000),
        ("enterprise", 1_499_000),
    ]


def test_a_subscription_needs_a_sign_in(database) -> None:
    status, body = read_answer(api.handler(api_event("GET", "/v1/subscription"), None))
    assert (status, body["code"]) == (401, "unauthenticated")


def test_a_plan_is_started_and_then_changed(call, published) -> None:
    assert call("GET", "/v1/subscription")[0] == 404
    status, body = call("POST", "/v1/subscription", {"plan": "pro"})
    assert (status, body["plan"], body["state"]) == (201, "pro", "active")
    status, body = call("POST", "/v1/subscription", {"plan": "enterprise"})
    assert (status, body["plan"], body["period"]["billed_plan"]) == (
        200,
        "enterprise",
        "enterprise",
    )
    assert body["entitlements"]["version"] == 2
    assert [granted.tier for granted in published.messages(EntitlementsChanged)] == [
        "pro",
        "enterprise",
    ]


def test_a_repeated_key_answers_the_same_and_another_request_is_a_conflict(call, published) -> None:
    first = call("POST", "/v1/subscription", {"plan": "pro"}, key="k-1")
    assert call("POST", "/v1/subscription", {"plan": "pro"}, key="k-1") == first
    status, body = call("POST", "/v1/subscription", {"plan": "enterprise"}, key="k-1")
    assert (status, body["code"]) == (409, "idempotency_key_reused")
    assert len(published.messages(EntitlementsChanged)) == 1


def test_an_unused_upgrade_can_be_taken_back_for_nothing(call, handle, tenant) -> None:
    """Invariant 12, as far as this version goes: use of the plan before does not count."""
    handle(verified(), delivered(), tenant=tenant)
    call("POST", "/v1/subscription", {"plan": "enterprise"})
    _, body = call("POST", "/v1/subscription", {"plan": "free"})
    assert (body["plan"], body["period"]["billed_plan"]) == ("free", "free")


def test_a_used_plan_is_billed_though_a_cheaper_one_follows(
    call, handle, database, published, tenant
) -> None:
    call("POST", "/v1/subscription", {"plan": "enterprise"})
    handle(delivered(), tenant=tenant)
    _, body = call("PATCH", "/v1/subscription", {"plan": "free"})
    assert (body["plan"], body["period"]["billed_plan"]) == ("free", "enterprise")
    run = BillingRunStarted(run_id=uuid7(), as_of=database.clock.now() + timedelta(days=31))
    handle(run, tenant=None)
    [closed] = [e for e in published.envelopes(BillingPeriodClosed) if e.meta.tenant_id == tenant]
    assert closed.data.plan_price == 1_499_000
    _, body = call("GET", "/v1/subscription")
    assert body["period"]["billed_plan"] == "free"


def test_a_change_waits_for_the_periods_end_and_can_be_taken_back(call) -> None:
    call("POST", "/v1/subscription", {"plan": "pro"})
    _, body = call("PATCH", "/v1/subscription", {"plan": "free", "when": "period_end"})
    assert (body["plan"], body["pending_plan"]) == ("pro", "free")
    _, body = call("PATCH", "/v1/subscription", {"plan": "pro", "when": "period_end"})
    assert body["pending_plan"] is None


def test_a_cancelled_subscription_runs_on_and_can_come_back(call) -> None:
    call("POST", "/v1/subscription", {"plan": "pro"})
    status, body = call("DELETE", "/v1/subscription")
    assert (status, body["state"], body["entitlements"]["tier"]) == (200, "canceled", "pro")
    _, body = call("POST", "/v1/subscription", {"plan": "pro"})
    assert body["state"] == "active"


def test_an_ended_subscription_can_be_started_anew(call, handle, database, tenant) -> None:
    _, first = call("POST", "/v1/subscription", {"plan": "pro"})
    call("DELETE", "/v1/subscription")
    database.clock.advance(days=60)
    status, body = call("POST", "/v1/subscription", {"plan": "free"})
    assert (status, body["plan"], body["state"]) == (201, "free", "active")
    assert body["subscription_id"] != first["subscription_id"]
    assert body["entitlements"]["version"] == 3


def test_usage_shows_the_day_and_the_period(call, handle, database, tenant) -> None:
    handle(verified(), *(delivered() for _ in range(22)), tenant=tenant)
    _, body = call("GET", "/v1/usage")
    [meter] = body["meters"]
    assert (meter["used"], meter["limit"], meter["over_limit"]) == (20, 20, 2)
    assert meter["resets_at"] == "2026-03-02T17:00:00+00:00"
    database.clock.advance(days=1)
    _, body = call("GET", "/v1/usage")
    assert body["meters"][0]["used"] == 0
    assert body["meters"][0]["period"] == {"counted": 20, "over_limit": 2}


def test_bad_plans_and_roles_are_refused(call) -> None:
    assert call("POST", "/v1/subscription", {"plan": "gold"})[0] == 422
    assert call("POST", "/v1/subscription", "{", None)[0] == 400
    status, body = call("POST", "/v1/subscription", {"plan": "pro"}, role="viewer")
    assert (status, body["code"]) == (403, "role_needed")
    assert call("PATCH", "/v1/subscription", {"plan": "pro"})[0] == 404


def test_another_tenants_subscription_is_not_there(call, other_tenant) -> None:
    call("POST", "/v1/subscription", {"plan": "pro"})
    assert call("GET", "/v1/subscription", tenant=other_tenant)[0] == 404
    assert call("GET", "/v1/usage", tenant=other_tenant)[0] == 404
    assert call("DELETE", "/v1/subscription", tenant=other_tenant)[0] == 404


def test_a_grant_carries_the_api_limits_of_the_plans_rows(call, published, database) -> None:
    for plan in ("free", "pro", "enterprise"):
        call("POST", "/v1/subscription", {"plan": plan})
    assert [granted.api for granted in published.messages(EntitlementsChanged)] == [
        ApiLimits(requests_per_second=1, burst=5, requests_per_day=1_000),
        ApiLimits(requests_per_second=10, burst=50, requests_per_day=50_000),
        ApiLimits(requests_per_second=100, burst=500, requests_per_day=None),
    ]
    _, body = call("GET", "/v1/subscription")
    assert body["entitlements"]["api"] == {
        "requests_per_second": 100,
        "burst": 500,
        "requests_per_day": None,
    }


def test_every_change_of_plan_is_audited_and_nothing_else(call, published) -> None:
    call("POST", "/v1/subscription", {"plan": "pro"})
    call("POST", "/v1/subscription", {"plan": "pro"})
    call("PATCH", "/v1/subscription", {"plan": "free", "when": "period_end"})
    call("PATCH", "/v1/subscription", {"plan": "enterprise"})
    call("DELETE", "/v1/subscription")
    call("DELETE", "/v1/subscription")
    call("GET", "/v1/usage")
    records = published.messages(AuditRecorded)
    told = [(r.action, r.detail["plan_before"], r.detail["plan"]) for r in records]
    assert told == [
        ("subscription.started", None, "pro"),
        ("subscription.scheduled", "pro", "pro"),
        ("subscription.changed", "pro", "enterprise"),
        ("subscription.canceled", "enterprise", "enterprise"),
    ]
    assert {(r.room, r.actor_kind, r.target_kind) for r in records} == {
        ("subscription_service", "user", "subscription")
    }


def test_a_replayed_key_is_not_audited_again(call, published) -> None:
    for _ in range(3):
        call("POST", "/v1/subscription", {"plan": "pro"}, key="once")
    assert len(published.messages(AuditRecorded)) == 1


def test_a_closed_tenant_chooses_no_plan(call, handle, database, tenant, published) -> None:
    handle(verified(), tenant=tenant)
    closed = TenantClosed(erase_after=database.clock.now(), version=1)
    assert handle(closed, tenant=tenant) == 0
    for method, body in (
        ("POST", {"plan": "pro"}),
        ("PATCH", {"plan": "pro"}),
        ("PATCH", {"plan": "pro", "when": "period_end"}),
    ):
        status, problem = call(method, "/v1/subscription", body)
        assert (status, problem["code"]) == (409, "tenant_closed")
    assert call("GET", "/v1/subscription")[1]["state"] == "canceled"
