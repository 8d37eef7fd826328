"""From an open position to a flat one: stops and targets at the terminal, time exits, kills.

A close is found in the broker's deals, whoever asked for it, and reported once, in the step that
also ends the order. Closing again is safe where opening again is not: a close names its position.
"""

from dataclasses import replace

from contracts.envelope import Envelope
from contracts.trading_reasons import CloseReason
from edge_bridge.engine.deals import find_closing, name_reason
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.entries import keep_order
from edge_bridge.engine.guard import measure_guard, note_close
from edge_bridge.engine.journal import Reconcile, Record
from edge_bridge.engine.models import Order
from edge_bridge.engine.reports import report_closed, report_outcome
from edge_bridge.engine.state import EngineState
from edge_bridge.ports import Deal, TerminalUnavailable

LOOK_BACK_NS = 120_000_000_000
"""Deals are read from this long before the opening: clocks of edge and broker differ."""
NOT_EXECUTED = "not_executed"


class Exits:
    """Watch every desk; close what is due, report what is closed, settle what is open."""

    def __init__(self, state: EngineState, reconcile: Reconcile) -> None:
        self._state, self._reconcile = state, reconcile

    def watch(self) -> None:
        """Read every account, settle, report, close; one write a desk, and only when needed."""
        for desk in list(self._state.desks.values()):
            self.watch_desk(desk)

    def watch_desk(self, desk: Desk) -> None:
        """Bring one desk up to the market time."""
        if not desk.refresh(self._state.now_ns, tuple(self._state.references)):
            desk.reconciled = False
            return
        if not desk.is_settled():
            self._settle(desk)
        self._report_closed(desk)
        self._measure_guard(desk)
        due = [
            (order, reason)
            for order in desk.orders.values()
            if order.state == "filled" and (reason := self._find_exit(desk, order)) is not None
        ]
        if due:
            self.close(desk, due)

    def close(self, desk: Desk, due: list[tuple[Order, CloseReason]]) -> None:
        """Close positions of a desk for the reasons given, and report what is flat then."""
        marked: list[Order] = []
        for order, reason in due:
            known = order.exit_reason
            marked.append(order if known else replace(order, exit_reason=reason))
            desk.orders[order.key] = marked[-1]
        changed = [new for new, (old, _) in zip(marked, due, strict=True) if new is not old]
        if changed:
            self._state.journal.write(records=[order.record for order in changed], quiet=True)
        for order in marked:
            position = desk.find_position(order)
            if position is not None:
                # Whatever the answer is, the deals tell; a refused close is tried again later.
                desk.terminal.close_position(position, magic=order.magic)
        if desk.refresh(self._state.now_ns, ()):
            self._report_closed(desk)

    def _find_exit(self, desk: Desk, order: Order) -> CloseReason | None:
        flat = desk.guard.wants_flat()
        if flat is not None:
            return flat
        if order.exit_reason is not None:
            return order.exit_reason  # a close that was refused, or whose answer was lost
        return "horizon" if order.exit_ns <= self._state.now_ns else None

    def _settle(self, desk: Desk) -> None:
        """Let the broker's books decide orders of unknown outcome and strange positions."""
        now = self._state.clock.now()
        try:
            settlement = self._reconcile(desk.terminal, list(desk.orders.values()), now)
        except TerminalUnavailable:
            desk.reconciled = False
            return
        desk.external, desk.reconciled = settlement.external, True
        events: list[Envelope] = []
        records: list[Record] = []
        for order in list(desk.orders.values()):
            deal = settlement.filled.get(order.order_id)
            settled = order
            if deal is not None:
                settled = _fill(order, deal)
            elif order.order_id in settlement.absent:
                settled = order.move("rejected", reason=NOT_EXECUTED)
            elif order.state == "intended":
                settled = order.move("unknown", reason="interrupted")
            if settled is order:
                continue
            keep_order(desk, settled)
            records.append(settled.record)
            event = report_outcome(settled, now)
            if event is not None:
                events.append(event)
        if records:
            self._state.journal.write(events=events, records=records)

    def _report_closed(self, desk: Desk) -> None:
        """Report positions that are no longer open, once the deals that closed them are booked."""
        gone = [
            order
            for order in desk.orders.values()
            if order.state == "filled" and desk.find_position(order) is None
        ]
        if not gone:
            return
        since_ns = max(1, min(order.opened_ns for order in gone) - LOOK_BACK_NS)
        try:
            deals = desk.terminal.deals_since(since_ns)
        except TerminalUnavailable:
            return
        assert desk.state is not None  # it was just read
        balance, now = desk.state.balance, self._state.clock.now()
        events: list[Envelope] = []
        records: list[Record] = []
        for order in gone:
            found = find_closing(order, deals)
            if found is None:
                continue
            closing, profit = found
            reason = name_reason(order, closing)
            guard = note_close(desk.guard, order.symbol, reason, profit, closing.time_ns)
            if guard is not desk.guard:
                desk.guard = guard
                records.append(self._guard_record(desk))
            closed = order.move("closed", reason=reason, exit_reason=reason)
            keep_order(desk, closed)
            records.append(closed.record)
            events.append(report_closed(closed, closing, profit, balance, now))
        if events:
            self._state.journal.write(events=events, records=records)

    def _measure_guard(self, desk: Desk) -> None:
        """Keep what the loss limits are measured from, and latch what they say."""
        state = self._state
        limits = state.limit_book.find(desk.account)
        plan = state.directory.entitlements.get(desk.account.tenant_id)
        if desk.state is None or limits is None or plan is None or not state.now_ns:
            return
        periods = state.market.calendar.find_periods(plan.time_zone, state.now_ns)
        guard = measure_guard(desk.guard, desk.state, limits, periods)
        if guard is not desk.guard:
            desk.guard = guard
            state.journal.write(records=[self._guard_record(desk)])

    def _guard_record(self, desk: Desk) -> Record:
        return "guard", str(desk.account.account_id), desk.guard.model_dump_json()


def _fill(order: Order, deal: Deal) -> Order:
    return order.move(
        "filled",
        volume=deal.volume,
        price_open=deal.price,
        opened_ns=max(deal.time_ns, 1),
        position=deal.position,
        deal=deal.ticket,
    )
