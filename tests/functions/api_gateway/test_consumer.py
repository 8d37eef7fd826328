"""What the bus brings: limits, states, ended access and requests; twice is once, late is late."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis import Redis

from contracts.access_keys import revoked_session_key
from contracts.api_gateway import RequestsServed, ServedRequest
from contracts.ids import NIL, uuid7
from contracts.registry import parse_envelope
from contracts.subscription_service import ApiLimits, EntitlementsChanged
from contracts.user_management import TenantClosed, TenantReinstated, TenantSuspended
from contracts.user_service import AccessRevoked
from functions.api_gateway import api, consumer
from functions.api_gateway.models import Limits, Standing
from functions.api_gateway.store.tenants import TenantStore
from kit.analytics import Analytics
from tests.functions.api_gateway.conftest import GateMaker
from tests.support.builders import (
    NOW,
    FixedClock,
    api_event,
    principal,
    raw_record,
    read_answer,
    sqs_event,
    wrap,
)

SAMPLES = Path(__file__).parents[3] / "events" / "samples"
DONE: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def room(gates: GateMaker, monkeypatch: pytest.MonkeyPatch) -> GateMaker:
    database, gate = gates.database(), gates.gate()
    monkeypatch.setattr(consumer, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_gate", lambda: gate)
    return gates


@pytest.fixture
def redis(redis_url: str) -> Iterator[Any]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def entitlements(version: int = 1, tier: str = "pro", **values: Any) -> EntitlementsChanged:
    given = {
        "symbols": ("*",),
        "predictions_per_day": 1_000,
        "prediction_delay_s": 0,
        "live_accounts": 1,
        **values,
    }
    return EntitlementsChanged(version=version, tier=tier, **given)


def read_standing(room: GateMaker, tenant_id: UUID) -> Standing:
    with room.database().transaction(tenant_id) as tx:
        return TenantStore(tx).read_standing("free")


def tell(message: Any, tenant_id: UUID | None) -> dict[str, Any]:
    return consumer.handler(sqs_event(wrap(message, tenant_id)), None)


def test_a_grant_names_the_limits_or_leaves_the_tiers_own(
    room: GateMaker, tenant: UUID, redis: Any
) -> None:
    own = ApiLimits(requests_per_second=7, burst=70, requests_per_day=None)
    assert tell(entitlements(1), tenant) == DONE
    assert read_standing(room, tenant).limits == Limits(10, 50, 50_000)
    assert tell(entitlements(2, api=own, time_zone="Asia/Makassar"), tenant) == DONE
    standing = read_standing(room, tenant)
    assert (standing.tier, standing.limits) == ("pro", Limits(7, 70, None))
    assert standing.time_zone == "Asia/Makassar"
    kept = redis.hmget(f"{{{tenant}}}:gate", "v", "ti", "r", "b", "q")
    assert kept == ["2", "pro", "7", "70", ""]


def test_a_late_grant_or_state_changes_nothing(room: GateMaker, tenant: UUID) -> None:
    for message in (
        entitlements(3, "enterprise"),
        TenantSuspended(reason="unpaid", version=4),
        entitlements(2, "free"),
        TenantReinstated(version=3),
    ):
        assert tell(message, tenant) == DONE
    standing = read_standing(room, tenant)
    assert (standing.tier, standing.state) == ("enterprise", "suspended")
    assert (standing.entitlements_version, standing.state_version) == (3, 4)
    closed = TenantClosed(erase_after=NOW + timedelta(days=30), version=5)
    assert tell(closed, tenant) == DONE
    assert read_standing(room, tenant).state == "closed"


def dump(room: GateMaker, redis: Any, tenant_id: UUID) -> Any:
    with room.database().transaction(tenant_id) as tx:
        rows = [
            tx.fetch_all(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("tenants", "revocations", "audit_log", "audit_heads")
        ]
    keys = sorted(key for key in redis.scan_iter(count=1_000) if str(tenant_id) in key)
    texts = [redis.get(key) if redis.type(key) == "string" else redis.hgetall(key) for key in keys]
    return rows, list(zip(keys, texts, strict=True))


@pytest.mark.parametrize(
    "message",
    [
        entitlements(),
        TenantSuspended(reason="unpaid", version=1),
        TenantReinstated(version=1),
        AccessRevoked(kind="session", subject_id=uuid7(), before=datetime.now(UTC)),
        parse_envelope(
            "AuditRecorded", json.loads((SAMPLES / "audit/AuditRecorded.v1.json").read_text())
        ).data,
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_redelivered_message_changes_nothing(
    room: GateMaker, tenant: UUID, redis: Any, message: Any
) -> None:
    event = sqs_event(wrap(message, tenant))
    assert consumer.handler(event, None) == DONE
    once = dump(room, redis, tenant)
    for _ in range(2):
        assert consumer.handler(event, None) == DONE
    assert dump(room, redis, tenant) == once


def test_what_one_tenant_is_told_is_not_another_tenants(
    room: GateMaker, tenant: UUID, other_tenant: UUID, redis: Any
) -> None:
    for message in (
        entitlements(),
        TenantSuspended(reason="unpaid", version=1),
        AccessRevoked(kind="user", subject_id=uuid7(), before=NOW),
    ):
        assert tell(message, tenant) == DONE
    assert dump(room, redis, other_tenant) == ([[], [], [], []], [])
    with room.database().transaction(other_tenant) as tx:
        sql = "INSERT INTO revocations VALUES (%s, 'user', %s, now(), now())"
        with pytest.raises(Exception, match="row-level security"):
            tx.execute(sql, [tenant, uuid7()])


def test_a_message_comes_back_while_redis_is_away_and_postgresql_knows_already(
    room: GateMaker, tenant: UUID, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = uuid7()
    revoked = AccessRevoked(kind="session", subject_id=session_id, before=datetime.now(UTC))
    event = sqs_event(wrap(revoked, tenant))
    gone, there = room.gate("redis://127.0.0.1:9/0"), room.gate()
    monkeypatch.setattr(consumer, "_gate", lambda: gone)
    (failure,) = consumer.handler(event, None)["batchItemFailures"]
    assert failure == {"itemIdentifier": event["Records"][0]["messageId"]}
    with room.database().transaction(tenant) as tx:
        assert tx.fetch_one("SELECT 1 FROM revocations WHERE subject_id = %s", [session_id])
    monkeypatch.setattr(consumer, "_gate", lambda: there)
    assert consumer.handler(event, None) == DONE
    assert redis.get(revoked_session_key(tenant, session_id)) is not None


def test_the_latest_instant_counts_and_old_rows_go(
    room: GateMaker, tenant: UUID, redis: Any
) -> None:
    user_id, now = uuid7(), datetime.now(UTC)
    for minutes in (-20, -1, -5):
        before = now + timedelta(minutes=minutes)
        assert tell(AccessRevoked(kind="user", subject_id=user_id, before=before), tenant) == DONE
    with room.database().transaction(tenant) as tx:
        (mark,) = TenantStore(tx).list_marks(now)
        tx.execute("UPDATE revocations SET expires_at = now() - interval '1 second'")
    assert mark.before_ms == int((now - timedelta(minutes=1)).timestamp() * 1_000)
    other = AccessRevoked(kind="api_key", subject_id=uuid7(), before=now)
    assert tell(other, tenant) == DONE
    with room.database().transaction(tenant) as tx:
        rows = tx.fetch_all("SELECT kind, expires_at FROM revocations")
    assert [row["kind"] for row in rows] == ["api_key"]
    assert rows[0]["expires_at"] > now + timedelta(hours=23)


def test_a_message_of_no_tenant_about_a_tenant_is_not_done(room: GateMaker) -> None:
    assert len(tell(entitlements(), None)["batchItemFailures"]) == 1


@pytest.fixture
def log(room: GateMaker, clickhouse: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> FixedClock:
    analytics, database, clock = Analytics(clickhouse), room.database(), FixedClock()
    for module in (consumer, api):
        monkeypatch.setattr(module, "_analytics", lambda: analytics)
    monkeypatch.setattr(api, "_database", lambda: database)
    monkeypatch.setattr(api, "_clock", lambda: clock)
    return clock


def served(tenant_id: UUID | None, **values: Any) -> ServedRequest:
    given = {
        "request_id": uuid7(),
        "tenant_id": tenant_id,
        "user_id": None,
        "method": "GET",
        "route": "/v1/signals",
        "status": 200,
        "latency_ms": 10.0,
        "credential": "session",
        "served_at": NOW - timedelta(hours=1),
        **values,
    }
    return ServedRequest.model_validate(given)


def ask(whose: UUID, **query: str) -> tuple[int, Any]:
    event = api_event(
        "GET", "/v1/usage/requests", principal=principal(whose, scope="read"), query=query
    )
    return read_answer(api.handler(event, None))


def send(*requests: ServedRequest) -> dict[str, Any]:
    """As a door sends it: a bare envelope, straight to the queue."""
    envelope = wrap(RequestsServed(requests=requests))
    body = {"type": "RequestsServed", **json.loads(envelope.to_json())}
    return {"Records": [raw_record(json.dumps(body))]}


def test_a_tenant_sees_its_own_requests_counted_once_however_often_redelivered(
    log: FixedClock, tenant: UUID, other_tenant: UUID
) -> None:
    own = [served(tenant, latency_ms=float(ms)) for ms in range(1, 101)]
    refused = [
        served(tenant, method="POST", route="/v1/accounts", status=429, code="rate_limited",
               served_at=NOW - timedelta(hours=20), latency_ms=0.5)
        for _ in range(3)
    ]  # fmt: skip
    old = served(tenant, served_at=NOW - timedelta(days=8))
    event = send(*own, *refused, old, served(other_tenant), served(None))
    for _ in range(3):
        assert consumer.handler(event, None) == DONE
    status, usage = ask(tenant, group="route")
    assert status == 200
    assert usage["total"] == {"requests": 103, "refused": 3, "p50_ms": 49.0, "p95_ms": 95.0}
    assert usage["statuses"] == {"200": 100, "429": 3}
    assert [(row["key"], row["requests"]) for row in usage["top_routes"]] == [
        ("GET /v1/signals", 100),
        ("POST /v1/accounts", 3),
    ]
    assert usage["groups"] == usage["top_routes"]
    # NOW is 15:00 in Jakarta, twenty hours before it was yesterday there.
    _, by_day = ask(tenant)
    assert {row["key"]: row["requests"] for row in by_day["groups"]} == {
        "2026-03-01": 3,
        "2026-03-02": 100,
    }
    _, by_status = ask(tenant, group="status", **{"from": "2026-02-20T00:00:00Z"})
    assert [(row["key"], row["requests"]) for row in by_status["groups"]] == [
        ("200", 101),
        ("429", 3),
    ]
    assert ask(other_tenant)[1]["total"]["requests"] == 1


def test_requests_of_nobody_belong_to_the_nil_tenant(
    log: FixedClock, clickhouse: dict[str, Any]
) -> None:
    request = served(None, credential="none", route="/v1/auth/login", status=401)
    assert consumer.handler(send(request), None) == DONE
    rows = Analytics(clickhouse).query(
        NIL,
        "SELECT route FROM api_requests FINAL WHERE tenant_id = {tenant_id:UUID}"
        " AND request_id = {id:UUID}",
        {"id": str(request.request_id)},
    )
    assert rows == [{"route": "/v1/auth/login"}]


def test_a_tenant_without_requests_sees_zeros(log: FixedClock, tenant: UUID) -> None:
    status, usage = ask(tenant)
    assert status == 200
    assert usage["total"] == {"requests": 0, "refused": 0, "p50_ms": None, "p95_ms": None}
    assert (usage["groups"], usage["top_routes"], usage["statuses"]) == ([], [], {})


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"},
        {"from": "2026-03-02T00:00:00"},
        {"from": "0001-01-01T00:00:00Z", "to": "0001-01-02T00:00:00Z"},
        {"to": "0001-01-02T00:00:00Z"},
        {"from": "9999-12-30T00:00:00Z", "to": "9999-12-31T00:00:00Z"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"group": "user"},
    ],
)
def test_a_time_that_cannot_be_is_refused(
    log: FixedClock, tenant: UUID, query: dict[str, str]
) -> None:
    assert ask(tenant, **query)[0] == 422


def test_the_request_log_that_is_away_is_said_so_and_its_messages_come_back(
    log: FixedClock, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kit.errors import Unavailable

    def refuse() -> Callable[..., Any]:
        raise Unavailable("ClickHouse does not answer")

    monkeypatch.setattr(consumer, "_analytics", refuse)
    monkeypatch.setattr(api, "_analytics", refuse)
    assert len(consumer.handler(send(served(tenant)), None)["batchItemFailures"]) == 1
    assert ask(tenant)[0] == 503
