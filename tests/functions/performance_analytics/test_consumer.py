"""Every event is kept once, under its own tenant."""

from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.ids import NIL, uuid7
from contracts.trading_engine import PositionClosed
from contracts.user_management import EmailVerificationRequested
from functions.performance_analytics import api, consumer
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


def test_a_message_with_a_secret_is_never_stored(
    analytics: Analytics, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
    event = EmailVerificationRequested(
        user_id=uuid7(),
        email="a@example.com",
        full_name="A",
        locale="id",
        token="t" * 40,
        expires_at=NOW,
    )
    answer = consumer.handler(sqs_event(wrap(event, tenant)), None)
    assert len(answer["batchItemFailures"]) == 1
    sql = "SELECT count() AS n FROM events WHERE tenant_id = {tenant_id:UUID}"
    assert analytics.query(tenant, sql) == [{"n": 0}]


def test_a_platform_event_goes_to_the_nil_tenant(analytics: Analytics) -> None:
    from contracts.database_service import RelayOutbox

    envelope = wrap(RelayOutbox())
    consumer.handler(sqs_event(envelope), None)
    sql = (
        "SELECT count() AS n FROM events WHERE tenant_id = {tenant_id:UUID}"
        " AND event_id = {event_id:UUID}"
    )
    assert analytics.query(NIL, sql, {"event_id": str(envelope.meta.event_id)}) == [{"n": 1}]
