"""What an engaged kill switch does besides refusing entries: cancels, and flattens when asked to.

Every pending order of the account is cancelled, whoever placed it. Flattening closes our positions
(see exits.py) and the external ones that were adopted: a human asked for a flat account. On an
account that is not linked any more only our own positions are touched: the rest may be another's.
"""

from edge_bridge.engine.desk import Desk
from edge_bridge.engine.state import EngineState
from edge_bridge.ports import CancelRequest, CloseRequest, SymbolUnknown, TerminalUnavailable


class Sweep:
    """Empty the accounts whose switch is engaged."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def sweep(self, desk: Desk) -> None:
        """Hand over what has to go. Asked again until nothing is left: a cancellation or a close
        names its order or position, so a repetition is harmless."""
        if not desk.account.active:
            return
        owner = desk.account.tenant_id
        switches = self._state.switches
        if desk.cancel_due and switches.is_engaged(owner):
            self._cancel(desk)
        if desk.external and switches.is_flattening(owner):
            self._close_external(desk)

    def _cancel(self, desk: Desk) -> None:
        try:
            pending = desk.terminal.pending_orders()
        except (TerminalUnavailable, SymbolUnknown):
            return
        desk.cancel_due = bool(pending)
        state = self._state
        for order in pending:
            if state.acts.may_begin(desk, "cancel", order.ticket, state.now_ns):
                request = CancelRequest(order.ticket, order.symbol)
                state.acts.begin(desk, "cancel", order.ticket, request, now=state.steady())

    def _close_external(self, desk: Desk) -> None:
        state, there = self._state, {each.identifier for each in desk.positions}
        for position in desk.external:
            subject = position.identifier
            if subject in there and state.acts.may_begin(desk, "close", subject, state.now_ns):
                request = CloseRequest(position)
                state.acts.begin(desk, "close", subject, request, now=state.steady())
