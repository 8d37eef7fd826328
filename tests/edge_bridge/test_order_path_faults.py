"""What an attacker, a broker or a bad moment could make of the order path, and does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.trading_engine import (
    AccountUnlinked,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    ReconciliationDiffered,
    StopsMoved,
)
from edge_bridge.adapters import constants as c
from edge_bridge.adapters.renaming import RenamingTerminal
from edge_bridge.engine.flights import CLOSED_PAUSE_NS
from edge_bridge.engine.journal import StorageFull
from edge_bridge.engine.pen import OWED_MAX, Pen
from edge_bridge.ports import Deal, OrderRequest, SymbolUnknown, TerminalUnavailable
from edge_bridge.workers.slot import _read_failure
from edge_bridge.workers.wire import WireBroken
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.desk_kit import ASK, SECOND_NS, Edge
from tests.edge_bridge.test_protection import open_position
from tests.edge_bridge.test_sending import LateEdge
from tests.edge_bridge.test_switches import engage, place_pending
from tests.support.builders import NOW


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    yield edge
    edge.close()


@pytest.fixture
def late(tmp_path: Path) -> Iterator[LateEdge]:
    edge = LateEdge(tmp_path)
    edge.tick()
    edge.add_tenant(1)
    yield edge
    edge.close()


class Asked:
    """A terminal that is asked for deals, answers when told, and must never be waited for."""

    def __init__(self, behind: Any) -> None:
        self._behind = behind
        self.questions: list[int] = []
        self.answers = False
        self.odd = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def deals_since(self, time_ns: int) -> Any:
        raise AssertionError("somebody waits for the deals")

    def ask_deals(self, time_ns: int) -> "Asked._Handle":
        self.questions.append(time_ns)
        return self._Handle(self, time_ns)

    class _Handle:
        def __init__(self, terminal: "Asked", time_ns: int) -> None:
            self._terminal, self._since_ns = terminal, time_ns

        def poll(self) -> list[Deal] | None:
            if self._terminal.odd:
                raise SymbolUnknown("GONE")
            behind = self._terminal._behind
            return list(behind.deals_since(self._since_ns)) if self._terminal.answers else None


def open_asked(folder: Path) -> tuple[Edge, Asked]:
    edge = Edge(folder, wrap_terminal=Asked)  # type: ignore[arg-type]
    edge.tick()
    edge.add_tenant()
    terminal: Any = edge.desk().terminal
    return edge, terminal


def test_deals_are_asked_for_once_and_taken_at_a_later_look(tmp_path: Path) -> None:
    edge, terminal = open_asked(tmp_path)
    edge.simulated().faults.kill_pipe_next("after")
    edge.give(edge.signal())
    for _ in range(20):
        edge.tick()
    assert len(terminal.questions) == 1  # however often it was looked for
    assert edge.said(OrderFilled) == []
    terminal.answers = True
    edge.tick()
    assert len(edge.said(OrderFilled)) == 1
    edge.tick(ASK + 400)
    edge.tick(ASK + 400)
    assert len(edge.said(PositionClosed)) == 1
    edge.close()


def test_a_question_that_nobody_wants_answered_any_more_is_let_go(tmp_path: Path) -> None:
    edge, terminal = open_asked(tmp_path)
    books = edge.desk().books
    with pytest.raises(TerminalUnavailable):
        books.deals_since(7)
    for _ in range(10):
        edge.tick()
    terminal.answers = True
    with pytest.raises(TerminalUnavailable):  # asked anew: the old answer would be old
        terminal.answers = False
        books.deals_since(7)
    assert terminal.questions == [7, 7]
    edge.close()


def test_a_deal_in_a_symbol_that_nobody_knows_stops_one_account_not_the_engine(
    tmp_path: Path,
) -> None:
    edge, terminal = open_asked(tmp_path)
    terminal.odd = True
    edge.simulated().faults.kill_pipe_next("after")
    edge.give(edge.signal())
    edge.tick()
    assert not edge.desk().is_settled()
    terminal.odd, terminal.answers = False, True
    edge.tick()
    assert len(edge.said(OrderFilled)) == 1
    edge.close()


def test_an_order_executed_after_all_is_external_and_named(late: LateEdge) -> None:
    late.give(late.signal())
    late.clock.advance(seconds=11)
    late.tick()
    late.clock.advance(seconds=1)
    late.tick()
    (rejected,) = late.said(OrderRejected)
    assert rejected.reason == "not_executed"
    late.reopen()
    late.tick()
    (request,) = late.late[0].handed
    assert isinstance(request, OrderRequest)
    late.late[-1]._behind.send(request)
    late.tick()
    (told,) = late.said(ReconciliationDiffered)[1:]
    assert (told.kind, told.order_id) == ("external_position", rejected.order_id)
    assert late.said(OrderFilled) == []
    assert not late.desk().is_settled()


def closes_sent(edge: Edge) -> int:
    return edge.simulated().faults._sends


def test_a_close_refused_by_a_closed_market_waits_for_a_newer_price(edge: Edge) -> None:
    edge.add_tenant()
    edge.give(edge.signal(horizon_s=60))
    edge.now_ns += 61 * SECOND_NS
    edge.simulated().faults.reject_next(1_000, c.MARKET_CLOSED)
    start = closes_sent(edge)
    for _ in range(CLOSED_PAUSE_NS // (30 * SECOND_NS)):  # no tick comes, only time passes
        edge.now_ns += 29 * SECOND_NS
        edge.clock.advance(seconds=29)
        edge.engine.advance(edge.now_ns, [])
    assert closes_sent(edge) == start + 1
    edge.now_ns += 60 * SECOND_NS
    edge.engine.advance(edge.now_ns, [])  # so long that it is tried again without a price
    assert closes_sent(edge) == start + 2
    edge.simulated().faults._next.clear()
    edge.tick()
    edge.tick(after_s=5)
    assert [each.reason for each in edge.said(PositionClosed)] == ["horizon"]


def test_over_a_weekend_a_refused_close_is_not_sent_again(edge: Edge) -> None:
    edge.add_tenant()
    edge.give(edge.signal(horizon_s=60))
    friday_ns = edge.now_ns - edge.now_ns % (86_400 * SECOND_NS) + 2 * 86_400 * SECOND_NS
    edge.now_ns = friday_ns + 22 * 3_600 * SECOND_NS
    edge.simulated().faults.reject_next(1_000, c.MARKET_CLOSED)
    start = closes_sent(edge)
    for _ in range(40):
        edge.now_ns += 3_600 * SECOND_NS
        edge.engine.advance(edge.now_ns, [])
    assert closes_sent(edge) == start + 1


def test_what_is_in_flight_at_the_markets_end_is_closed_once_it_opened(late: LateEdge) -> None:
    late.give(late.signal(horizon_s=90_000))
    late.engine.end_market(late.now_ns)
    assert late.said(OrderFilled) == []
    for _ in range(3):
        late.late[0].answer()
        late.engine.advance(late.now_ns)
    late.late[0].answer()
    late.engine.advance(late.now_ns)
    assert [each.reason for each in late.said(PositionClosed)] == ["manual"]
    assert late.engine.pending() == 0


def test_a_stop_that_we_moved_is_ours_after_a_restart_too(edge: Edge) -> None:
    desk = open_position(edge, trailing_start=50, trailing_distance=100, trailing_step=10)
    edge.simulated().faults.kill_pipe_next("after")  # moved, and the process dies unanswered
    edge.bid, edge.ask = ASK + 60, ASK + 70
    edge.engine.advance(edge.now_ns)
    edge.tick(ASK + 60)
    edge.reopen()
    edge.tick(ASK + 60)
    moved = edge.said(StopsMoved)
    assert [(each.stop_loss, each.reason) for each in moved] == [(ASK - 40, "trailing")]
    assert desk.account.active


def test_a_switch_leaves_alone_what_is_not_ours_on_an_account_no_longer_linked(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(edge.signal())
    edge.desk().terminal.send(OrderRequest("hand", "EURUSD", "buy", 10, magic=5))
    place_pending(edge)
    edge.tick()
    gone = AccountUnlinked(account_id=link_account(1).account_id, version=2)
    edge.give(gone, tenant)
    edge.give(engage(1, flatten=True), tenant)
    edge.tick()
    assert [each.magic for each in edge.desk().terminal.positions()] == [5]
    assert len(edge.desk().terminal.pending_orders()) == 1
    assert [each.reason for each in edge.said(PositionClosed)] == ["kill_switch"]


@pytest.mark.parametrize("changed", [{"login": 1}, {"server": "Other"}, {"mode": "live"}])
def test_an_account_never_becomes_another_one_at_its_broker(
    edge: Edge, changed: dict[str, Any]
) -> None:
    tenant = edge.add_tenant()
    edge.give(link_account(1, version=2, **changed), tenant)
    account = edge.desk().account
    assert (account.version, account.linked) == (1, link_account(1))
    edge.give(link_account(1, version=3, risk_per_trade_bp=10), tenant)
    assert edge.desk().account.version == 3


def test_an_account_that_ended_flat_and_comes_back_gets_a_terminal_anew(late: LateEdge) -> None:
    tenant = late.desk().account.tenant_id
    late.engine.kill(link_account(1).account_id)
    late.give(AccountUnlinked(account_id=link_account(1).account_id, version=2), tenant)
    late.tick()
    late.give(link_account(1, version=3), tenant)
    assert len(late.late) == 2
    assert len(late.floor.terminals) == 1  # the broker's books are the same
    assert late.desk().terminal is late.late[1]  # type: ignore[comparison-overlap]
    assert late.desk().guard.killed == "manual"
    assert late.engine.digest() == late.reload().digest()


def test_deals_are_asked_for_under_our_names_too(tmp_path: Path) -> None:
    edge, terminal = open_asked(tmp_path)

    class Suffixed:
        def to_broker(self, symbol: str) -> str:
            return symbol.removesuffix(".x")

        def to_ours(self, symbol: str) -> str:
            return f"{symbol}.x"

    edge.give(edge.signal())
    renamed: Any = RenamingTerminal(terminal, Suffixed())  # type: ignore[arg-type]
    asked = renamed.ask_deals(1)
    assert asked.poll() is None
    terminal.answers = True
    assert [each.symbol for each in asked.poll() or ()] == ["EURUSD.x"]
    plain: Any = RenamingTerminal(terminal._behind, Suffixed())
    assert [each.symbol for each in plain.ask_deals(1).poll()] == ["EURUSD.x"]
    edge.close()


def test_a_signal_in_a_tenants_name_is_acted_on_for_nobody(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    edge.add_tenant(2)
    edge.give(edge.signal(), tenant)
    edge.tick()
    assert edge.said() == []
    assert edge.engine.state.refused == {"SignalIssued": 1}
    assert edge.journal.read_inbox() == []


class Full:
    """A journal that takes nothing until told."""

    full = True

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def load(self, kind: str) -> dict[str, str]:
        del kind
        return {}

    def write(self, **step: Any) -> None:
        if self.full:
            raise StorageFull("full")
        self.steps.append((len(step["events"]), list(step["records"])))


def test_figures_that_change_while_the_disk_is_full_do_not_add_up() -> None:
    journal: Any = Full()
    pen, event = Pen(journal), Envelope.wrap(entitle(), tenant_id=uuid7(), now=NOW)
    for number in range(3 * OWED_MAX):
        pen.write(records=[("guard", str(number % 7), str(number))])
    pen.write(events=[event], records=[("order", "a", "1")])
    pen.write(records=[("guard", "0", "last"), ("order", "a", "2")])
    assert pen.owed == 2
    journal.full = False
    assert pen.catch_up()
    told = [("order", "a", "2"), ("guard", "0", "last")]
    assert [(events, len(records)) for events, records in journal.steps] == [(0, 7), (1, 2)]
    assert journal.steps[1][1] == told


@pytest.mark.parametrize("content", [5, [], [1, [0, "x"]], [True], [False, 0], {"a": 1}])
def test_a_worker_that_fails_oddly_costs_itself_not_the_watch(content: object) -> None:
    with pytest.raises(WireBroken):
        _read_failure(content)
