"""Every event is kept once, under its own tenant, and without what is personal."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.envelope import Envelope, Message
from contracts.ids import NIL, uuid7
from contracts.registry import MESSAGES, SECRET_CARRIERS, parse_envelope
from contracts.trading_engine import PositionClosed
from contracts.user_management import EmailVerificationRequested, MemberInvited
from contracts.user_service import (
    EmailChangeRequested,
    PasswordResetRequested,
    SecurityAlertRaised,
    UserRegistered,
)
from functions.performance_analytics import api, consumer
from functions.performance_analytics.models import PERSONAL_FIELDS
from kit.analytics import Analytics
from tests.support.builders import (
    NOW,
    api_event,
    principal,
    read_answer,
    sqs_event,
    sqs_record,
    wrap,
)

REPOSITORY = Path(__file__).parents[3]
WHO: dict[str, Any] = {"user_id": uuid7(), "locale": "id"}
SECRET: dict[str, Any] = {"token": "t" * 40, "expires_at": NOW}
CARRIERS: dict[str, Message] = {
    "EmailVerificationRequested": EmailVerificationRequested(
        email="a@example.com", full_name="A", **WHO, **SECRET
    ),
    "PasswordResetRequested": PasswordResetRequested(email="a@example.com", **WHO, **SECRET),
    "EmailChangeRequested": EmailChangeRequested(new_email="a@example.com", **WHO, **SECRET),
    "MemberInvited": MemberInvited(
        invitation_id=uuid7(),
        email="a@example.com",
        role="viewer",
        tenant_name="T",
        inviter_name="I",
        locale="id",
        **SECRET,
    ),
}
PERSONAL: dict[str, Message] = {
    "UserRegistered": UserRegistered(email="a@example.com", full_name="A", tenant_name="T", **WHO),
    "SecurityAlertRaised": SecurityAlertRaised(
        email="a@example.com", kind="new_device", device="Firefox", address="203.0.113.9", **WHO
    ),
    "AuditRecorded": AuditRecorded(
        room="user_service",
        actor_kind="user",
        actor_id=uuid7(),
        action="api_key.created",
        target_kind="api_key",
        target_id="1",
        address="203.0.113.9",
        device="Firefox",
        detail={"scopes": "read"},
    ),
}


@pytest.fixture
def analytics(clickhouse: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Analytics:
    opened = Analytics(clickhouse)
    monkeypatch.setattr(consumer, "_analytics", lambda: opened)
    monkeypatch.setattr(api, "_analytics", lambda: opened)
    return opened


def closed(tenant: UUID, profit_cents: int) -> Envelope:
    event = PositionClosed(
        order_id=uuid7(),
        account_id=uuid7(),
        signal_id=uuid7(),
        symbol="EURUSD",
        digits=5,
        direction="sell",
        volume=5,
        position_ticket=9,
        price_open=137_000,
        price_close=136_900,
        profit_cents=profit_cents,
        balance_cents=1_000_000 + profit_cents,
        reason="horizon",
        opened_at=NOW,
        closed_at=NOW,
    )
    return wrap(event, tenant)


def sample_path(name: str) -> Path:
    return REPOSITORY / "events" / "samples" / MESSAGES[name].service / f"{name}.v1.json"


def sample(name: str, tenant: UUID) -> Envelope:
    """The golden sample of a message, as an event of this tenant."""
    parsed = parse_envelope(name, json.loads(sample_path(name).read_text(encoding="utf-8")))
    return wrap(parsed.data, tenant)


def stored(analytics: Analytics, tenant: UUID) -> dict[str, str]:
    """Data by detail-type; a second row of one would be an error."""
    sql = "SELECT detail_type, data FROM events FINAL WHERE tenant_id = {tenant_id:UUID}"
    rows = analytics.query(tenant, sql)
    assert len({row["detail_type"] for row in rows}) == len(rows)
    return {row["detail_type"]: row["data"] for row in rows}


def trading(tenant: UUID) -> dict[str, Any]:
    event = api_event("GET", "/v1/analytics/trading", principal=principal(tenant))
    status, body = read_answer(api.handler(event, None))
    assert status == 200
    return dict(body)


def test_a_tenant_sees_the_sum_of_its_trades(analytics: Analytics, tenant: UUID) -> None:
    consumer.handler(sqs_event(closed(tenant, 500), closed(tenant, -200)), None)
    result = trading(tenant)
    assert (result["trades"], result["wins"], result["win_rate"]) == (2, 1, 0.5)
    assert result["profit_cents"] == 300


def test_redelivery_counts_no_trade_twice(analytics: Analytics, tenant: UUID) -> None:
    record = sqs_record(closed(tenant, 500))
    for _ in range(3):
        consumer.handler({"Records": [record]}, None)
    assert trading(tenant)["trades"] == 1
    sql = "SELECT count() AS n FROM events FINAL WHERE tenant_id = {tenant_id:UUID}"
    assert analytics.query(tenant, sql) == [{"n": 1}]


def test_another_tenants_trades_are_not_counted(
    analytics: Analytics, tenant: UUID, other_tenant: UUID
) -> None:
    consumer.handler(sqs_event(closed(other_tenant, 900)), None)
    assert trading(tenant) == {
        "trades": 0,
        "wins": 0,
        "win_rate": None,
        "profit_cents": 0,
        "symbols": [],
    }


def test_every_message_with_a_secret_is_known_here() -> None:
    assert set(CARRIERS) == SECRET_CARRIERS


@pytest.mark.parametrize("name", [*CARRIERS, "BarClosed"])
def test_a_message_with_a_secret_or_stored_elsewhere_is_never_stored(
    analytics: Analytics, tenant: UUID, name: str
) -> None:
    message = CARRIERS.get(name)
    envelope = wrap(message, tenant) if message else sample(name, tenant)
    record = sqs_record(envelope)
    answer = consumer.handler({"Records": [record]}, None)
    assert answer["batchItemFailures"] == [{"itemIdentifier": record["messageId"]}]
    assert stored(analytics, tenant) == {}


@pytest.mark.parametrize("name", PERSONAL)
def test_redelivery_of_a_personal_message_keeps_it_once_without_its_personal_fields(
    analytics: Analytics, tenant: UUID, other_tenant: UUID, name: str
) -> None:
    envelope = wrap(PERSONAL[name], tenant)
    record = sqs_record(envelope)
    for _ in range(3):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    kept = json.loads(stored(analytics, tenant)[name])
    given = json.loads(PERSONAL[name].model_dump_json())
    assert kept == {field: v for field, v in given.items() if field not in PERSONAL_FIELDS}
    assert set(given) - set(kept)
    assert stored(analytics, other_tenant) == {}


def test_every_message_but_the_excluded_is_stored(analytics: Analytics, tenant: UUID) -> None:
    names = sorted(set(MESSAGES) - SECRET_CARRIERS - {"BarClosed"})
    with_sample = [name for name in names if sample_path(name).exists()]
    envelopes = [sample(name, tenant) for name in with_sample]
    assert consumer.handler(sqs_event(*envelopes), None) == {"batchItemFailures": []}
    assert sorted(stored(analytics, tenant)) == with_sample


def test_a_platform_event_goes_to_the_nil_tenant(analytics: Analytics) -> None:
    from contracts.database_service import RelayOutbox

    envelope = wrap(RelayOutbox())
    consumer.handler(sqs_event(envelope), None)
    sql = (
        "SELECT count() AS n FROM events WHERE tenant_id = {tenant_id:UUID}"
        " AND event_id = {event_id:UUID}"
    )
    assert analytics.query(NIL, sql, {"event_id": str(envelope.meta.event_id)}) == [{"n": 1}]
