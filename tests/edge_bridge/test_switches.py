"""Kill switches latch, survive, and let nothing out until a human arms trading again."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.trading_engine import (
    EngageKillSwitch,
    KillSwitchChanged,
    OrderDenied,
    OrderFilled,
    PositionClosed,
    ReleaseKillSwitch,
)
from edge_bridge.adapters import constants as c
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.ports import OrderRequest
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.desk_kit import ASK, BID, Edge


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    yield edge
    edge.close()


def engage(version: int, *, flatten: bool = False) -> EngageKillSwitch:
    return EngageKillSwitch(command_id=uuid7(), version=version, flatten=flatten, reason="asked")


def release(edge: Edge, version: int, *, in_s: float = 60) -> ReleaseKillSwitch:
    expires_at = edge.clock.now() + timedelta(seconds=in_s)
    return ReleaseKillSwitch(command_id=uuid7(), version=version, expires_at=expires_at)


def denials(edge: Edge) -> list[str]:
    return [event.reason for event in edge.said(OrderDenied)]


def changes(edge: Edge) -> list[tuple[str, bool, int]]:
    return [(e.scope, e.engaged, e.version) for e in edge.said(KillSwitchChanged)]


def place_pending(edge: Edge, number: int = 0) -> None:
    answer = edge.simulated(number).order_send({
        "action": c.TRADE_ACTION_PENDING, "symbol": "EURUSD", "volume": 0.1,
        "type": c.ORDER_TYPE_BUY_LIMIT, "price": (BID - 500) / 100_000,
        "type_filling": c.ORDER_FILLING_RETURN, "type_time": c.ORDER_TIME_GTC,
    })  # fmt: skip
    assert answer.retcode == c.DONE


def test_a_tenants_switch_stops_its_entries_only_and_survives_a_restart(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    edge.add_tenant(2)
    edge.give(engage(1), tenant)
    edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    assert denials(edge) == ["kill_switch"] * 2
    assert {event.account_id for event in edge.said(OrderFilled)} == {link_account(2).account_id}
    edge.give(release(edge, 2), tenant)
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 4
    assert changes(edge) == [("tenant", True, 1), ("tenant", False, 2)]


def test_the_hosts_switch_stops_everybody(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    edge.add_tenant(2)
    edge.give(engage(1))
    edge.give(release(edge, 9), tenant)  # a tenant cannot arm the host
    edge.give(edge.signal())
    assert denials(edge) == ["kill_switch"] * 2
    edge.give(release(edge, 2))
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 2
    assert changes(edge) == [("host", True, 1), ("tenant", False, 9), ("host", False, 2)]


def test_old_commands_and_repetitions_change_nothing(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(engage(5), tenant)
    edge.give(release(edge, 4), tenant)
    edge.give(engage(5, flatten=True), tenant)
    edge.give(edge.signal())
    assert denials(edge) == ["kill_switch"]
    edge.give(release(edge, 6), tenant)
    edge.give(engage(5), tenant)
    edge.give(edge.signal())
    assert changes(edge) == [("tenant", True, 5), ("tenant", False, 6)]
    assert len(edge.said(OrderFilled)) == 1


def test_a_release_that_comes_too_late_is_refused(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(engage(1), tenant)
    late = release(edge, 2, in_s=5)
    edge.clock.advance(seconds=6)
    edge.give(late, tenant)
    edge.give(edge.signal())
    assert denials(edge) == ["kill_switch"]


def test_an_engagement_is_never_too_old_and_time_does_not_release_it(edge: Edge) -> None:
    tenant = edge.add_tenant()
    old = Envelope.wrap(engage(1), tenant_id=tenant, now=edge.clock.now())
    edge.clock.advance(days=30)
    edge.give_envelope(old)
    edge.clock.advance(days=400)
    edge.tick(after_s=3_600)
    edge.give(edge.signal())
    assert denials(edge) == ["kill_switch"]


def test_a_delivery_that_falls_due_while_engaged_is_denied(edge: Edge) -> None:
    tenant = edge.add_tenant(plan=entitle(prediction_delay_s=60))
    edge.give(edge.signal())
    edge.give(engage(1), tenant)
    edge.tick(after_s=60)
    assert denials(edge) == ["kill_switch"]


def test_pending_orders_of_the_account_are_cancelled_even_if_first_refused(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    edge.add_tenant(2)
    for number in (0, 0, 1):
        place_pending(edge, number)
    edge.simulated(0).faults.reject_next()
    edge.give(engage(1), tenant)
    assert len(edge.desk(0).terminal.pending_orders()) == 1
    edge.tick()
    assert not edge.desk(0).terminal.pending_orders()
    assert len(edge.desk(1).terminal.pending_orders()) == 1
    place_pending(edge, 0)  # somebody places another one
    edge.clock.advance(seconds=30)
    edge.tick()
    assert not edge.desk(0).terminal.pending_orders()


def test_positions_stay_unless_flattening_is_asked_for(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(edge.signal())
    edge.give(engage(1), tenant)
    edge.tick()
    assert edge.said(PositionClosed) == []
    edge.give(engage(2, flatten=True), tenant)
    assert [event.reason for event in edge.said(PositionClosed)] == ["kill_switch"]


def test_flattening_goes_on_after_refusals_and_a_restart(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(edge.signal())
    edge.simulated().faults.reject_next(2)
    edge.give(engage(1, flatten=True), tenant)
    edge.reopen()
    edge.tick()
    edge.tick(after_s=2)
    assert [event.reason for event in edge.said(PositionClosed)] == ["kill_switch"]


def test_flattening_closes_adopted_external_positions_too(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.desk().terminal.send(OrderRequest("hand", "EURUSD", "buy", 10))
    edge.tick()
    edge.give(engage(1, flatten=True), tenant)
    assert edge.desk().terminal.positions() == []
    edge.tick()


def test_an_accounts_own_latch_is_told_once_and_released_by_its_tenants_hand(
    tmp_path: Path,
) -> None:
    edge = Edge(tmp_path, limits=RiskLimits(drawdown_max_bp=30))
    edge.tick()
    tenant = edge.add_tenant()
    edge.give(edge.signal())
    edge.tick(ASK - 130)
    edge.reopen()
    edge.tick()
    (told,) = edge.said(KillSwitchChanged)
    assert (told.scope, told.engaged, told.reason) == ("account", True, "drawdown")
    assert told.account_id == link_account(1).account_id
    edge.clock.advance(days=40)
    edge.tick(after_s=86_400)
    edge.give(edge.signal())
    assert denials(edge) == ["drawdown_limit"]
    edge.give(release(edge, 1), tenant)
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 2
    assert edge.said(KillSwitchChanged)[-1].engaged is False
    edge.close()


class SwitchMachine(RuleBasedStateMachine):
    """Commands, signals, prices, lost answers and restarts in any order, on the real journal."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        limits = RiskLimits(cooldown_ns=0, orders_per_minute_max=1_000)
        self.edge = Edge(Path(self.folder.name), limits=limits)
        self.edge.tick()
        self.tenants: list[UUID | None] = [
            self.edge.add_tenant(1, account=link_account(1, max_open_positions=100)),
            self.edge.add_tenant(2, plan=entitle(prediction_delay_s=30),
                                 account=link_account(2, max_open_positions=100)),
            None,
        ]  # fmt: skip
        self.versions: dict[int, tuple[int, bool]] = {}
        self.last: list[tuple[Any, UUID | None]] = []

    def entries(self, number: int) -> int:
        """Opening deals in the broker's own books, which no lost pipe can hide."""
        login = link_account(number + 1).login
        (terminal,) = (t for t in self.edge.floor.terminals if t.account.login == login)
        deals = terminal._broker.ledger.deals.values()
        return sum(bool(deal.symbol) and deal.entry == c.DEAL_ENTRY_IN for deal in deals)

    def engaged(self, number: int) -> bool:
        return any(self.versions.get(each, (0, False))[1] for each in (number, 2))

    def guarded(self, act: Any) -> None:
        """Nothing enters for whoever is engaged before and after the act."""
        before = {n: self.entries(n) for n in (0, 1) if self.engaged(n)}
        act()
        for number, count in before.items():
            if self.engaged(number):
                assert self.entries(number) == count

    def command(self, scope: int, version: int, on: bool, message: Any) -> None:
        known, _ = self.versions.get(scope, (0, False))

        def act() -> None:
            envelope = Envelope.wrap(
                message, tenant_id=self.tenants[scope], now=self.edge.clock.now()
            )
            self.last.append((envelope, None))
            self.edge.give_envelope(envelope)

        if version > known:
            if on:  # from the command on, nothing may enter
                self.versions[scope] = (version, on)
                self.guarded(act)
            else:
                self.guarded(act)
                self.versions[scope] = (version, on)
        else:
            self.guarded(act)

    @rule(scope=st.integers(0, 2), version=st.integers(1, 12), flatten=st.booleans())
    def engage_switch(self, scope: int, version: int, flatten: bool) -> None:
        self.command(scope, version, True, engage(version, flatten=flatten))

    @rule(scope=st.integers(0, 2), version=st.integers(1, 12))
    def release_switch(self, scope: int, version: int) -> None:
        self.command(scope, version, False, release(self.edge, version))

    @rule(scope=st.integers(0, 2))
    def release_too_late(self, scope: int) -> None:
        late = release(self.edge, 99, in_s=-1)
        self.guarded(lambda: self.edge.give(late, self.tenants[scope]))

    @rule(direction=st.sampled_from(("buy", "sell")))
    def signal(self, direction: str) -> None:
        self.guarded(lambda: self.edge.give(self.edge.signal(direction=direction)))

    @rule(move=st.integers(-150, 150), after_s=st.sampled_from((1.0, 31.0)))
    def tick(self, move: int, after_s: float) -> None:
        self.guarded(lambda: self.edge.tick(BID + move, after_s=after_s))

    @rule()
    def restart(self) -> None:
        self.guarded(self.edge.reopen)

    @rule()
    def redeliver(self) -> None:
        """The bus gives an old command again, under a new event id."""
        if self.last:
            old, _ = self.last[0]
            fresh = old.meta.model_copy(update={"event_id": uuid4()})
            known, _ = self.versions.get(self.tenants.index(old.meta.tenant_id), (0, False))
            if old.data.version <= known:
                again = Envelope(meta=fresh, data=old.data)
                self.guarded(lambda: self.edge.give_envelope(again))

    @rule(number=st.integers(0, 1), when=st.sampled_from(("before", "after")))
    def lose_answer(self, number: int, when: Any) -> None:
        self.edge.simulated(number).faults.kill_pipe_next(when)

    @invariant()
    def the_journal_knows(self) -> None:
        if hasattr(self, "edge"):
            for scope, (_, on) in self.versions.items():
                switch = self.edge.engine.state.switches.known[self.tenants[scope]]
                assert switch.engaged == on

    def teardown(self) -> None:
        if hasattr(self, "edge"):
            self.edge.close()
            self.folder.cleanup()


SwitchMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestNothingEntersWhileEngaged = SwitchMachine.TestCase
