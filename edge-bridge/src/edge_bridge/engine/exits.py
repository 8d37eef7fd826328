"""From an open position to a flat one: stops and targets at the terminal, time exits, kills.

A close is found in the broker's deals, whoever asked for it, and reported once, in the step that
also ends the order. Closing again is safe where opening again is not: a close names its position.
Still only one request at a time touches a position, and the broker's truth is read before the next.
"""

from collections.abc import Sequence

from contracts.envelope import Envelope
from contracts.trading_engine import KillSwitchChanged
from contracts.trading_reasons import CloseReason
from edge_bridge.engine.deals import find_closing, name_reason
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.differences import Changes
from edge_bridge.engine.guard import measure_guard, note_close
from edge_bridge.engine.journal import Reconcile, Record, StorageFull
from edge_bridge.engine.models import Order
from edge_bridge.engine.position_watch import (
    PositionWatch,
    note_missing,
    read_deals,
    settle_missing,
)
from edge_bridge.engine.protection import Protection
from edge_bridge.engine.reports import report_closed
from edge_bridge.engine.sending import keep_order
from edge_bridge.engine.settle import Books
from edge_bridge.engine.state import EngineState
from edge_bridge.engine.sweep import Sweep
from edge_bridge.ports import CloseRequest

SECOND_NS = 1_000_000_000


class Exits:
    """Watch every desk; close what is due, report what is closed, settle what is open."""

    def __init__(self, state: EngineState, reconcile: Reconcile) -> None:
        self._state = state
        self._books = Books(state, reconcile)
        self._watching, self._protection = PositionWatch(state), Protection(state)
        self._sweep = Sweep(state)

    def watch(self) -> None:
        """Read every account, settle, report, close; one write a desk, and only when needed."""
        self.watch_desks(list(self._state.desks.values()))

    def watch_desks(self, desks: Sequence[Desk]) -> None:
        """Bring desks up to the market time: all that is due is handed over before any answer is
        looked for."""
        for desk in desks:
            self._look_at(desk)
        if len(self._state.acts):
            self.collect_acts()

    def _look_at(self, desk: Desk) -> None:
        if not desk.refresh(self._state.now_ns, tuple(self._state.references)):
            desk.reconciled = False
            return
        self._books.settle_if_due(desk)
        self._watching.compare(desk)
        self._report_closed(desk)
        self._measure_guard(desk)
        self._tell_latch(desk)
        due = [
            (order, reason)
            for order in desk.orders.values()
            if order.state == "filled" and (reason := self._find_exit(desk, order)) is not None
        ]
        if due:
            self.close(desk, due)
        self._sweep.sweep(desk)
        self._protection.protect(desk)

    def close(self, desk: Desk, due: list[tuple[Order, CloseReason]]) -> None:
        """Ask for positions of a desk to be closed, for the reasons given."""
        state = self._state
        marked: list[Order] = []
        for order, reason in due:
            known = order.exit_reason
            marked.append(order if known else order.change(exit_reason=reason))
            desk.orders[order.key] = marked[-1]
        changed = [new for new, (old, _) in zip(marked, due, strict=True) if new is not old]
        if changed:
            try:
                state.journal.write(records=[order.record for order in changed], quiet=True)
            except StorageFull:  # leaving a position is always allowed; only the reason may be lost
                state.journal.write(records=[order.record for order in changed])
        now = state.steady()
        for order in marked:
            position = desk.find_position(order)
            if position is not None and state.acts.may_begin(
                desk, "close", order.position, state.now_ns
            ):
                # Whatever the answer is, the deals tell; a refused close is tried again later.
                request = CloseRequest(position, magic=order.magic)
                state.acts.begin(
                    desk, "close", order.position, request, now=now, order_key=order.key
                )

    def collect_acts(self) -> int:
        """Take the answers of closes, moves and cancellations; return how many are under way."""
        state = self._state
        answered: dict[int, Desk] = {}
        for answer in state.acts.collect(state.steady(), state.now_ns):
            self._protection.take_answer(answer)
            answered[id(answer.desk)] = answer.desk
        for desk in answered.values():
            if desk.refresh(state.now_ns, ()):
                self._watching.compare(desk)
                self._report_closed(desk)
        return len(state.acts)

    def due_ns(self, desk: Desk, order: Order) -> int:
        """Market time at which an open position has to go."""
        seconds = self._state.limits_of(desk.account).exits.time_exit_s
        early_ns = order.opened_ns + seconds * SECOND_NS
        return min(order.exit_ns, early_ns) if seconds else order.exit_ns

    def _find_exit(self, desk: Desk, order: Order) -> CloseReason | None:
        flat = desk.guard.wants_flat()
        if flat is not None:
            return flat
        if order.exit_reason is not None:
            return order.exit_reason  # a close that was refused, or whose answer was lost
        if self._state.switches.is_flattening(desk.account.tenant_id):
            return "kill_switch"
        if order.exit_ns <= self._state.now_ns:
            return "horizon"
        if self.due_ns(desk, order) <= self._state.now_ns:
            return "time_exit"
        return "manual" if self._state.market_over else None

    def _tell_latch(self, desk: Desk) -> None:
        """Report that an account's own limits latched it, once a latch."""
        state, account_id = self._state, desk.account.account_id
        reason = desk.guard.killed or ""
        if reason == state.told_killed.get(account_id, ""):
            return
        state.told_killed[account_id] = reason
        now = state.clock.now()
        changed = KillSwitchChanged(
            scope="account", account_id=account_id, version=0, engaged=bool(reason),
            flatten=reason == "drawdown", reason=reason, changed_at=now,
        )  # fmt: skip
        state.journal.write(
            events=[Envelope.wrap(changed, tenant_id=desk.account.tenant_id, now=now)],
            records=[("told_killed", str(account_id), reason)],
        )

    def _report_closed(self, desk: Desk) -> None:
        """Report positions that are no longer open, once the deals that closed them are booked."""
        gone = [
            order
            for order in desk.orders.values()
            if order.state == "filled" and desk.find_position(order) is None
        ]
        deals = read_deals(desk, gone) if gone else None
        if deals is None:
            return
        assert desk.state is not None  # it was just read
        balance, now = desk.state.balance, self._state.clock.now()
        changes = Changes()
        events, records = changes.events, changes.records
        for order in gone:
            found = find_closing(order, deals)
            if found is None:
                note_missing(self._state, desk, order, now, changes)
                continue
            settle_missing(self._state, desk, order, now, changes)
            desk.moving.pop(order.position, None)
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
        if changes:
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
