"""What the edge tells of positions and accounts is kept once, in any order, for its own tenant."""

import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.trading_engine import (
    AccountHealthChanged,
    OrderFilled,
    PositionClosed,
    PositionReduced,
    ReconciliationDiffered,
    ReconciliationResolved,
    StopsMoved,
)
from functions.trading_engine import consumer
from kit.db import Database
from tests.functions.trading_engine.desk import call, link_paper, tell
from tests.support.builders import NOW, sqs_event, sqs_record, wrap

pytestmark = pytest.mark.usefixtures("database")


def at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def fill(account_id: UUID) -> OrderFilled:
    return OrderFilled(
        order_id=uuid7(), account_id=account_id, signal_id=uuid7(), symbol="EURUSD", digits=5,
        direction="buy", volume=30, price=137_010, stop_loss=136_900, take_profit=137_200,
        position_ticket=uuid7().int % 10**9, deal_ticket=2, filled_at=NOW, order_path_us=80.0,
    )  # fmt: skip


def reduce(of: OrderFilled, deal: int, left: int, profit: int) -> PositionReduced:
    return PositionReduced(
        order_id=of.order_id, account_id=of.account_id, symbol=of.symbol, deal_ticket=deal,
        volume_closed=10, volume_left=left, price=137_100, profit_cents=profit,
        reduced_at=at(deal),
    )  # fmt: skip


def move(of: OrderFilled, minutes: int, stop: int, target: int = 137_200) -> StopsMoved:
    return StopsMoved(
        order_id=of.order_id, account_id=of.account_id, symbol=of.symbol, stop_loss=stop,
        take_profit=target, reason="trailing", moved_at=at(minutes),
    )  # fmt: skip


def close(of: OrderFilled, volume: int) -> PositionClosed:
    return PositionClosed(
        **of.model_dump(
            include={"order_id", "account_id", "signal_id", "symbol", "digits", "direction"}
        ),
        volume=volume, position_ticket=of.position_ticket, price_open=of.price,
        price_close=137_050, profit_cents=400, balance_cents=1_002_400, reason="time_exit",
        opened_at=of.filled_at, closed_at=at(30),
    )  # fmt: skip


def read(path: str, tenant: UUID) -> list[dict[str, Any]]:
    status, body = call("GET", path, tenant)
    assert status == 200, body
    return list(body["items"])


def read_account(tenant: UUID) -> dict[str, Any]:
    [account] = read("/v1/accounts", tenant)
    return account


@pytest.mark.parametrize("order", itertools.permutations(range(4)))
def test_a_positions_parts_and_stops_are_the_same_in_whatever_order_they_come(
    tenant: UUID, order: tuple[int, ...]
) -> None:
    filled = fill(link_paper(tenant))
    messages: list[Message] = [
        reduce(filled, 5, 20, 900), reduce(filled, 6, 10, 1_100),
        move(filled, 7, 137_020), move(filled, 8, 137_060, 0),
    ]  # fmt: skip
    shuffled: list[Message] = [messages[n] for n in order]
    shuffled.insert(order[0], filled)
    assert all(tell(message, tenant) for message in shuffled)
    [position] = read("/v1/positions", tenant)
    assert (position["volume"], position["volume_left"]) == (30, 10)
    assert (position["stop_loss"], position["take_profit"]) == (137_060, None)
    assert (position["profit_cents"], position["realised_cents"]) == (None, 2_000)


@pytest.mark.parametrize("order", itertools.permutations(range(4)))
def test_a_trade_has_earned_what_its_end_tells_and_its_parts_are_not_added(
    tenant: UUID, order: tuple[int, ...]
) -> None:
    filled = fill(link_paper(tenant))
    messages: list[Message] = [
        filled, reduce(filled, 5, 20, 900), reduce(filled, 6, 10, 1_100), close(filled, 30),
    ]  # fmt: skip
    for n in (*order, *order):
        assert tell(messages[n], tenant)
    assert read("/v1/positions", tenant) == []
    [trade] = read("/v1/trades", tenant)
    assert (trade["profit_cents"], trade["realised_cents"]) == (400, 400)
    assert (trade["volume"], trade["volume_left"], trade["close_reason"]) == (30, 0, "time_exit")


@pytest.mark.parametrize("order", itertools.permutations(range(2)))
def test_the_volume_of_a_trade_is_what_its_end_tells(tenant: UUID, order: tuple[int, ...]) -> None:
    """More was executed than the answer said: the edge found it in the broker's deals."""
    filled = fill(link_paper(tenant))
    messages: list[Message] = [filled, close(filled, 40)]
    for n in (*order, *order):
        assert tell(messages[n], tenant)
    [trade] = read("/v1/trades", tenant)
    assert (trade["volume"], trade["stop_loss"]) == (40, filled.stop_loss)


def test_redelivery_and_the_same_deal_under_another_event_count_once(tenant: UUID) -> None:
    filled = fill(link_paper(tenant))
    part = reduce(filled, 5, 20, 900)
    records = [sqs_record(wrap(message, tenant)) for message in (filled, part, move(filled, 1, 7))]
    for _ in range(3):
        assert consumer.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert tell(part, tenant)
    [position] = read("/v1/positions", tenant)
    assert (position["realised_cents"], position["stop_loss"]) == (900, 7)


def health(account_id: UUID, minutes: int, state: Any, reason: str) -> AccountHealthChanged:
    return AccountHealthChanged(
        account_id=account_id, health=state, reason=reason, restarts=minutes,
        changed_at=at(minutes),
    )  # fmt: skip


def test_an_accounts_health_is_the_newest_that_was_told(tenant: UUID) -> None:
    account_id = link_paper(tenant)
    before = read_account(tenant)
    assert (before["health"], before["held"], before["latched"]) == (None, False, False)
    for minutes, state, reason in (
        (3, "circuit_open", "failed 5 times in a row: wrong password"),
        (1, "connected", ""),
        (2, "hung", "no heartbeat for 10 s"),
    ):
        assert tell(health(account_id, minutes, state, reason), tenant)
    after = read_account(tenant)
    assert (after["health"], after["restarts"]) == ("circuit_open", 3)
    assert after["health_reason"] == "failed 5 times in a row: wrong password"
    assert datetime.fromisoformat(after["health_since"]) == at(3)


def test_an_account_is_held_from_a_difference_to_its_resolution_whatever_comes_first(
    tenant: UUID,
) -> None:
    account_id = link_paper(tenant)

    def differ(minutes: int) -> ReconciliationDiffered:
        return ReconciliationDiffered(
            account_id=account_id, kind="external_position", position_ticket=9, symbol="EURUSD",
            volume=10, seen_at=at(minutes),
        )  # fmt: skip

    steps: list[tuple[Message, bool]] = [
        (differ(1), True),
        (ReconciliationResolved(account_id=account_id, resolved_at=at(3)), False),
        (differ(2), False),
        (differ(4), True),
        (ReconciliationResolved(account_id=account_id, resolved_at=at(2)), True),
        (ReconciliationResolved(account_id=account_id, resolved_at=at(4)), False),
    ]
    for message, held in steps:
        for _ in range(2):
            assert tell(message, tenant)
        account = read_account(tenant)
        assert account["held"] is held
        assert account["held_reason"] == ("external_position" if held else None)


def test_reports_on_another_tenants_account_are_kept_for_a_human(
    tenant: UUID, other_tenant: UUID
) -> None:
    filled = fill(link_paper(tenant))
    tell(filled, tenant)
    before = (read_account(tenant), read("/v1/positions", tenant))
    account_id = filled.account_id
    foreign: list[Message] = [
        reduce(filled, 5, 20, 900),
        move(filled, 5, 1),
        health(account_id, 1, "stopped", ""),
        ReconciliationDiffered(account_id=account_id, kind="stops_differ", seen_at=NOW),
        ReconciliationResolved(account_id=account_id, resolved_at=NOW),
    ]
    answer = consumer.handler(sqs_event(*(wrap(m, other_tenant) for m in foreign)), None)
    assert len(answer["batchItemFailures"]) == len(foreign)
    assert (read_account(tenant), read("/v1/positions", tenant)) == before


def test_a_part_of_an_unknown_order_waits_for_its_fill(database: Database, tenant: UUID) -> None:
    """Queues deliver in any order: the part is kept, and shown when the fill comes."""
    filled = fill(link_paper(tenant))
    assert tell(reduce(filled, 5, 20, 900), tenant)
    assert read("/v1/positions", tenant) == []
    assert tell(filled, tenant)
    assert read("/v1/positions", tenant)[0]["volume_left"] == 20
