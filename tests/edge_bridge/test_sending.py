"""Orders are handed over before any is waited for, once, and every answer is found or settled."""

import resource
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import derived_id
from contracts.trading_engine import (
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PredictionDelivered,
    ReconciliationDiffered,
    ReconciliationResolved,
)
from edge_bridge.engine.models import derive_order_id
from edge_bridge.engine.quota import make_calendar
from edge_bridge.ports import (
    Action,
    Answered,
    CloseRequest,
    Done,
    OrderRequest,
    Terminal,
)
from tests.edge_bridge.cloud import entitle, link_account, wrap
from tests.edge_bridge.desk_kit import ASK, BID, Edge
from tests.edge_bridge.late_terminals import LateTerminal


class LateEdge(Edge):
    """An edge whose terminals answer when told."""

    late: list[LateTerminal]
    eager = False

    def __post_init__(self) -> None:
        self.late = []
        self.wrap_terminal = self._wrap
        super().__post_init__()

    def _wrap(self, terminal: Terminal) -> Any:
        self.late.append(LateTerminal(terminal, eager=self.eager))
        return self.late[-1]


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[LateEdge]:
    edge = LateEdge(tmp_path)
    edge.tick()
    edge.add_tenant(1)
    edge.add_tenant(2)
    yield edge
    edge.close()


def orders_handed(edge: LateEdge) -> list[list[Action]]:
    return [
        [action for action in late.handed if isinstance(action, OrderRequest)] for late in edge.late
    ]


def entries(edge: Edge) -> int:
    desks = edge.engine.state.desks.values()
    return sum(d.entry == "in" for desk in desks for d in desk.terminal.deals_since(1))


def test_all_orders_of_a_signal_leave_before_one_is_answered(edge: LateEdge) -> None:
    edge.give(edge.signal())
    assert [len(each) for each in orders_handed(edge)] == [1, 1]
    assert edge.said(OrderFilled) == []
    assert len(edge.said(PredictionDelivered)) == 2
    assert len(edge.engine.state.in_flight) == 2
    assert edge.journal.read_inbox() == []


def test_answers_that_come_later_are_taken_when_they_are_there(edge: LateEdge) -> None:
    edge.give(edge.signal())
    edge.late[1].answer()
    assert edge.engine.collect_answers() == 1
    assert [event.account_id for event in edge.said(OrderFilled)] == [link_account(2).account_id]
    edge.late[0].answer()
    assert edge.engine.collect_answers() == 0
    assert len(edge.said(OrderFilled)) == 2
    edge.give(edge.signal())
    assert edge.said(OrderDenied) == []


def test_while_an_order_flies_its_account_takes_no_other_signal(edge: LateEdge) -> None:
    edge.give(edge.signal())
    edge.give(edge.signal())
    assert [e.reason for e in edge.said(OrderDenied)] == ["reconciliation_pending"] * 2
    assert [len(each) for each in orders_handed(edge)] == [1, 1]


@pytest.mark.parametrize("eager", [False, True])
def test_an_order_that_never_answers_is_settled_by_the_books_and_not_sent_again(
    edge: LateEdge, eager: bool
) -> None:
    for late in edge.late:
        late.eager = eager
    edge.give(edge.signal())
    for late in edge.late:
        late.lose()
    edge.clock.advance(seconds=9)
    edge.tick()
    assert len(edge.engine.state.in_flight) == 2
    assert edge.said(ReconciliationDiffered) == []
    edge.clock.advance(seconds=1)
    edge.tick()
    edge.tick()
    assert edge.engine.state.in_flight == {}
    assert {e.kind for e in edge.said(ReconciliationDiffered)} == {"order_unknown"}
    outcome = OrderFilled if eager else OrderRejected
    assert len(edge.said(outcome)) == 2
    assert len(edge.said(ReconciliationResolved)) == 2
    assert [len(each) for each in orders_handed(edge)] == [1, 1]
    assert entries(edge) == (2 if eager else 0)


def test_an_order_without_an_answer_is_not_given_up_before_the_grace(tmp_path: Path) -> None:
    edge = LateEdge(tmp_path, grace=timedelta(seconds=5))
    edge.tick()
    edge.add_tenant(1)
    edge.give(edge.signal())
    edge.clock.advance(seconds=11)
    edge.tick()
    assert edge.said(OrderRejected) == []
    edge.clock.advance(seconds=4)
    edge.tick()
    edge.late[0].answer()  # the broker executes it late
    edge.clock.advance(seconds=4)
    edge.tick()
    assert len(edge.said(OrderFilled)) == 1
    assert edge.said(OrderRejected) == []
    edge.close()


def test_a_restart_while_orders_fly_settles_each_of_them_once(edge: LateEdge) -> None:
    edge.late[0].eager = True
    edge.give(edge.signal())
    edge.reopen()
    edge.tick()
    edge.tick()
    assert len(edge.said(OrderFilled)) == 1
    assert [e.reason for e in edge.said(OrderRejected)] == ["not_executed"]
    assert len(edge.said(PredictionDelivered)) == 2
    assert entries(edge) == 1


def test_a_close_that_flies_is_not_asked_for_again(edge: LateEdge) -> None:
    edge.give(edge.signal(horizon_s=60))
    edge.late[0].answer()
    edge.late[1].lose()
    edge.tick(after_s=60)
    edge.tick(after_s=5)
    closes = [action for action in edge.late[0].handed if isinstance(action, CloseRequest)]
    assert len(closes) == 1
    edge.late[0].answer()
    edge.tick()
    assert [event.reason for event in edge.said(PositionClosed)] == ["horizon"]


def test_a_close_without_an_answer_is_asked_for_again_after_the_books_were_read(
    edge: LateEdge,
) -> None:
    edge.give(edge.signal(horizon_s=60))
    edge.late[0].answer()
    edge.late[1].lose()
    edge.tick(after_s=60)
    edge.late[0].lose()
    edge.clock.advance(seconds=11)
    edge.tick()
    edge.tick(after_s=2)
    edge.late[0].answer()
    edge.tick()
    closes = [action for action in edge.late[0].handed if isinstance(action, CloseRequest)]
    assert len(closes) == 2
    assert [event.reason for event in edge.said(PositionClosed)] == ["horizon"]


class Answering:
    """A terminal that gives orders one answer of a test's choice, after executing them."""

    def __init__(self, behind: Terminal, edit: Any) -> None:
        self._behind, self._edit = behind, edit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def begin(self, action: Action) -> Answered:
        handle = self._behind.begin(action)
        answer = handle.poll()
        assert answer is not None
        return Answered(self._edit(answer) if isinstance(action, OrderRequest) else answer)


def answering_edge(folder: Path, edit: Any) -> Edge:
    edge = Edge(folder, wrap_terminal=lambda terminal: Answering(terminal, edit))  # type: ignore[arg-type, return-value]
    edge.tick()
    edge.add_tenant(1)
    return edge


def test_an_acknowledged_order_without_a_price_is_filled_when_the_deals_tell(
    tmp_path: Path,
) -> None:
    def acknowledge(answer: Done) -> Done:
        return replace(answer, deal=0, price=0, code=10_008)

    edge = answering_edge(tmp_path, acknowledge)
    edge.give(edge.signal())
    assert edge.said(OrderFilled) == []
    edge.tick()
    (filled,) = edge.said(OrderFilled)
    assert (filled.volume, filled.price) == (25, ASK)
    edge.close()


def test_a_partial_fill_is_the_orders_volume_and_the_rest_is_not_chased(tmp_path: Path) -> None:
    edge = LateEdge(tmp_path)
    edge.tick()
    edge.add_tenant(1)
    edge.late[0].eager = True
    edge.give(edge.signal())
    handle, _ = edge.late[0].waiting.popleft()
    (position,) = edge.desk().terminal.positions()
    handle.result = Done(position.ticket, 1, position.identifier, 10, ASK, BID, ASK, code=10_010)
    edge.engine.collect_answers()
    (filled,) = edge.said(OrderFilled)
    assert filled.volume == 10
    assert orders_handed(edge) == [[edge.late[0].handed[0]]]
    edge.close()


def test_a_closed_market_denies_the_next_signal_until_a_price_comes(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant(1)
    edge.simulated().open_market("EURUSD", is_open=False)
    edge.give(edge.signal())
    edge.give(edge.signal())
    assert len(edge.said(OrderRejected)) == 1
    assert [event.reason for event in edge.said(OrderDenied)] == ["market_closed"]
    edge.simulated().open_market("EURUSD")
    edge.tick()
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 1
    edge.close()


def test_a_silent_terminal_denies_as_unavailable(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant(1)
    edge.desk().connected = False
    edge.give(edge.signal())
    assert [event.reason for event in edge.said(OrderDenied)] == ["terminal_unavailable"]
    edge.close()


def test_on_a_full_disk_nothing_is_sent_and_the_denial_follows_when_there_is_room(
    tmp_path: Path,
) -> None:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant(1)
    edge.add_tenant(2, plan=entitle(predictions_per_day=5))
    signals = [edge.signal(), edge.signal()]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        for signal in signals:
            edge.engine.handle(wrap(signal))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert entries(edge) == 0
    assert edge.engine.measure()["steps_owed"] == 2
    edge.tick(BID)
    assert edge.engine.measure()["steps_owed"] == 0
    assert [event.reason for event in edge.said(OrderDenied)] == ["storage_full"] * 4
    assert entries(edge) == 0
    assert edge.engine.digest() == edge.reload().digest()
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 2
    edge.close()


@given(key=st.text(max_size=80))
def test_an_orders_id_is_the_contracts_own_derivation(key: str) -> None:
    assert derive_order_id(key) == derived_id("order", key)


@given(
    moment=st.integers(946_684_800, 2_208_988_800).map(lambda s: datetime.fromtimestamp(s, UTC)),
    zone=st.sampled_from(("Asia/Jakarta", "Asia/Kathmandu", "America/New_York", "Not/AZone")),
)
def test_a_tenants_day_is_that_of_its_own_clock(moment: datetime, zone: str) -> None:
    local = "Asia/Jakarta" if zone == "Not/AZone" else zone
    day = make_calendar(entitle(time_zone=zone))(moment)
    assert day == moment.astimezone(ZoneInfo(local)).date().isoformat()
