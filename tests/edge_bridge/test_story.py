"""Any story of signals, prices, faults and restarts ends with every signal answered once."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.trading_engine import (
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PredictionDelivered,
)
from edge_bridge.engine.deals import sum_deals
from edge_bridge.engine.models import Order, read_value
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.engine.sending import record_answer
from edge_bridge.ports import Done, Rejected, Unknown
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.desk_kit import BID, Edge
from tests.edge_bridge.test_sending import LateEdge

ACCOUNTS = 3
LIMITS = RiskLimits(cooldown_ns=0, orders_per_minute_max=1_000)
ACTIONS = st.one_of(
    st.tuples(st.just("tick"), st.integers(-400, 400), st.sampled_from((0.5, 20.0, 70.0))),
    st.tuples(st.just("signal"), st.sampled_from(("buy", "sell")), st.sampled_from((60, 600))),
    st.tuples(st.just("again")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("lose"), st.integers(0, ACCOUNTS - 1), st.sampled_from(("before", "after"))),
    st.tuples(st.just("refuse"), st.integers(0, ACCOUNTS - 1)),
)


def act(edge: Edge, action: tuple[Any, ...], signals: list[Any]) -> None:
    match action:
        case ("tick", move, after_s):
            edge.tick(BID + move, after_s=after_s)
        case ("signal", direction, horizon_s):
            signals.append(edge.signal(direction=direction, horizon_s=horizon_s))
            edge.give(signals[-1])
        case ("again",):
            if signals:
                edge.give(signals[-1])
        case ("restart",):
            edge.reopen()
        case ("lose", number, when):
            edge.simulated(number).faults.kill_pipe_next(when)
        case ("refuse", number):
            edge.simulated(number).faults.reject_next()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=st.lists(ACTIONS, max_size=40))
def test_every_signal_has_one_outcome_an_account_and_every_fill_one_close(
    actions: list[tuple[Any, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        edge = Edge(Path(folder), limits=LIMITS)
        edge.tick()
        edge.add_tenant(1)
        edge.add_tenant(2, plan=entitle(predictions_per_day=3))
        edge.add_tenant(3, plan=entitle(prediction_delay_s=60),
                        account=link_account(3, max_open_positions=1))  # fmt: skip
        signals: list[Any] = []
        for action in actions:
            act(edge, action, signals)
        for simulated in edge.floor.terminals:
            simulated.faults.reject_every(0)
        for _ in range(4):  # lost pipes come back, late closes are tried again
            edge.tick(after_s=30)
        edge.engine.end_market(edge.now_ns)
        for _ in range(len(actions) + 2):  # a close may be refused as often as the story said
            edge.tick()
        check(edge, len(signals))
        edge.close()


LATE_ACTIONS = st.one_of(
    st.tuples(st.just("tick"), st.integers(-400, 400), st.sampled_from((0.5, 20.0, 70.0))),
    st.tuples(st.just("signal"), st.sampled_from(("buy", "sell")), st.sampled_from((60, 600))),
    st.tuples(st.just("again")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("answer"), st.integers(0, ACCOUNTS - 1), st.integers(1, 3)),
    st.tuples(st.just("silence"), st.integers(0, ACCOUNTS - 1)),
    st.tuples(st.just("eager"), st.integers(0, ACCOUNTS - 1), st.booleans()),
    st.tuples(st.just("refuse"), st.integers(0, ACCOUNTS - 1)),
)


def act_late(edge: LateEdge, action: tuple[Any, ...], signals: list[Any]) -> None:
    terminals = edge.late[-ACCOUNTS:]  # the newest process's own
    match action:
        case ("answer", number, count):
            terminals[number].answer(count)
            edge.engine.collect_answers()
        case ("silence", number):  # whatever it was asked, it never answers
            terminals[number].lose()
            for other in terminals:
                other.answer()
            edge.clock.advance(seconds=11)
            edge.tick()
        case ("eager", number, eager):
            terminals[number].eager = eager
        case _:
            act(edge, action, signals)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=st.lists(LATE_ACTIONS, max_size=30))
def test_with_answers_that_come_late_or_never_it_is_the_same(
    actions: list[tuple[Any, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        edge = LateEdge(Path(folder), limits=LIMITS)
        edge.tick()
        for number in range(1, ACCOUNTS + 1):
            edge.add_tenant(number)
        signals: list[Any] = []
        for action in actions:
            act_late(edge, action, signals)
        for _ in range(len(actions) + 8):  # closes take their turns, refusals their pauses
            for late in edge.late[-ACCOUNTS:]:
                late.answer()
            edge.clock.advance(seconds=1)
            edge.tick(after_s=61)
        edge.engine.end_market(edge.now_ns)
        for _ in range(4):
            for late in edge.late[-ACCOUNTS:]:
                late.answer()
            edge.tick(after_s=61)
        check(edge, len(signals))
        assert edge.engine.digest() == edge.reload().digest()
        edge.close()


def check(edge: Edge, signals: int) -> None:
    fills, closes = edge.said(OrderFilled), edge.said(PositionClosed)
    outcomes = fills + edge.said(OrderRejected) + edge.said(OrderDenied)
    keys = [(event.signal_id, event.account_id) for event in outcomes]
    assert len(set(keys)) == len(keys) == signals * ACCOUNTS
    assert sorted(e.order_id for e in closes) == sorted(e.order_id for e in fills)
    deals = [
        (account_id, deal)
        for account_id, desk in edge.engine.state.desks.items()
        for deal in desk.terminal.deals_since(1)
    ]
    entries = {(account_id, deal.position) for account_id, deal in deals if deal.entry == "in"}
    assert entries == {(event.account_id, event.position_ticket) for event in fills}
    money = sum(d.profit + d.commission + d.swap for _, d in deals)
    assert money == sum(event.profit_cents for event in closes)
    predicted = [
        (envelope.data.signal_id, envelope.meta.tenant_id)
        for envelope in edge.envelopes()
        if isinstance(envelope.data, PredictionDelivered)
    ]
    assert len(set(predicted)) == len(predicted)
    assert edge.engine.pending() == 0


def make_order(edge: Edge) -> Order:
    edge.give(edge.signal())
    (text,) = edge.journal.load("order").values()
    values = {name: getattr(read_value(Order, text), name) for name in Order.__slots__}
    return Order(**{**values, "state": "intended", "position": 0, "deal": 0, "price_open": 0})


def test_an_acknowledgement_without_a_price_is_an_open_outcome(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant()
    order = make_order(edge)
    placed = Done(order=5, deal=0, position=5, volume=25, price=0, bid=0, ask=0, code=10008)
    assert record_answer(order, placed, edge.now_ns).state == "unknown"
    assert record_answer(order, Unknown(-10002, "x" * 200), edge.now_ns).reason == "x" * 80
    assert record_answer(order, Rejected(10016, "INVALID_STOPS"), edge.now_ns).retcode == 10016
    edge.close()


def test_deals_of_one_position_add_up_to_one(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant()
    edge.give(edge.signal())
    desk = next(iter(edge.engine.state.desks.values()))
    (position,) = desk.terminal.positions()
    desk.terminal.close_position(position, volume=10)
    edge.tick(BID + 31)
    assert edge.said(PositionClosed) == []  # a part is still open
    desk.terminal.close_position(desk.terminal.positions()[0])
    edge.tick(BID)
    (closed,) = edge.said(PositionClosed)
    exits = [deal for deal in desk.terminal.deals_since(1) if deal.entry == "out"]
    assert sum_deals(exits).volume == closed.volume == 25
    assert closed.price_close == round((10 * BID + 15 * (BID + 31)) / 25)
    assert closed.profit_cents == sum(deal.profit for deal in exits)
    edge.close()
