"""The engine's front: messages and market time in, orders and their events out.

One thread owns it. Messages may come twice and in any order; market time only moves forward.
"""

import gc
from collections.abc import Iterable
from time import perf_counter_ns
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope
from edge_bridge.engine.digest import digest_state
from edge_bridge.engine.entries import Entries
from edge_bridge.engine.exits import Exits
from edge_bridge.engine.forgetting import forget_old
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.journal import BusinessClock, EngineJournal, OpenTerminal, Reconcile
from edge_bridge.engine.pen import Pen
from edge_bridge.engine.reception import Reception
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.engine.sending import Sending
from edge_bridge.engine.state import EngineState
from edge_bridge.engine.timing import Timing
from edge_bridge.ports import Quote

NEVER_NS = 2**63 - 1


class Engine:
    """Signals become orders, orders become events."""

    def __init__(
        self,
        journal: EngineJournal,
        clock: BusinessClock,
        open_terminal: OpenTerminal,
        reconcile: Reconcile,
        limits: RiskLimits | None = None,
        *,
        timing: Timing | None = None,
    ) -> None:
        self.state = EngineState(Pen(journal), clock, limits or RiskLimits(), timing or Timing())
        self._sending = Sending(self.state)
        self._entries = Entries(self.state, self._sending)
        self._exits = Exits(self.state, reconcile)
        self._reception = Reception(self.state, self._exits, open_terminal)

    def start(self, now_ns: int = 0) -> None:
        """Read the journal, open the terminals of all accounts, settle with the brokers."""
        state = self.state
        state.now_ns = max(state.now_ns, now_ns)
        state.load()
        while forget_old(state):
            pass
        self._entries.publish_interrupted()
        for account in state.directory.accounts.values():
            self._reception.open_desk(account)

    def handle(self, envelope: Envelope) -> None:
        """Take one message; it is marked done in the step that holds its effects."""
        data = envelope.data
        if isinstance(data, SignalIssued) and envelope.meta.tenant_id is None:
            taken_ns = perf_counter_ns()
            collecting = gc.isenabled()
            gc.disable()  # a collection must not stop an order on its way
            try:
                self._entries.take_signal(data, envelope.meta, taken_ns)
            finally:
                if collecting:
                    gc.enable()
        else:
            self._reception.take(envelope)

    def advance(self, now_ns: int, references: Iterable[Quote] = ()) -> None:
        """Let the market time pass: take answers, read accounts, report closes, close what is
        due, deliver what was delayed."""
        state = self.state
        state.now_ns = max(state.now_ns, now_ns)
        for quote in references:
            state.references[quote.symbol] = quote
            state.market.note_quote(quote)
        state.journal.catch_up()
        self.collect_answers()
        self._exits.watch()
        self._entries.deliver_due()
        self._turn_window()
        forget_old(state)

    def collect_answers(self) -> int:
        """Take the answers that came meanwhile, without waiting; how many requests still fly."""
        flying = self._sending.collect_answers() if self.state.in_flight else 0
        return flying + (self._exits.collect_acts() if len(self.state.acts) else 0)

    def next_due_ns(self) -> int:
        """The market time at which `advance` has something to do; NEVER_NS when it has not."""
        due = [delivery.due_ns for delivery in self.state.deliveries.values()]
        due += [
            self._exits.due_ns(desk, order)
            for desk, order in self.state.each_open()
            if order.state == "filled"
        ]
        return min(due, default=NEVER_NS)

    def end_market(self, now_ns: int) -> None:
        """The data is over: close what is open, and answer what was delayed.

        A position whose horizon has come closes for that; any other closes by hand, at the last
        quote. Without quotes a delayed signal is denied, never executed.
        """
        state = self.state
        state.now_ns = max(state.now_ns, now_ns)
        self.collect_answers()
        self._exits.watch()
        state.references.clear()
        self._entries.deliver_due(market_over=True)
        state.market_over = True  # an order still in flight is closed once its answer is in
        self._exits.watch()

    def kill(self, account_id: UUID) -> None:
        """Stop an account's entries until `resume`; latched through restarts."""
        self._keep_guard(account_id, {"killed": "manual"})

    def resume(self, account_id: UUID) -> None:
        """Let a stopped account trade again; its drawdown counts from its equity now."""
        self._keep_guard(account_id, {"killed": None, "peak_equity": None})

    def pending(self) -> int:
        """Orders of unknown outcome and accounts whose broker did not answer yet."""
        desks = self.state.desks.values()
        undecided = sum(order.state != "filled" for _, order in self.state.each_open())
        return undecided + sum(not desk.reconciled for desk in desks)

    def count_positions(self) -> int:
        """Positions of ours that are open."""
        return sum(order.state == "filled" for _, order in self.state.each_open())

    def ready_accounts(self) -> int:
        """Accounts that are connected and whose tenant's plan is known."""
        return sum(
            desk.connected
            and desk.account.active
            and desk.account.tenant_id in self.state.directory.entitlements
            for desk in self.state.desks.values()
        )

    def digest(self) -> str:
        """The hash of all that is remembered; the same after any restart over the same journal."""
        return digest_state(self.state)

    def measure(self) -> dict[str, object]:
        """Gauges and counters for monitoring."""
        state = self.state
        return {
            "accounts": len(state.desks),
            "accounts_connected": sum(desk.connected for desk in state.desks.values()),
            "accounts_held": sum(not desk.is_settled() for desk in state.desks.values()),
            "orders_made": state.orders_made,
            "orders_in_flight": len(state.in_flight),
            "acts_in_flight": len(state.acts),
            "positions": self.count_positions(),
            "deliveries_waiting": len(state.deliveries),
            "steps_owed": state.journal.owed,
            "switches_engaged": sum(each.engaged for each in state.switches.known.values()),
            "refused_messages": dict(state.refused),
            "sla_breaches": state.promises.breaches,
            "sla_p99": state.promises.measure(),
        }

    def _turn_window(self) -> None:
        """Report broken promises of the window that ended."""
        state, now = self.state, self.state.clock.now()
        events = []
        for breach in state.promises.turn(now):
            desk = state.desks.get(breach.account_id) if breach.account_id else None
            owner = desk.account.tenant_id if desk is not None else None
            events.append(Envelope.wrap(breach, tenant_id=owner, now=now))
        if events:
            state.journal.write(events=events)

    def _keep_guard(self, account_id: UUID, changes: dict[str, object]) -> None:
        desk = self.state.desks.get(account_id)
        known = desk.guard if desk else self.state.guards.get(account_id, Guard())
        guard = known.model_copy(update=changes)
        self.state.guards[account_id] = guard
        if desk is not None:
            desk.guard = guard
        record = ("guard", str(account_id), guard.model_dump_json())
        self.state.journal.write(records=[record])
