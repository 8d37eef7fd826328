"""What a broker's deals add up to."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.trading_reasons import CloseReason
from edge_bridge.engine.models import Order
from edge_bridge.ports import Deal

_REASONS: dict[str, CloseReason] = {"sl": "stop_loss", "tp": "take_profit", "so": "stop_out"}


def sum_deals(deals: Sequence[Deal]) -> Deal:
    """One deal that stands for several of the same position: volumes and money added up, the
    price weighted by volume and rounded half up, the last one's time and reason."""
    volume = sum(deal.volume for deal in deals)
    weighted = sum(deal.price * deal.volume for deal in deals)
    return replace(
        deals[-1],
        volume=volume,
        price=(2 * weighted + volume) // (2 * volume),
        profit=sum(deal.profit for deal in deals),
        commission=sum(deal.commission for deal in deals),
        swap=sum(deal.swap for deal in deals),
    )


def find_closing(order: Order, deals: Sequence[Deal]) -> tuple[Deal, int] | None:
    """The deals that closed an order's position as one, and its profit with all costs.

    None while some of the volume is still open.
    """
    own = [deal for deal in deals if deal.position == order.position]
    exits = [deal for deal in own if deal.entry in ("out", "out_by")]
    if not exits or sum(deal.volume for deal in exits) < order.volume:
        return None
    return sum_deals(exits), sum(deal.profit + deal.commission + deal.swap for deal in own)


def name_reason(order: Order, closing: Deal) -> CloseReason:
    """Why a position was closed; ours when a program of ours asked, else somebody's hand."""
    known = _REASONS.get(closing.reason)
    if known is not None:
        return known
    return order.exit_reason or "manual"
