"""A real worker that hangs while the engine wants its deals holds up no other account."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Message
from contracts.ids import derived_id, uuid7
from contracts.registry import parse_envelope
from contracts.trading_engine import AccountLinked, OrderFilled
from edge_bridge.engine.engine import Engine
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.link.journal import Journal
from edge_bridge.ports import Quote, Terminal
from edge_bridge.reconcile import Reconciler
from edge_bridge.times import SystemClock, instant
from edge_bridge.workers.line import Line
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.workers.host import START_NS, Host, wait_until

SECOND_NS = 1_000_000_000
HUNG, HEALTHY = 1, 2


class Desk:
    """An engine over the accounts of a host of real workers."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host, self.seconds = host, 0
        self.clock = SystemClock()
        self.journal = Journal(folder / "edge.db")
        self.engine = Engine(
            self.journal, self.clock, self.open_terminal, Reconciler(),
            RiskLimits(orders_per_minute_max=1_000),
        )  # fmt: skip
        self.engine.start(START_NS)
        for number in (HUNG, HEALTHY):
            tenant = derived_id("worker-tenant", number)
            account_id = derived_id("worker-account", number)
            self.give(entitle(), tenant)
            self.give(link_account(number, account_id=account_id, login=7_000 + number), tenant)

    def open_terminal(self, account: AccountLinked) -> Terminal | None:
        return self.host.supervisor.terminal(account.account_id)

    def give(self, message: Message, tenant: Any = None) -> None:
        self.engine.handle(Envelope.wrap(message, tenant_id=tenant, now=self.clock.now()))

    def look(self) -> None:
        now_ns = START_NS + self.seconds * SECOND_NS
        self.engine.advance(now_ns, [Quote("EURUSD", 110_000, 110_010, now_ns)])

    def tick(self) -> None:
        self.host.move_price(110_000)
        self.seconds += 1

    def signal(self) -> None:
        now_ns = START_NS + self.seconds * SECOND_NS
        self.give(
            SignalIssued(
                signal_id=uuid7(), decision_id=uuid7(), bar_id=uuid7(), symbol="EURUSD", digits=5,
                timeframe="M1", direction="buy", probability=0.6, size_factor=1.0,
                stop_distance=200, target_distance=300, horizon_s=9_000, as_of=instant(now_ns),
                expires_at=instant(now_ns + 60 * SECOND_NS), model_version="test",
            )
        )  # fmt: skip

    def fills(self, number: int) -> int:
        account_id = derived_id("worker-account", number)
        rows = self.journal.read_outbox("bus", 10_000)
        data: list[Any] = [parse_envelope(r.detail_type, json.loads(r.body)).data for r in rows]
        filled = [each for each in data if isinstance(each, OrderFilled)]
        return sum(each.account_id == account_id for each in filled)

    def wait(self, fact: Any, what: str) -> None:
        def look() -> bool:
            self.look()
            return bool(fact())

        wait_until(look, what)


def test_a_hung_workers_deals_delay_no_other_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_wait(*_: object) -> None:
        raise AssertionError("the engine waits for a worker")

    with Host(tmp_path) as host:
        for number in (HUNG, HEALTHY):
            host.serve(number)
        monkeypatch.setattr(Line, "wait", never_wait)
        monkeypatch.setattr(Line, "execute", never_wait)
        desk = Desk(host, tmp_path)
        ready = desk.engine.ready_accounts
        desk.wait(lambda: ready() == 2 and not desk.engine.pending(), "two accounts")
        mute = host.ask_for(HUNG, "mute")
        host.ask_for(HUNG, "lose")
        desk.tick()
        desk.signal()
        desk.wait(lambda: desk.fills(HEALTHY) == 1, "the healthy account's fill")
        desk.wait(lambda: host.report(HUNG).restarts > 0, "the end of the worker that hangs")
        for count in (2, 3):  # it hangs again at every question
            desk.tick()
            desk.signal()
            desk.wait(lambda count=count: desk.fills(HEALTHY) == count, "the next fill")
        assert desk.fills(HUNG) == 0
        mute.unlink()
        host.supervisor.retry(derived_id("worker-account", HUNG))
        desk.wait(lambda: desk.fills(HUNG) == 1, "what became of the lost order")
        desk.journal.close()
