"""A host that runs for months keeps its size: what is old and over goes, in memory and on disk."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.ids import uuid7
from contracts.trading_engine import OrderDenied, OrderFilled, PositionClosed
from edge_bridge.engine import forgetting
from edge_bridge.engine.forgetting import ORDERS_KEPT
from edge_bridge.engine.memory import Outcome, Pairs
from edge_bridge.engine.risk import RiskLimits
from tests.edge_bridge.cloud import entitle
from tests.edge_bridge.desk_kit import BID, Edge

DAY_S = 86_400


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path, limits=RiskLimits(cooldown_ns=0))
    edge.tick()
    edge.add_tenant(1)
    edge.add_tenant(2, plan=entitle(predictions_per_day=1))
    yield edge
    edge.close()


def trade(edge: Edge, count: int) -> None:
    """Signals whose positions are closed at once; the second tenant's are mostly over its quota."""
    for _ in range(count):
        edge.give(edge.signal(horizon_s=1))
        edge.tick()
        edge.tick(after_s=61)


def test_old_signals_go_and_a_restart_knows_the_same(edge: Edge) -> None:
    trade(edge, 4)
    state = edge.engine.state
    assert (len(state.handled), len(edge.journal.load("order"))) == (8, 8)
    edge.clock.advance(days=4)
    trade(edge, 3)
    assert len(state.handled) == 14
    edge.clock.advance(days=4)
    edge.tick()
    assert (len(state.handled), len(edge.journal.load("order"))) == (6, 6)
    assert (len(state.bars), len(state.delivered)) == (6, 4)
    assert edge.engine.digest() == edge.reload().digest()
    edge.clock.advance(days=8)
    edge.tick()
    assert len(state.handled) == len(state.bars) == len(state.delivered) == state.orders_made == 0
    assert edge.engine.digest() == edge.reload().digest()
    assert len(edge.said(PositionClosed)) == len(edge.said(OrderFilled)) > 0


def test_a_signal_with_an_open_position_is_kept(edge: Edge) -> None:
    kept = edge.signal(horizon_s=90 * DAY_S, stop_distance=2_000, target_distance=3_000)
    edge.give(kept)
    trade(edge, 1)
    edge.clock.advance(days=8)
    edge.tick()
    assert {signal for signal, _, _ in edge.engine.state.handled} == {kept.signal_id}
    assert edge.engine.digest() == edge.reload().digest()
    fills = len(edge.said(OrderFilled))
    edge.give(kept)  # the signal comes again: it has its outcome
    assert len(edge.said(OrderFilled)) == fills
    edge.tick(BID - 2_500)
    edge.tick(BID - 2_500)
    assert len(edge.said(PositionClosed)) == fills
    assert len(edge.engine.state.handled) == 0


def test_little_is_forgotten_at_a_look(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "PAIRS_MAX", 2)
    trade(edge, 4)
    edge.clock.advance(days=8)
    sizes = []
    for _ in range(5):
        edge.tick()
        sizes.append(len(edge.engine.state.handled))
    assert sizes == [6, 4, 2, 0, 0]


def test_what_is_young_is_still_refused_as_a_repetition(edge: Edge) -> None:
    signal = edge.signal(horizon_s=1)
    edge.give(signal)
    edge.tick(after_s=2)
    edge.clock.advance(days=ORDERS_KEPT.days - 1)
    edge.tick()
    edge.give(signal.model_copy(update={"signal_id": uuid7()}))
    assert [each.reason for each in edge.said(OrderDenied)][-2:] == ["duplicate_signal"] * 2


def test_pairs_forget_a_first_wholly_or_one_value() -> None:
    pairs: Pairs[int] = Pairs()
    first, other, second, third = (uuid7() for _ in range(4))
    for of, to in ((first, second), (first, third), (other, second)):
        assert pairs.add(of, to, 1)
    pairs.discard(first, second)
    pairs.discard(first, second)
    assert (len(pairs), dict(pairs.of(first))) == (2, {third: 1})
    assert pairs.drop(first) == {third: 1}
    assert (len(pairs), pairs.drop(first)) == (1, {})
    pairs.discard(other, second)
    assert (len(pairs), pairs.peek(), list(pairs)) == (0, None, [])
    assert timedelta(days=3) <= ORDERS_KEPT
    assert Outcome._fields == ("decided_at", "bar_id", "tenant_id", "made")
