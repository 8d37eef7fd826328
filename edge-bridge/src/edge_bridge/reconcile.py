"""Settle what the edge does not know from what the broker knows.

After a restart or a lost answer an order may or may not exist. The broker's deals decide: a deal
with the order's magic means it was executed; none, once the broker had time enough to book it,
means it never was. Time, symbol, side and volume have to fit too. Nothing is sent again, and
nothing is assumed while the broker does not answer.
Positions that no order of ours opened are external: they count as exposure and hold trading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from edge_bridge.engine.deals import sum_deals
from edge_bridge.engine.journal import Settlement
from edge_bridge.engine.models import Order
from edge_bridge.ports import Deal, Terminal

LOOK_BACK_NS = 120_000_000_000
"""How far before the oldest decision deals are read: clocks of edge and broker differ."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Compare an account with its broker; ``grace`` is how long a deal may take to be booked."""

    grace: timedelta = timedelta(seconds=3)

    def __call__(self, terminal: Terminal, orders: Sequence[Order], now: datetime) -> Settlement:
        """Judge the account's orders that are not over. Raises TerminalUnavailable."""
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
                elif not entries and order.state == "unknown" and _waited(order, now) >= self.grace:
                    absent.add(order.order_id)
        # Positions are read after the deals: one that opened in between is ours by its magic.
        ours = {order.magic for order in orders if order.state != "denied"}
        external = tuple(each for each in terminal.positions() if each.magic not in ours)
        waiting = {order.order_id for order in undecided} - filled.keys() - absent
        return Settlement(filled, frozenset(absent), frozenset(waiting), external)


def _waited(order: Order, now: datetime) -> timedelta:
    """How long the outcome has been open: a request that answers late may also execute late."""
    return now - (order.unknown_at or order.decided_at)


def _opens(deal: Deal, order: Order) -> bool:
    """Whether a deal under the order's magic is its own: same symbol and side, and not before it.
    What is not stays undecided, and holds the account until a human has looked."""
    return (
        deal.entry == "in"
        and deal.symbol == order.symbol
        and deal.side == order.direction
        and deal.time_ns >= order.decided_ns - LOOK_BACK_NS
    )
