"""What happened to open positions since the last look: parts closed, stops moved, odd volumes.

The broker's positions and deals are the truth, whoever acted. So a change is reported from what was
read, never from an answer, and each one once, in the step that also notes it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from edge_bridge.engine.desk import Desk
from edge_bridge.engine.differences import Changes, Difference
from edge_bridge.engine.models import Order
from edge_bridge.engine.reports import report_reduced, report_stops
from edge_bridge.engine.state import EngineState
from edge_bridge.ports import Deal, Position, TerminalUnavailable

LOOK_BACK_NS = 120_000_000_000
"""Deals are read from this long before the opening: clocks of edge and broker differ."""


def read_deals(desk: Desk, orders: Sequence[Order]) -> Sequence[Deal] | None:
    """The deals since the oldest of these orders opened; None while the broker is silent."""
    since_ns = max(1, min(order.opened_ns for order in orders) - LOOK_BACK_NS)
    try:
        return desk.books.deals_since(since_ns)
    except TerminalUnavailable:
        return None


class PositionWatch:
    """Compare open positions with our orders."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def compare(self, desk: Desk) -> None:
        """Report parts that were closed and stops that moved."""
        held = [
            (order, position)
            for order in desk.orders.values()
            if order.state == "filled" and (position := desk.find_position(order)) is not None
        ]
        if not held:
            return
        now, changes = self._state.clock.now(), Changes()
        for order, position in held:
            self._compare_stops(desk, order, position, now, changes)
        uneven = [
            (desk.orders[order.key], position)
            for order, position in held
            if position.volume != order.volume_left
        ]
        if uneven:
            deals = read_deals(desk, [order for order, _ in uneven])
            for order, position in uneven if deals is not None else ():
                self._compare_volume(desk, order, position, deals or (), changes)
        if changes:
            self._state.journal.write(events=changes.events, records=changes.records)

    def _compare_stops(
        self, desk: Desk, order: Order, position: Position, now: datetime, into: Changes
    ) -> None:
        seen = position.stop_loss, position.take_profit
        if seen == (order.stop_loss, order.take_profit):
            return
        ours = order.asked_reason is not None and order.asked_stop == position.stop_loss
        reason = order.asked_reason if ours and order.asked_reason else "external"
        moved = replace(order, stop_loss=seen[0], take_profit=seen[1], moved_ns=self._state.now_ns)
        desk.orders[order.key] = moved
        into.records.append(moved.record)
        into.events.append(report_stops(moved, reason, now))

    def _compare_volume(
        self,
        desk: Desk,
        order: Order,
        position: Position,
        deals: Sequence[Deal],
        into: Changes,
    ) -> None:
        now = self._state.clock.now()
        own = [deal for deal in deals if deal.position == order.position]
        opened = sum(deal.volume for deal in own if deal.entry == "in")
        if opened > order.volume:  # more was executed than the answer said
            order = replace(order, volume=opened)
            desk.orders[order.key] = order
            into.records.append(order.record)
        exits = [deal for deal in own if deal.entry in ("out", "out_by")]
        for deal in sorted(exits, key=lambda each: each.ticket):
            left = order.volume_left - deal.volume
            if deal.ticket > order.reduced_deal and left > 0:
                order = replace(
                    order, reduced=order.reduced + deal.volume, reduced_deal=deal.ticket
                )
                desk.orders[order.key] = order
                into.records.append(order.record)
                into.events.append(report_reduced(order, deal, now))
        if order.volume_left == position.volume:
            settle_missing(self._state, desk, order, now, into)
        else:
            note_missing(self._state, desk, order, now, into, position=position)


def note_missing(
    state: EngineState,
    desk: Desk,
    order: Order,
    now: datetime,
    into: Changes,
    *,
    position: Position | None = None,
) -> None:
    """The broker's deals do not explain what was seen: hold the account once that lasts."""
    since = desk.missing_since.setdefault(order.key, state.steady())
    if state.steady() - since < state.timing.missing_grace:
        return
    found = Difference(
        account_id=order.account_id,
        kind="position_missing" if position is None else "volume_differs",
        subject=str(order.position), symbol=order.symbol,
        volume=order.volume_left if position is None else position.volume,
    )  # fmt: skip
    state.differences.note(
        desk.account, found, now, into, position=order.position, order_id=order.order_id
    )
    desk.held = state.differences.holds(order.account_id)


def settle_missing(
    state: EngineState, desk: Desk, order: Order, now: datetime, into: Changes
) -> None:
    """The deals explain it after all."""
    desk.missing_since.pop(order.key, None)
    for kind in ("position_missing", "volume_differs"):
        state.differences.settle(desk.account, f"{kind}/{order.position}", now, into)
    desk.held = state.differences.holds(order.account_id)
