"""The edge's reports reach the record once, for their own tenant only."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import (
    AccountConfirmed,
    AccountUnlinked,
    OrderDenied,
    OrderFilled,
    PositionClosed,
)
from contracts.user_management import TenantClosed
from functions.trading_engine import api, consumer
from kit.db import Database
from tests.support.builders import (
    NOW,
    api_event,
    principal,
    raw_record,
    read_answer,
    sqs_event,
    sqs_record,
    wrap,
)
from tests.support.publisher import RecordingPublisher

CLOSED = TenantClosed(erase_after=NOW + timedelta(days=30), version=2)
FREE = EntitlementsChanged(
    version=1,
    tier="free",
    symbols=("EURUSD",),
    predictions_per_day=20,
    prediction_delay_s=60,
    live_accounts=0,
    paper_accounts=1,
)


def link(tenant: UUID) -> UUID:
    consumer.handler(sqs_event(wrap(FREE, tenant)), None)
    status, body = read_answer(
        api.handler(
            api_event("POST", "/v1/accounts", body={"mode": "paper"}, principal=principal(tenant)),
            None,
        )
    )
    assert status == 201, body
    return UUID(body["account_id"])


def fill(account_id: UUID) -> OrderFilled:
    return OrderFilled(
        order_id=uuid7(),
        account_id=account_id,
        signal_id=uuid7(),
        symbol="EURUSD",
        digits=5,
        direction="buy",
        volume=10,
        price=137_010,
        stop_loss=136_900,
        take_profit=137_200,
        position_ticket=uuid7().int % 10**9,
        deal_ticket=2,
        filled_at=NOW,
        order_path_us=80.0,
    )


def close(of: OrderFilled) -> PositionClosed:
    return PositionClosed(
        **of.model_dump(
            include={"order_id", "account_id", "signal_id", "symbol", "digits", "direction"}
        ),
        volume=of.volume,
        position_ticket=of.position_ticket,
        price_open=of.price,
        price_close=of.take_profit,
        profit_cents=1_900,
        balance_cents=1_001_900,
        reason="take_profit",
        opened_at=of.filled_at,
        closed_at=of.filled_at + timedelta(minutes=5),
    )


def read_one(database: Database, tenant: UUID) -> dict[str, Any]:
    with database.transaction(tenant) as tx:
        row = tx.fetch_one("SELECT state, version, confirmed_version FROM accounts")
    assert row is not None
    return row


def read(path: str, tenant: UUID, **query: str) -> list[dict[str, Any]]:
    status, body = read_answer(
        api.handler(api_event("GET", path, principal=principal(tenant), query=query or None), None)
    )
    assert status == 200, body
    return list(body["items"])


def test_a_fill_and_a_close_become_an_order_and_a_trade(database: Database, tenant: UUID) -> None:
    filled = fill(link(tenant))
    answer = consumer.handler(sqs_event(wrap(filled, tenant), wrap(close(filled), tenant)), None)
    assert answer == {"batchItemFailures": []}
    assert [o["state"] for o in read("/v1/orders", tenant)] == ["filled"]
    assert read("/v1/positions", tenant) == []
    assert [t["profit_cents"] for t in read("/v1/trades", tenant)] == [1_900]


def test_a_close_that_arrives_before_its_fill_ends_the_same(
    database: Database, tenant: UUID
) -> None:
    filled = fill(link(tenant))
    consumer.handler(sqs_event(wrap(close(filled), tenant), wrap(filled, tenant)), None)
    (trade,) = read("/v1/trades", tenant)
    assert trade["profit_cents"] == 1_900
    assert trade["stop_loss"] == filled.stop_loss
    assert read("/v1/positions", tenant) == []


def test_redelivery_of_a_report_changes_nothing(database: Database, tenant: UUID) -> None:
    filled = fill(link(tenant))
    record = sqs_record(wrap(filled, tenant))
    for _ in range(3):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert len(read("/v1/orders", tenant)) == 1
    assert len(read("/v1/positions", tenant)) == 1


def test_another_event_for_the_same_signal_and_account_is_kept_for_a_human(
    database: Database, tenant: UUID
) -> None:
    filled = fill(link(tenant))
    again = filled.model_copy(update={"order_id": uuid7()})
    consumer.handler(sqs_event(wrap(filled, tenant)), None)
    answer = consumer.handler(sqs_event(wrap(again, tenant)), None)
    assert len(answer["batchItemFailures"]) == 1
    assert len(read("/v1/orders", tenant)) == 1


def test_a_report_on_another_tenants_account_is_refused(
    database: Database, tenant: UUID, other_tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: list[str] = []
    monkeypatch.setattr("kit.consumer._return_at_once", lambda r: returned.append(r["messageId"]))
    account = link(tenant)
    denial = OrderDenied(
        order_id=uuid7(),
        account_id=account,
        signal_id=uuid7(),
        symbol="EURUSD",
        direction="sell",
        reason="kill_switch",
        denied_at=NOW,
    )
    record = sqs_record(wrap(denial, other_tenant))
    answer = consumer.handler({"Records": [record]}, None)
    assert answer["batchItemFailures"] == [{"itemIdentifier": record["messageId"]}]
    assert returned == [record["messageId"]]
    assert read("/v1/orders", other_tenant) == []
    assert read("/v1/orders", tenant) == []


def test_an_unknown_schema_version_fails_alone_and_is_not_read(
    database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
    filled = fill(link(tenant))
    good = sqs_record(wrap(filled, tenant))
    strange = raw_record(good["body"].replace('"schema_version": 1', '"schema_version": 99'))
    answer = consumer.handler({"Records": [strange, good]}, None)
    assert answer["batchItemFailures"] == [{"itemIdentifier": strange["messageId"]}]
    assert len(read("/v1/orders", tenant)) == 1


def test_an_older_entitlement_never_replaces_a_newer_one(database: Database, tenant: UUID) -> None:
    newer = FREE.model_copy(update={"version": 5, "paper_accounts": 3})
    consumer.handler(sqs_event(wrap(newer, tenant), wrap(FREE, tenant)), None)
    with database.transaction(tenant) as tx:
        row = tx.fetch_one("SELECT version, paper_accounts FROM entitlements")
    assert row == {"version": 5, "paper_accounts": 3}


def many(tenant: UUID, accounts: int) -> list[UUID]:
    """Link this many accounts."""
    plan = FREE.model_copy(update={"version": 7, "paper_accounts": accounts})
    consumer.handler(sqs_event(wrap(plan, tenant)), None)
    return [link(tenant) for _ in range(accounts)]


def try_link(tenant: UUID) -> tuple[int, str]:
    event = api_event("POST", "/v1/accounts", body={"mode": "paper"}, principal=principal(tenant))
    status, body = read_answer(api.handler(event, None))
    return status, str(body.get("code"))


def test_a_closed_tenants_accounts_are_all_unlinked_and_none_is_linked_again(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    accounts = many(tenant, 3)
    assert consumer.handler(sqs_event(wrap(CLOSED, tenant)), None) == {"batchItemFailures": []}
    unlinked = published.envelopes(AccountUnlinked)
    assert {e.data.account_id for e in unlinked} == set(accounts)
    assert {(e.meta.tenant_id, e.data.version) for e in unlinked} == {(tenant, 2)}
    assert read("/v1/accounts", tenant) == []
    assert try_link(tenant) == (409, "tenant_closed")
    audited = [r for r in published.messages(AuditRecorded) if r.action == "account.unlinked"]
    assert [(r.actor_kind, r.detail["reason"]) for r in audited] == [
        ("system", "tenant_closed")
    ] * 3


def test_redelivery_of_a_closure_unlinks_once(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    many(tenant, 2)
    record = sqs_record(wrap(CLOSED, tenant))
    for _ in range(3):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    consumer.handler(sqs_event(wrap(CLOSED, tenant)), None)  # another event that says the same
    assert len(published.messages(AccountUnlinked)) == 2


def test_a_closure_touches_no_other_tenants_accounts(
    database: Database, tenant: UUID, other_tenant: UUID, published: RecordingPublisher
) -> None:
    many(tenant, 2)
    many(other_tenant, 1)
    consumer.handler(sqs_event(wrap(CLOSED, other_tenant)), None)
    assert len(read("/v1/accounts", tenant)) == 2
    assert len(published.messages(AccountUnlinked)) == 1
    assert try_link(tenant)[1] == "account_limit_reached"


def test_a_closure_that_comes_before_the_plan_still_refuses_accounts(
    database: Database, tenant: UUID
) -> None:
    """Queues deliver out of order."""
    consumer.handler(sqs_event(wrap(CLOSED, tenant), wrap(FREE, tenant)), None)
    assert try_link(tenant) == (409, "tenant_closed")


def test_a_closure_without_a_tenant_is_kept_for_a_human(database: Database) -> None:
    assert len(consumer.handler(sqs_event(wrap(CLOSED)), None)["batchItemFailures"]) == 1


def test_a_position_of_a_closed_tenant_is_still_recorded_when_it_ends(
    database: Database, tenant: UUID
) -> None:
    filled = fill(link(tenant))
    consumer.handler(sqs_event(wrap(filled, tenant), wrap(CLOSED, tenant)), None)
    consumer.handler(sqs_event(wrap(close(filled), tenant)), None)
    assert [t["profit_cents"] for t in read("/v1/trades", tenant)] == [1_900]


def test_the_edges_word_on_an_account_is_kept_and_the_highest_version_stands(
    database: Database, tenant: UUID
) -> None:
    account_id = link(tenant)
    [before] = read("/v1/accounts", tenant)
    assert before["confirmed"] is False
    for version in (1, 3, 2):
        told = AccountConfirmed(account_id=account_id, version=version, active=True)
        record = sqs_record(wrap(told, tenant))
        for _ in range(2):
            assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    [after] = read("/v1/accounts", tenant)
    assert after["confirmed"] is True
    assert read_one(database, tenant)["confirmed_version"] == 3


def test_a_confirmation_of_another_tenant_changes_nothing(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    told = AccountConfirmed(account_id=link(tenant), version=9, active=False)
    consumer.handler(sqs_event(wrap(told, other_tenant)), None)
    assert read_one(database, tenant)["confirmed_version"] == 0
