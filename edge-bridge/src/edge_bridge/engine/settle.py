"""Our books against the broker's: at the start, after each reconnection, and every so often.

Orders of unknown outcome are settled by the broker's deals. Positions that no order of ours opened
are adopted as external: they count as exposure, are told once, and hold the account's entries until
they are gone or a human has acknowledged them by releasing the tenant's kill switch.
"""

from datetime import datetime

from edge_bridge.engine.desk import Desk
from edge_bridge.engine.differences import Changes, Difference
from edge_bridge.engine.journal import Reconcile, Settlement
from edge_bridge.engine.models import Order
from edge_bridge.engine.reports import report_outcome
from edge_bridge.engine.sending import keep_order, note_unknown
from edge_bridge.engine.state import EngineState
from edge_bridge.ports import Deal, TerminalUnavailable

NOT_EXECUTED = "not_executed"


class Books:
    """Compare every desk with its broker."""

    def __init__(self, state: EngineState, reconcile: Reconcile) -> None:
        self._state, self._reconcile = state, reconcile

    def settle_if_due(self, desk: Desk) -> None:
        """Compare a desk that is not settled, or was compared too long ago."""
        steady, last = self._state.steady(), desk.reconciled_at
        due = last is None or steady - last >= self._state.timing.reconcile_every
        if due or not desk.is_settled() or desk.has_strangers():
            self.settle(desk, self._state.clock.now(), steady)

    def settle(self, desk: Desk, now: datetime, steady: datetime) -> None:
        """Let the broker's books decide; nothing is assumed while the broker does not answer."""
        state = self._state
        flying = {each.order.magic for each in state.in_flight.values() if each.desk is desk}
        orders = [each for each in desk.orders.values() if each.magic not in flying]
        try:
            settlement = self._reconcile(desk.books, orders, steady)
        except TerminalUnavailable:
            desk.reconciled = False
            return
        desk.reconciled, desk.reconciled_at = True, steady
        desk.cancel_due |= state.switches.is_engaged(desk.account.tenant_id)
        desk.external = tuple(each for each in settlement.external if each.magic not in flying)
        changes = Changes()
        for order in orders:
            self._settle_order(desk, order, settlement, now, changes)
        self._adopt(desk, now, changes)
        desk.held = state.differences.holds(desk.account.account_id)
        if changes:
            state.journal.write(events=changes.events, records=changes.records)

    def _settle_order(
        self, desk: Desk, order: Order, settlement: Settlement, now: datetime, into: Changes
    ) -> None:
        state, deal = self._state, settlement.filled.get(order.order_id)
        settled = order
        if deal is not None:
            settled = _fill(order, deal)
        elif order.order_id in settlement.absent:
            settled = order.move("rejected", reason=NOT_EXECUTED)
            state.ended.note(settled)
        elif order.state == "intended":
            settled = order.move("unknown", reason="interrupted", unknown_at=now)
        if settled is order:
            return
        keep_order(desk, settled)
        into.records.append(settled.record)
        event = report_outcome(settled, now)
        if event is None:
            note_unknown(state, desk, settled, now, into)
            return
        into.events.append(event)
        name = f"order_unknown/{order.order_id}"
        state.differences.settle(desk.account, name, now, into)

    def _adopt(self, desk: Desk, now: datetime, into: Changes) -> None:
        """Take in external positions that are new, let go of those that are gone.

        One under the magic of an order that was told not to be executed is that order, executed
        after all. What was told stays told: it is external, named by the order's id.
        """
        differences, account = self._state.differences, desk.account
        there: set[str] = set()
        for position in desk.external:
            found = Difference(
                account_id=account.account_id, kind="external_position",
                subject=str(position.identifier), volume=position.volume, symbol=position.symbol,
            )  # fmt: skip
            there.add(found.subject)
            late = self._state.ended.find(account.account_id, position.magic)
            differences.note(account, found, now, into, position=position.ticket, order_id=late)
        for known in differences.of(account.account_id, "external_position"):
            if known.subject not in there:
                differences.tell_gone(account, known, now, into)
                differences.settle(account, known.name, now, into)


def _fill(order: Order, deal: Deal) -> Order:
    return order.move(
        "filled",
        volume=deal.volume,
        price_open=deal.price,
        opened_ns=max(deal.time_ns, 1),
        position=deal.position,
        deal=deal.ticket,
    )
