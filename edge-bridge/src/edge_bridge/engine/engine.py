"""The engine's front: messages and market time in, orders and their events out.

One thread owns it. Messages may come twice and in any order; market time only moves forward.
"""

from collections.abc import Iterable
from time import perf_counter_ns
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Meta
from contracts.subscription_service import EntitlementsChanged, QuotaExhausted
from contracts.trading_engine import (
    AccountLinked,
    AccountUnlinked,
    NewsCalendarPublished,
    TradingLimitsChanged,
)
from contracts.trading_reasons import CloseReason
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.directory import Account
from edge_bridge.engine.entries import Entries
from edge_bridge.engine.exits import Exits
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.journal import (
    BusinessClock,
    EngineJournal,
    OpenTerminal,
    Reconcile,
    Record,
)
from edge_bridge.engine.models import Order
from edge_bridge.engine.reports import confirm_account
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.engine.state import EngineState
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
    ) -> None:
        self._open_terminal = open_terminal
        self.state = EngineState(journal, clock, limits or RiskLimits())
        self._entries = Entries(self.state)
        self._exits = Exits(self.state, reconcile)

    def start(self, now_ns: int = 0) -> None:
        """Read the journal, open the terminals of all accounts, settle with the brokers."""
        state = self.state
        state.now_ns = max(state.now_ns, now_ns)
        state.load()
        self._entries.publish_interrupted()
        for account in state.directory.accounts.values():
            self._open_desk(account)

    def handle(self, envelope: Envelope) -> None:
        """Take one message; it is marked done in the step that holds its effects."""
        taken_ns = perf_counter_ns()
        meta, data = envelope.meta, envelope.data
        match data:
            case SignalIssued():
                self._entries.take_signal(data, meta, taken_ns)
            case AccountLinked() | AccountUnlinked():
                self._change_account(data, meta)
            case EntitlementsChanged():
                records: list[Record] = []
                if self.state.directory.entitle(meta.tenant_id, data):
                    records.append(("entitlements", str(meta.tenant_id), data.model_dump_json()))
                self.state.journal.write(records=records, done=(meta.event_id,))
            case QuotaExhausted():
                records = []
                if self.state.quota.latch(meta.tenant_id, data):
                    records.append(("exhausted", str(meta.tenant_id), data.model_dump_json()))
                self.state.journal.write(records=records, done=(meta.event_id,))
            case TradingLimitsChanged():
                record = self.state.limit_book.take(meta.tenant_id, data)
                self.state.journal.write(records=[record] if record else (), done=(meta.event_id,))
            case NewsCalendarPublished():
                record = self.state.market.calendar.take_news(data)
                self.state.journal.write(records=[record] if record else (), done=(meta.event_id,))
            case _:
                self.state.journal.write(done=(meta.event_id,))

    def advance(self, now_ns: int, references: Iterable[Quote] = ()) -> None:
        """Let the market time pass: read accounts, report closes, close what is due, deliver
        what was delayed."""
        self.state.now_ns = max(self.state.now_ns, now_ns)
        for quote in references:
            self.state.references[quote.symbol] = quote
            self.state.market.note_quote(quote)
        self._exits.watch()
        self._entries.deliver_due()

    def next_due_ns(self) -> int:
        """The market time at which `advance` has something to do; NEVER_NS when it has not."""
        due = [delivery.due_ns for delivery in self.state.deliveries.values()]
        due += [order.exit_ns for _, order in self.state.each_open() if order.state == "filled"]
        return min(due, default=NEVER_NS)

    def end_market(self, now_ns: int) -> None:
        """The data is over: close what is open, and answer what was delayed.

        A position whose horizon has come closes for that; any other closes by hand, at the last
        quote. Without quotes a delayed signal is denied, never executed.
        """
        state = self.state
        state.now_ns = max(state.now_ns, now_ns)
        self._exits.watch()
        state.references.clear()
        self._entries.deliver_due(market_over=True)
        self._close_all("manual")

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

    def _change_account(self, data: AccountLinked | AccountUnlinked, meta: Meta) -> None:
        directory = self.state.directory
        if isinstance(data, AccountLinked):
            account = directory.link(meta.tenant_id, data)
        else:
            account = directory.unlink(meta.tenant_id, data)
        records: list[Record] = []
        events: list[Envelope] = []
        if account is not None:
            records.append(("account", str(account.account_id), account.model_dump_json()))
            events.append(confirm_account(account, data.version, meta, self.state.clock.now()))
        self.state.journal.write(events=events, records=records, done=(meta.event_id,))
        if account is not None:
            self._open_desk(account)

    def _open_desk(self, account: Account) -> None:
        """Give an account its desk; one that ended keeps it until its positions are flat."""
        state = self.state
        desk = state.desks.get(account.account_id)
        if desk is not None:
            desk.account = account
        elif account.linked is not None and (
            account.active or state.orders.get(account.account_id)
        ):
            terminal = self._open_terminal(account.linked)
            if terminal is None:
                return
            desk = Desk(account, terminal, state.guards.get(account.account_id, Guard()))
            desk.orders = state.orders.pop(account.account_id, {})
            desk.sent_ns.extend(state.sent.pop(account.account_id, []))
            state.desks[account.account_id] = desk
        if desk is not None:
            self._exits.watch_desk(desk)

    def _close_all(self, reason: CloseReason) -> None:
        for desk in list(self.state.desks.values()):
            due: list[tuple[Order, CloseReason]] = [
                (order, reason) for order in desk.orders.values() if order.state == "filled"
            ]
            if due:
                self._exits.close(desk, due)

    def _keep_guard(self, account_id: UUID, changes: dict[str, object]) -> None:
        desk = self.state.desks.get(account_id)
        known = desk.guard if desk else self.state.guards.get(account_id, Guard())
        guard = known.model_copy(update=changes)
        self.state.guards[account_id] = guard
        if desk is not None:
            desk.guard = guard
        record = ("guard", str(account_id), guard.model_dump_json())
        self.state.journal.write(records=[record])
