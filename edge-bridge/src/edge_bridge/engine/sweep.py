"""What an engaged kill switch does besides refusing entries: cancels, and flattens when asked to.

Every pending order of the account is cancelled, whoever placed it. Flattening closes our positions
(see exits.py) and the external ones that were adopted: a human asked for a flat account.
"""

from edge_bridge.engine.desk import Desk
from edge_bridge.engine.state import EngineState
from edge_bridge.ports import CancelRequest, CloseRequest, TerminalUnavailable


class Sweep:
    """Empty the accounts whose switch is engaged."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def sweep(self, desk: Desk) -> bool:
        """Hand over what has to go; tell whether anything was. Asked again until nothing is left:
        a cancellation or a close names its order or position, so a repetition is harmless."""
        begun = False
        owner = desk.account.tenant_id
        switches = self._state.switches
        if desk.cancel_due and switches.is_engaged(owner):
            begun = self._cancel(desk)
        if desk.external and switches.is_flattening(owner):
            begun |= self._close_external(desk)
        return begun

    def _cancel(self, desk: Desk) -> bool:
        try:
            pending = desk.terminal.pending_orders()
        except TerminalUnavailable:
            return False
        desk.cancel_due = bool(pending)
        state, begun = self._state, False
        for order in pending:
            if state.acts.may_begin(desk, "cancel", order.ticket, state.now_ns):
                request = CancelRequest(order.ticket, order.symbol)
                state.acts.begin(desk, "cancel", order.ticket, request, state.clock.now())
                begun = True
        return begun

    def _close_external(self, desk: Desk) -> bool:
        state, begun = self._state, False
        for position in desk.external:
            subject = position.identifier
            if state.acts.may_begin(desk, "close", subject, state.now_ns):
                state.acts.begin(desk, "close", subject, CloseRequest(position), state.clock.now())
                begun = True
        return begun
