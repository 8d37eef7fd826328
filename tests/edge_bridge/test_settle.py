"""The broker's books against ours: a difference is told once, holds the account, and ends."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import uuid7
from contracts.trading_engine import (
    OrderDenied,
    OrderFilled,
    PositionClosed,
    ReconciliationDiffered,
    ReconciliationResolved,
    ReleaseKillSwitch,
)
from edge_bridge.engine.models import Order, read_value
from edge_bridge.ports import Deal, OrderRequest, TerminalUnavailable
from edge_bridge.reconcile import LOOK_BACK_NS, Reconciler
from tests.edge_bridge.desk_kit import Edge


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant()
    yield edge
    edge.close()


def differed(edge: Edge) -> list[str]:
    return [event.kind for event in edge.said(ReconciliationDiffered)]


def denials(edge: Edge) -> list[str]:
    return [event.reason for event in edge.said(OrderDenied)]


def trade_by_hand(edge: Edge) -> None:
    edge.desk().terminal.send(OrderRequest("hand", "EURUSD", "buy", 10))


def test_a_foreign_position_is_told_once_and_holds_until_it_is_gone(edge: Edge) -> None:
    trade_by_hand(edge)
    for _ in range(3):
        edge.tick()
    edge.reopen()
    edge.tick()
    assert differed(edge) == ["external_position"]
    (told,) = edge.said(ReconciliationDiffered)
    assert (told.volume, told.symbol) == (10, "EURUSD")
    edge.give(edge.signal())
    assert denials(edge) == ["reconciliation_pending"]
    edge.desk().terminal.close_position(edge.desk().terminal.positions()[0])
    edge.tick()
    assert differed(edge) == ["external_position", "external_gone"]
    assert len(edge.said(ReconciliationResolved)) == 1
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 1


def test_a_humans_release_acknowledges_foreign_positions_which_still_count(edge: Edge) -> None:
    tenant = edge.desk().account.tenant_id
    trade_by_hand(edge)
    edge.tick()
    expires_at = edge.clock.now() + timedelta(seconds=60)
    edge.give(ReleaseKillSwitch(command_id=uuid7(), version=1, expires_at=expires_at), tenant)
    assert len(edge.said(ReconciliationResolved)) == 1
    edge.reopen()
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 1
    assert len(edge.desk().positions) == 2  # the picture of the next signal has both
    trade_by_hand(edge)  # another one was not acknowledged
    edge.tick()
    edge.give(edge.signal())
    assert denials(edge) == ["reconciliation_pending"]
    assert edge.engine.digest() == edge.reload().digest()


class Forgetful:
    """A terminal that can forget positions, or be silent about deals."""

    def __init__(self, behind: Any) -> None:
        self._behind = behind
        self.hidden = self.silent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def positions(self) -> Any:
        return [] if self.hidden else self._behind.positions()

    def deals_since(self, time_ns: int) -> Any:
        if self.silent:
            raise TerminalUnavailable(-1, "silent")
        return self._behind.deals_since(time_ns)


def test_a_position_that_vanished_without_a_deal_is_missing_after_the_grace(tmp_path: Path) -> None:
    edge = Edge(tmp_path, wrap_terminal=Forgetful)  # type: ignore[arg-type]
    edge.tick()
    edge.add_tenant()
    edge.give(edge.signal())
    terminal: Any = edge.desk().terminal
    terminal.hidden = True
    edge.tick()
    edge.clock.advance(seconds=2)
    edge.tick()
    assert differed(edge) == []
    edge.clock.advance(seconds=1)
    edge.tick()
    edge.tick()
    assert differed(edge) == ["position_missing"]
    edge.give(edge.signal())
    assert denials(edge) == ["reconciliation_pending"]
    terminal._behind.close_position(terminal._behind.positions()[0])
    edge.tick()
    assert len(edge.said(PositionClosed)) == 1
    assert len(edge.said(ReconciliationResolved)) == 1
    edge.give(edge.signal())
    assert denials(edge) == ["reconciliation_pending"]
    edge.close()


def test_while_the_deals_cannot_be_read_nothing_is_assumed(tmp_path: Path) -> None:
    edge = Edge(tmp_path, wrap_terminal=Forgetful)  # type: ignore[arg-type]
    edge.tick()
    edge.add_tenant()
    edge.simulated().faults.kill_pipe_next("after")
    terminal: Any = edge.desk().terminal
    terminal.silent = True
    edge.give(edge.signal())
    for _ in range(5):
        edge.clock.advance(seconds=60)
        edge.tick()
    assert differed(edge) == ["order_unknown"]
    edge.give(edge.signal())
    assert denials(edge) == ["reconciliation_pending"]
    terminal.silent = False
    edge.tick()
    assert len(edge.said(OrderFilled)) == 1
    assert len(edge.said(ReconciliationResolved)) == 1
    edge.close()


def test_books_are_compared_every_so_often_and_after_a_reconnection(edge: Edge) -> None:
    first = edge.desk().reconciled_at
    edge.clock.advance(seconds=29)
    edge.tick()
    assert edge.desk().reconciled_at == first
    edge.clock.advance(seconds=1)
    edge.tick()
    assert edge.desk().reconciled_at == edge.clock.now()
    edge.clock.advance(seconds=1)
    edge.simulated().shutdown()
    edge.tick()
    assert not edge.desk().reconciled
    edge.tick()
    assert edge.desk().reconciled_at == edge.clock.now()


def make_books(edge: Edge) -> tuple[Order, Deal]:
    edge.give(edge.signal())
    (text,) = edge.journal.load("order").values()
    order = replace(read_value(Order, text), state="unknown", unknown_at=edge.clock.now())
    (deal,) = edge.desk().terminal.deals_since(1)
    return order, deal


class Books:
    """A terminal with these deals and no positions."""

    def __init__(self, *deals: Deal) -> None:
        self._deals = deals

    def deals_since(self, time_ns: int) -> list[Deal]:
        return [deal for deal in self._deals if deal.time_ns >= time_ns]

    def positions(self) -> list[Any]:
        return []


@pytest.mark.parametrize(
    "changed",
    [{"volume": 26}, {"symbol": "GBPUSD"}, {"side": "sell"}, {"entry": "out"}],
)
def test_a_deal_under_our_magic_that_does_not_fit_settles_nothing(
    edge: Edge, changed: dict[str, Any]
) -> None:
    order, deal = make_books(edge)
    late = edge.clock.now() + timedelta(hours=1)
    terminal: Any = Books(replace(deal, **changed))
    settlement = Reconciler()(terminal, [order], late)
    assert settlement.open_orders == {order.order_id}
    assert Reconciler()(Books(deal), [order], late).filled[order.order_id] == deal  # type: ignore[arg-type]


def test_a_partial_fill_found_in_the_books_is_the_orders_volume(edge: Edge) -> None:
    order, deal = make_books(edge)
    parts: Any = Books(replace(deal, volume=5), replace(deal, volume=6, ticket=9))
    found = Reconciler()(parts, [order], edge.clock.now()).filled[order.order_id]
    assert found.volume == 11


def test_only_after_the_grace_and_a_look_at_the_deals_an_order_is_absent(edge: Edge) -> None:
    order, deal = make_books(edge)
    old = replace(deal, time_ns=order.decided_ns - LOOK_BACK_NS - 1)
    empty: Any = Books(old)
    reconcile, now = Reconciler(timedelta(seconds=3)), edge.clock.now()
    assert reconcile(empty, [order], now).absent == frozenset()
    assert reconcile(empty, [order], now + timedelta(seconds=3)).absent == {order.order_id}
    assert reconcile(empty, [replace(order, state="intended")], now + timedelta(days=1)).absent == (
        frozenset()
    )
