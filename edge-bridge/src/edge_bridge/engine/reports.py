"""What the outside hears of a signal's fate: one prediction a tenant, one outcome an account."""

from datetime import datetime

from contracts.envelope import Envelope, Message, Meta
from contracts.trading_engine import (
    AccountConfirmed,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionReduced,
    PredictionDelivered,
    StopsMoved,
)
from edge_bridge.engine.desk import StopsReason
from edge_bridge.engine.directory import Account
from edge_bridge.engine.models import Delivery, Order
from edge_bridge.engine.state import to_instant
from edge_bridge.ports import Deal


def wrap(order: Order, data: Message, now: datetime) -> Envelope:
    """An envelope of the order's tenant, linked to the signal."""
    return Envelope.wrap(data, tenant_id=order.tenant_id, now=now, cause=order.cause)


def confirm_account(account: Account, version: int, cause: Meta, now: datetime) -> Envelope:
    """The edge knows of the account's linking or unlinking."""
    data = AccountConfirmed(account_id=account.account_id, version=version, active=account.active)
    return Envelope.wrap(data, tenant_id=account.tenant_id, now=now, cause=cause)


def report_delivery(delivery: Delivery, now: datetime) -> Envelope:
    """A tenant got its signal."""
    signal = delivery.signal
    data = PredictionDelivered(
        signal_id=signal.signal_id, symbol=signal.symbol, visible_at=to_instant(delivery.due_ns)
    )
    return Envelope.wrap(data, tenant_id=delivery.tenant_id, now=now, cause=delivery.cause)


def report_prediction(order: Order) -> Envelope:
    """The same, told by an order that an earlier process left behind."""
    data = PredictionDelivered(
        signal_id=order.signal_id, symbol=order.symbol, visible_at=to_instant(order.visible_ns)
    )
    return wrap(order, data, order.decided_at)


def report_denial(order: Order) -> Envelope:
    """Our own checks refused."""
    assert order.denial is not None  # only denied orders come here
    data = OrderDenied(
        order_id=order.order_id,
        account_id=order.account_id,
        signal_id=order.signal_id,
        symbol=order.symbol,
        direction=order.direction,
        reason=order.denial,
        denied_at=to_instant(order.decided_ns),
    )
    return wrap(order, data, order.decided_at)


def report_outcome(order: Order, now: datetime) -> Envelope | None:
    """The order's one outcome event; None while the outcome is open."""
    data: OrderFilled | OrderRejected
    if order.state == "filled":
        data = OrderFilled(
            order_id=order.order_id, account_id=order.account_id, signal_id=order.signal_id,
            symbol=order.symbol, digits=order.digits, direction=order.direction,
            volume=order.volume, price=order.price_open, stop_loss=order.stop_loss,
            take_profit=order.take_profit, position_ticket=order.position,
            deal_ticket=order.deal, filled_at=to_instant(order.opened_ns),
            order_path_us=order.order_path_us,
        )  # fmt: skip
    elif order.state == "rejected":
        data = OrderRejected(
            order_id=order.order_id, account_id=order.account_id, signal_id=order.signal_id,
            symbol=order.symbol, direction=order.direction, volume=order.volume,
            retcode=order.retcode, reason=order.reason,
            rejected_at=to_instant(order.decided_ns), order_path_us=order.order_path_us,
        )  # fmt: skip
    else:
        return None
    return wrap(order, data, now)


def report_closed(
    order: Order, closing: Deal, profit: int, balance: int, now: datetime
) -> Envelope:
    """The position is flat. `order` is the closed one; money in minor units.

    Volume, price and profit are of the whole position, the parts closed before included.
    """
    data = PositionClosed(
        order_id=order.order_id, account_id=order.account_id, signal_id=order.signal_id,
        symbol=order.symbol, digits=order.digits, direction=order.direction, volume=order.volume,
        position_ticket=order.position, price_open=order.price_open, price_close=closing.price,
        profit_cents=profit, balance_cents=balance, reason=order.exit_reason or "manual",
        opened_at=to_instant(order.opened_ns),
        closed_at=to_instant(max(closing.time_ns, order.opened_ns)),
    )  # fmt: skip
    return wrap(order, data, now)


def report_reduced(order: Order, deal: Deal, now: datetime) -> Envelope:
    """A part was closed. `order` knows of it already."""
    data = PositionReduced(
        order_id=order.order_id, account_id=order.account_id, symbol=order.symbol,
        deal_ticket=deal.ticket, volume_closed=deal.volume, volume_left=order.volume_left,
        price=deal.price, profit_cents=deal.profit + deal.commission + deal.swap,
        reduced_at=to_instant(deal.time_ns),
    )  # fmt: skip
    return wrap(order, data, now)


def report_stops(order: Order, reason: StopsReason, now: datetime) -> Envelope:
    """Stop or target changed. `order` has the new ones."""
    data = StopsMoved(
        order_id=order.order_id, account_id=order.account_id, symbol=order.symbol,
        stop_loss=order.stop_loss, take_profit=order.take_profit, reason=reason,
        moved_at=to_instant(order.moved_ns),
    )  # fmt: skip
    return wrap(order, data, now)
