"""Positions end once, for the right reason; lost answers are settled by the broker's books."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.trading_engine import (
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PredictionDelivered,
)
from edge_bridge.engine.models import IllegalTransition, Order, read_value
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.ports import OrderRequest, SendResult
from tests.edge_bridge.cloud import link_account
from tests.edge_bridge.desk_kit import ASK, BID, Edge


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant()
    yield edge
    edge.close()


def closes(edge: Edge) -> list[PositionClosed]:
    found: list[PositionClosed] = edge.said(PositionClosed)
    return found


@pytest.mark.parametrize(
    ("bid", "reason", "price", "profit"),
    [
        (ASK - 200, "stop_loss", ASK - 200, -5_000),
        (ASK + 310, "take_profit", ASK + 310, 7_750),
    ],
)
def test_a_stop_or_target_at_the_terminal_is_reported_once(
    edge: Edge, bid: int, reason: str, price: int, profit: int
) -> None:
    edge.give(edge.signal())
    edge.tick(bid)
    edge.tick()
    (closed,) = closes(edge)
    assert (closed.reason, closed.price_close, closed.profit_cents) == (reason, price, profit)
    assert closed.balance_cents == 1_000_000 + profit
    assert closed.opened_at <= closed.closed_at
    edge.reopen()
    assert len(closes(edge)) == 1


def test_a_position_closes_at_its_horizon(edge: Edge) -> None:
    edge.give(edge.signal(horizon_s=300))
    edge.tick(after_s=299)
    assert closes(edge) == []
    edge.tick(BID + 20, after_s=1)
    (closed,) = closes(edge)
    assert (closed.reason, closed.price_close) == ("horizon", BID + 20)
    assert edge.engine.next_due_ns() > edge.now_ns


def test_a_horizon_that_passed_while_we_were_down_is_kept_at_the_next_start(edge: Edge) -> None:
    edge.give(edge.signal(horizon_s=300))
    edge.now_ns += 400 * 1_000_000_000
    edge.reopen()
    assert [event.reason for event in closes(edge)] == ["horizon"]


def test_a_stop_hit_while_we_were_down_is_reported_at_the_next_start(edge: Edge) -> None:
    edge.give(edge.signal())
    edge.ticks += 1
    edge.simulated().feed_tick(edge.ticks, edge.now_ns + 1, ASK - 250, ASK - 240, "EURUSD")
    edge.reopen()
    assert [event.reason for event in closes(edge)] == ["stop_loss"]


def test_a_refused_close_is_tried_again(edge: Edge) -> None:
    edge.give(edge.signal(horizon_s=60))
    edge.simulated().faults.reject_next()
    edge.tick(after_s=60)
    assert closes(edge) == []
    edge.tick(after_s=1)
    assert [event.reason for event in closes(edge)] == ["horizon"]


def test_why_a_refused_close_was_asked_for_is_remembered_through_a_restart(edge: Edge) -> None:
    edge.give(edge.signal())
    edge.simulated().faults.reject_next()
    edge.engine.end_market(edge.now_ns)
    assert closes(edge) == []
    assert edge.engine.digest() == edge.reload().digest()
    edge.reopen()
    edge.tick(after_s=2)
    assert [event.reason for event in closes(edge)] == ["manual"]


def test_a_position_closed_by_hand_is_manual(edge: Edge) -> None:
    edge.give(edge.signal())
    desk = next(iter(edge.engine.state.desks.values()))
    desk.terminal.close_position(desk.terminal.positions()[0])
    edge.tick()
    assert [event.reason for event in closes(edge)] == ["manual"]


def test_after_a_stop_loss_the_symbol_rests(edge: Edge) -> None:
    edge.give(edge.signal())
    edge.tick(ASK - 200)
    edge.reopen()
    edge.give(edge.signal())
    edge.tick(after_s=60)
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["cooldown"]
    assert len(edge.said(OrderFilled)) == 2


def test_a_days_loss_halts_the_account_until_its_next_day(edge: Edge) -> None:
    edge.add_tenant(2, account=link_account(2, max_daily_loss_bp=40))
    edge.give(edge.signal())
    edge.tick(ASK - 200)
    edge.tick(after_s=61)
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["daily_loss_limit"]
    edge.tick(after_s=24 * 3_600)
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["daily_loss_limit"]


def test_a_drawdown_flattens_the_account_and_stays_until_resumed(tmp_path: Path) -> None:
    edge = Edge(tmp_path, limits=RiskLimits(drawdown_max_bp=30))
    edge.tick()
    edge.add_tenant()
    edge.give(edge.signal())
    edge.tick(ASK - 130)
    assert [event.reason for event in closes(edge)] == ["kill_switch"]
    edge.reopen()
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["drawdown_limit"]
    edge.engine.resume(link_account(1).account_id)
    edge.tick()
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 2
    edge.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_settled_by_the_brokers_books_and_never_sent_again(
    edge: Edge, when: Any
) -> None:
    edge.simulated().faults.kill_pipe_next(when)
    edge.give(edge.signal())
    assert edge.engine.pending() > 0
    assert edge.said(OrderFilled) + edge.said(OrderRejected) == []
    edge.tick()
    edge.give(edge.signal())
    first = edge.said(OrderFilled if when == "after" else OrderRejected)[0]
    if when == "before":
        assert first.reason == "not_executed"
    assert len(edge.said(OrderFilled)) == (2 if when == "after" else 1)
    assert len(edge.said(PredictionDelivered)) == 2
    entries = [d for d in _deals(edge) if d.entry == "in"]
    assert len(entries) == len(edge.said(OrderFilled))


def test_while_an_outcome_is_open_the_account_does_not_trade(tmp_path: Path) -> None:
    edge = Edge(tmp_path, grace=timedelta(seconds=30))
    edge.tick()
    edge.add_tenant()
    edge.simulated().faults.kill_pipe_next("before")
    edge.give(edge.signal())
    edge.tick()
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["reconciliation_pending"]
    edge.clock.advance(seconds=31)
    edge.tick()
    edge.give(edge.signal())
    assert len(edge.said(OrderRejected)) == 1
    assert len(edge.said(OrderFilled)) == 1
    edge.close()


def test_a_position_that_is_not_ours_holds_trading_until_it_is_gone(edge: Edge) -> None:
    desk = next(iter(edge.engine.state.desks.values()))
    desk.terminal.send(OrderRequest("hand", "EURUSD", "buy", 10))
    edge.reopen()
    edge.give(edge.signal())
    desk = next(iter(edge.engine.state.desks.values()))
    desk.terminal.close_position(desk.terminal.positions()[0])
    edge.tick()
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["reconciliation_pending"]
    assert len(edge.said(OrderFilled)) == 1


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("accounts", [1, 3])
def test_killed_around_a_send_every_account_is_answered_for_once(
    edge: Edge, sent: bool, accounts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2, accounts + 1):
        edge.add_tenant(number)
    desks = list(edge.engine.state.desks.values())
    victim = desks[len(desks) // 2].terminal
    really_send = victim.send

    def die(request: OrderRequest) -> SendResult:
        if sent:
            really_send(request)
        raise Killed

    monkeypatch.setattr(victim, "send", die)
    signal = edge.signal()
    with pytest.raises(Killed):
        edge.give(signal)
    edge.reopen()
    edge.tick()
    edge.tick()
    outcomes = edge.said(OrderFilled) + edge.said(OrderRejected)
    assert len({event.account_id for event in outcomes}) == len(outcomes) == accounts
    assert len(edge.said(PredictionDelivered)) == accounts
    assert len([d for d in _deals(edge) if d.entry == "in"]) == len(edge.said(OrderFilled))
    assert edge.journal.read_inbox() == []
    assert edge.engine.pending() == 0


def _deals(edge: Edge) -> list[Any]:
    return [
        deal for desk in edge.engine.state.desks.values() for deal in desk.terminal.deals_since(1)
    ]


def test_an_order_cannot_skip_or_repeat_a_state(edge: Edge) -> None:
    edge.give(edge.signal())
    (text,) = edge.journal.load("order").values()
    order = read_value(Order, text)
    assert order.move("closed").state == "closed"
    for state in ("intended", "unknown", "rejected", "filled"):
        with pytest.raises(IllegalTransition):
            order.move(state)  # type: ignore[arg-type]
