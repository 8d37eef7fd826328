"""Stops only tighten, keep their distance and their pace; a part is closed once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.trading_engine import (
    OrderFilled,
    PositionClosed,
    PositionReduced,
    StopsMoved,
    TradingLimitsChanged,
)
from contracts.trading_limits import ExitPlan, TradingLimits
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.stops import is_frozen, plan_part, plan_stop
from edge_bridge.ports import Instrument, Position, Quote
from tests.edge_bridge.desk_kit import ASK, BID, Edge
from tests.edge_bridge.test_sending import LateEdge


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    yield edge
    edge.close()


def set_plan(edge: Edge, tenant: UUID, version: int = 1, **plan: int) -> None:
    limits = TradingLimits(exits=ExitPlan(**plan))
    edge.give(TradingLimitsChanged(account_id=None, version=version, limits=limits), tenant)


def open_position(edge: Edge, direction: str = "buy", **plan: int) -> Desk:
    tenant = edge.add_tenant()
    set_plan(edge, tenant, **plan)
    edge.give(edge.signal(direction=direction, target_distance=2_000, horizon_s=90_000))
    assert len(edge.said(OrderFilled)) == 1
    return edge.desk()


def stops(edge: Edge) -> list[tuple[int, str]]:
    return [(event.stop_loss, event.reason) for event in edge.said(StopsMoved)]


def test_a_trailing_stop_follows_a_buy_and_never_goes_back(edge: Edge) -> None:
    desk = open_position(edge, trailing_start=50, trailing_distance=100, trailing_step=10)
    edge.tick(ASK + 49)
    assert stops(edge) == []
    edge.tick(ASK + 60)
    edge.tick(ASK + 65)  # less than a step
    edge.tick(ASK + 20)
    edge.tick(ASK + 80)
    assert stops(edge) == [(ASK - 40, "trailing"), (ASK - 20, "trailing")]
    assert desk.terminal.positions()[0].take_profit == ASK + 2_000
    edge.reopen()
    edge.tick(ASK + 80)
    assert len(stops(edge)) == 2
    edge.tick(ASK - 25)
    assert [event.reason for event in edge.said(PositionClosed)] == ["stop_loss"]


def test_a_trailing_stop_follows_a_sell(edge: Edge) -> None:
    open_position(edge, "sell", trailing_start=50, trailing_distance=100)
    edge.tick(BID - 80)  # ask is ten above
    assert stops(edge) == [(BID - 70 + 100, "trailing")]


def test_break_even_comes_once_and_trailing_goes_on_from_there(edge: Edge) -> None:
    open_position(
        edge, break_even_at=40, break_even_offset=5, trailing_start=150, trailing_distance=100
    )
    edge.tick(ASK + 45)
    edge.tick(ASK + 60)
    assert stops(edge) == [(ASK + 5, "break_even")]
    edge.tick(ASK + 150)
    assert stops(edge)[1:] == [(ASK + 50, "trailing")]


def test_stops_move_at_most_once_a_second_of_market_time(edge: Edge) -> None:
    open_position(edge, trailing_distance=100, trailing_step=1)
    for step in range(10):
        edge.tick(ASK + 100 + 10 * step, after_s=0.2)
    assert len(stops(edge)) == 2


def test_a_refused_move_is_tried_again_ever_later_and_then_given_up(edge: Edge) -> None:
    open_position(edge, trailing_distance=100, trailing_step=10)
    edge.simulated().faults.reject_next(count=5)
    sends = edge.simulated().faults
    for _ in range(200):
        edge.tick(ASK + 100)
    assert stops(edge) == []
    assert not sends._next  # five tries, the pauses between them doubling
    before = sends._sends
    edge.tick(ASK + 105)
    assert sends._sends == before  # not a step better: not worth another refusal
    edge.tick(ASK + 120)
    assert stops(edge) == [(ASK + 20, "trailing")]


def test_stops_moved_by_hand_are_told_as_external(edge: Edge) -> None:
    desk = open_position(edge)
    (position,) = desk.terminal.positions()
    desk.terminal.move_stops(position, ASK - 300, ASK + 900)
    edge.tick()
    edge.tick()
    (moved,) = edge.said(StopsMoved)
    assert (moved.stop_loss, moved.take_profit, moved.reason) == (ASK - 300, ASK + 900, "external")
    assert edge.engine.digest() == edge.reload().digest()


def test_a_part_is_closed_once_and_told_with_what_is_left(edge: Edge) -> None:
    open_position(edge, partial_close_at=100, partial_close_bp=4_000)
    edge.tick(ASK + 100)
    edge.tick(ASK + 120)
    (reduced,) = edge.said(PositionReduced)
    assert (reduced.volume_closed, reduced.volume_left) == (10, 15)
    assert (reduced.price, reduced.profit_cents) == (ASK + 100, 1_000)
    edge.reopen()
    edge.tick(ASK + 150)
    assert len(edge.said(PositionReduced)) == 1
    edge.engine.end_market(edge.now_ns)
    (closed,) = edge.said(PositionClosed)
    assert (closed.volume, closed.profit_cents) == (25, 1_000 + 15 * 150)


@pytest.mark.parametrize("seen", [True, False])
def test_a_close_tells_the_whole_profit_as_the_brokers_deals_add_up(
    tmp_path: Path, seen: bool
) -> None:
    """Parts and costs of opening included, whether or not the parts were seen before the end."""
    edge = Edge(tmp_path)
    edge.floor._symbol = replace(edge.floor._symbol, commission_per_lot=700)
    edge.tick()
    desk = open_position(edge, partial_close_at=100, partial_close_bp=4_000)
    edge.tick(ASK + 100)
    edge.tick(ASK + 50)
    desk.terminal.close_position(desk.terminal.positions()[0], volume=5)
    if seen:
        edge.tick(ASK + 50)
    desk.terminal.close_position(desk.terminal.positions()[0])
    edge.tick(ASK - 30)
    (closed,) = edge.said(PositionClosed)
    deals = desk.terminal.deals_since(1)
    own = [deal for deal in deals if deal.position == closed.position_ticket]
    exits = [deal for deal in own if deal.entry == "out"]
    assert [deal.volume for deal in exits] == [10, 5, 10]
    assert all(deal.commission < 0 for deal in own)
    assert closed.profit_cents == sum(d.profit + d.commission + d.swap for d in own)
    assert closed.balance_cents == 1_000_000 + closed.profit_cents
    assert closed.volume == sum(deal.volume for deal in exits) == 25
    parts = [part.profit_cents for part in edge.said(PositionReduced)]
    assert parts == [d.profit + d.commission + d.swap for d in exits[: 2 if seen else 1]]
    edge.close()


def test_a_refused_part_is_asked_for_again(edge: Edge) -> None:
    open_position(edge, partial_close_at=100)
    edge.simulated().faults.reject_next()
    edge.tick(ASK + 100)
    assert edge.said(PositionReduced) == []
    edge.tick(ASK + 100)
    assert [event.volume_closed for event in edge.said(PositionReduced)] == [12]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_part_whose_answer_is_lost_is_never_asked_for_twice(edge: Edge, when: Any) -> None:
    open_position(edge, partial_close_at=100)
    edge.simulated().faults.kill_pipe_next(when)
    for _ in range(5):
        edge.tick(ASK + 100, after_s=20)
    edge.reopen()
    edge.tick(ASK + 110)
    assert len(edge.said(PositionReduced)) == (1 if when == "after" else 0)
    assert edge.desk().terminal.positions()[0].volume == (13 if when == "after" else 25)


def test_nothing_else_touches_a_position_while_a_request_flies(tmp_path: Path) -> None:
    edge = LateEdge(tmp_path)
    edge.tick()
    tenant = edge.add_tenant()
    set_plan(edge, tenant, partial_close_at=100, trailing_distance=50)
    edge.give(edge.signal(horizon_s=600, target_distance=2_000))
    edge.late[0].answer()
    edge.tick(ASK + 100)
    edge.tick(ASK + 130)
    edge.tick(after_s=600)  # its horizon has come, but the part is still on its way
    assert len(edge.late[0].handed) == 2
    edge.late[0].answer()
    edge.tick()
    edge.late[0].answer()
    edge.tick()
    assert len(edge.said(PositionReduced)) == 1
    assert [event.volume for event in edge.said(PositionClosed)] == [25]
    edge.close()


def test_a_part_closed_by_hand_is_told(edge: Edge) -> None:
    desk = open_position(edge)
    desk.terminal.close_position(desk.terminal.positions()[0], volume=5)
    edge.tick()
    edge.tick()
    assert [e.volume_left for e in edge.said(PositionReduced)] == [20]
    assert edge.engine.state.differences.open.get(desk.account.account_id, {}) == {}


def test_a_time_exit_comes_before_the_horizon(edge: Edge) -> None:
    open_position(edge, time_exit_s=120)
    due_ns = edge.engine.next_due_ns()
    edge.tick(after_s=119)
    assert edge.said(PositionClosed) == []
    edge.tick(after_s=1)
    assert [event.reason for event in edge.said(PositionClosed)] == ["time_exit"]
    assert due_ns == edge.now_ns


POINTS = st.integers(0, 500)
PLANS = st.builds(
    ExitPlan,
    trailing_start=POINTS, trailing_distance=POINTS, trailing_step=st.integers(1, 50),
    break_even_at=POINTS, break_even_offset=st.integers(0, 50), partial_close_at=POINTS,
    partial_close_bp=st.integers(1, 9_999),
)  # fmt: skip


def make_position(side: Any, stop: int, volume: int = 25) -> Position:
    return Position(1, 1, "EURUSD", side, volume, BID, stop, 0, 1, 7, "", 0, 0)


def make_rules(level: int, tick: int = 1, step: int = 1) -> Instrument:
    rules: Any = dict.fromkeys(Instrument.__slots__, 1)
    values = {"stops_level": level, "tick_size": tick, "volume_min": step, "volume_step": step}
    return Instrument(**{**rules, **values})


@given(
    side=st.sampled_from(("buy", "sell")), plan=PLANS, rules=st.builds(
        make_rules, st.integers(0, 60), st.sampled_from((1, 5))
    ), stop_away=st.one_of(st.none(), st.integers(-300, 300)),
    moves=st.lists(st.integers(-600, 600), min_size=1, max_size=12),
)  # fmt: skip
def test_a_planned_stop_is_tighter_and_far_enough_from_the_price(
    side: Any, plan: ExitPlan, rules: Instrument, stop_away: int | None, moves: list[int]
) -> None:
    sign = 1 if side == "buy" else -1
    stop = 0 if stop_away is None else BID + stop_away
    for move in moves:
        quote = Quote("EURUSD", BID + move, BID + move + 3, 1)
        price = quote.bid if side == "buy" else quote.ask
        planned = plan_stop(make_position(side, stop), quote, plan, rules)
        if planned is None:
            continue
        assert sign * (price - planned.stop_loss) >= max(1, rules.stops_level)
        assert planned.stop_loss % rules.tick_size == 0
        if stop:
            assert sign * (planned.stop_loss - stop) > 0
        stop = planned.stop_loss


@given(plan=PLANS, volume=st.integers(1, 300), step=st.sampled_from((1, 10)), up=POINTS)
def test_a_part_leaves_and_is_a_tradable_volume(
    plan: ExitPlan, volume: int, step: int, up: int
) -> None:
    position = make_position("buy", 0, volume)
    part = plan_part(position, Quote("EURUSD", BID + up, BID + up, 1), plan, make_rules(0, 1, step))
    if part:
        assert part % step == 0
        assert part >= step
        assert volume - part >= step
        assert up >= plan.partial_close_at > 0


def test_near_its_stop_or_target_a_position_is_frozen() -> None:
    position = make_position("buy", BID - 20)
    assert is_frozen(position, Quote("EURUSD", BID - 15, BID, 1), 5)
    assert not is_frozen(position, Quote("EURUSD", BID - 14, BID, 1), 5)
    assert not is_frozen(position, Quote("EURUSD", BID - 20, BID, 1), 0)
