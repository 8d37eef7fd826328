"""Settle what the edge does not know from what the broker knows.

After a restart or a lost answer an order may or may not exist. The broker's deals decide: a deal
with the order's magic means it was executed; none, once the broker had time enough to book it,
means it never was. Time, symbol, side and volume have to fit too. Nothing is sent again, and
nothing is assumed while the broker does not answer.
Positions that no order of ours opened are external: they count as exposure and hold trading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from edge_bridge.engine.deals import sum_deals
from edge_bridge.engine.journal import Settlement
from edge_bridge.engine.models import Order
from edge_bridge.ports import Books, Deal

LOOK_BACK_NS = 120_000_000_000
"""How far before the oldest decision deals are read: clocks of edge and broker differ."""


LOOKED_KEPT = 10_000


@dataclass(slots=True)
class Reconciler:
    """Compare an account with its broker; ``grace`` is how long a deal may take to be booked."""

    grace: timedelta = timedelta(seconds=3)
    _first_looks: dict[UUID, datetime] = field(default_factory=dict)
    """When an unknown order was looked for first: a wall clock that steps must not shorten the
    grace, nor a restart."""

    def __call__(self, terminal: Books, orders: Sequence[Order], now: datetime) -> Settlement:
        """Judge the account's orders that are not over; ``now`` is of a clock that does not step.

        Raises TerminalUnavailable.
        """
        undecided = [order for order in orders if order.state in ("intended", "unknown")]
        filled: dict[UUID, Deal] = {}
        absent: set[UUID] = set()
        if undecided:
            since_ns = min(order.decided_ns for order in undecided) - LOOK_BACK_NS
            deals = terminal.deals_since(max(1, since_ns))
            for order in undecided:
                entries = [deal for deal in deals if deal.magic == order.magic]
                opened = [deal for deal in entries if _opens(deal, order)]
                if opened and sum(deal.volume for deal in opened) <= order.volume:
                    filled[order.order_id] = sum_deals(opened)
                elif not entries and order.state == "unknown" and self._has_waited(order, now):
                    absent.add(order.order_id)
        # Positions are read after the deals: one that opened in between is ours by its magic.
        ours = {order.magic for order in orders if order.state != "denied"}
        external = tuple(each for each in terminal.positions() if each.magic not in ours)
        waiting = {order.order_id for order in undecided} - filled.keys() - absent
        for order_id in filled.keys() | absent:
            self._first_looks.pop(order_id, None)
        return Settlement(filled, frozenset(absent), frozenset(waiting), external)

    def _has_waited(self, order: Order, now: datetime) -> bool:
        """Whether the outcome is open for long enough: what answers late may also execute late."""
        if len(self._first_looks) >= LOOKED_KEPT:
            self._first_looks.clear()
        return now - self._first_looks.setdefault(order.order_id, now) >= self.grace


def _opens(deal: Deal, order: Order) -> bool:
    """Whether a deal under the order's magic is its own: same symbol and side, and not before it.
    What is not stays undecided, and holds the account until a human has looked."""
    return (
        deal.entry == "in"
        and deal.symbol == order.symbol
        and deal.side == order.direction
        and deal.time_ns >= order.decided_ns - LOOK_BACK_NS
    )
