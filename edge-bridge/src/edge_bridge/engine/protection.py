"""Looks after open positions as their owner's plan says: break-even, trailing stop, an early part.

Stops move at most once a second of market time and only towards the price; a refused move is tried
again ever later, and given up until a better stop is due. The early part is asked for once: when
its answer is lost, the broker's deals tell, and it is not asked for again.
"""

from contextlib import suppress
from dataclasses import replace

from contracts.trading_limits import ExitPlan
from edge_bridge.engine.desk import Asked, Desk
from edge_bridge.engine.flights import Acts, Answer
from edge_bridge.engine.journal import StorageFull
from edge_bridge.engine.models import Order
from edge_bridge.engine.state import EngineState
from edge_bridge.engine.stops import Move, is_frozen, plan_part, plan_stop
from edge_bridge.ports import (
    CloseRequest,
    Position,
    Rejected,
    StopsRequest,
)

MOVE_EVERY_NS = 1_000_000_000
REFUSALS_MAX = 5


class Protection:
    """Move stops and close parts."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def protect(self, desk: Desk) -> None:
        """Hand over what the plan asks for now."""
        plan = self._state.limits_of(desk.account).exits
        if not (plan.break_even_at or plan.trailing_distance or plan.partial_close_at):
            return
        for order in list(desk.orders.values()):
            position = desk.find_position(order) if order.state == "filled" else None
            if position is not None and order.exit_reason is None:
                self._protect_position(desk, order, position, plan)

    def _protect_position(
        self, desk: Desk, order: Order, position: Position, plan: ExitPlan
    ) -> bool:
        contract = desk.contracts.get(order.symbol)
        quote = desk.read_quote(order.symbol)
        if contract is None or quote is None or not 0 < quote.bid <= quote.ask:
            return False
        rules = contract.instrument
        if is_frozen(position, quote, rules.freeze_level):
            return False
        volume = 0 if order.part_sent else plan_part(position, quote, plan, rules)
        if volume and self._close_part(desk, order, position, volume):
            return True
        move = plan_stop(position, quote, plan, rules)
        return move is not None and self._move(desk, position, move, order, plan)

    def _close_part(self, desk: Desk, order: Order, position: Position, volume: int) -> bool:
        acts, state = self._state.acts, self._state
        subject = position.identifier
        if not acts.may_begin(desk, "part", subject, state.now_ns):
            return False
        if acts.count_refusals(desk, "part", subject) >= REFUSALS_MAX:
            return False
        sent = replace(order, part_sent=True)
        try:
            state.journal.write(records=[sent.record], quiet=True)
        except StorageFull:
            return False  # unwritten, a restart would close another part
        desk.orders[order.key] = sent
        request = CloseRequest(position, volume, magic=order.magic)
        acts.begin(desk, "part", subject, request, now=state.steady(), order_key=order.key)
        return True

    def _move(
        self, desk: Desk, position: Position, move: Move, order: Order, plan: ExitPlan
    ) -> bool:
        state, subject = self._state, position.identifier
        acts: Acts = state.acts
        asked = desk.moving.get(subject)
        if state.now_ns - max(order.moved_ns, asked.at_ns if asked else 0) < MOVE_EVERY_NS:
            return False
        if asked is not None and acts.count_refusals(desk, "stops", subject) >= REFUSALS_MAX:
            if abs(move.stop_loss - asked.stop_loss) < plan.trailing_step:
                return False
            acts.forget(desk, "stops", subject)
        if not acts.may_begin(desk, "stops", subject, state.now_ns):
            return False
        asking = replace(order, asked_stop=move.stop_loss, asked_reason=move.reason)
        with suppress(StorageFull):  # a tighter stop is always allowed; only its reason may be lost
            state.journal.write(records=[asking.record], quiet=True)
        desk.orders[order.key] = asking
        desk.moving[subject] = Asked(move.stop_loss, state.now_ns)
        request = StopsRequest(position, move.stop_loss, position.take_profit)
        acts.begin(desk, "stops", subject, request, now=state.steady(), order_key=order.key)
        return True

    def take_answer(self, answer: Answer) -> None:
        """A part that was refused may be asked for again; one whose answer is lost may not."""
        order = answer.desk.orders.get(answer.order_key)
        refused = answer.purpose == "part" and isinstance(answer.result, Rejected)
        if refused and order is not None and order.state == "filled":
            again = replace(order, part_sent=False)
            answer.desk.orders[order.key] = again
            self._state.journal.write(records=[again.record])
