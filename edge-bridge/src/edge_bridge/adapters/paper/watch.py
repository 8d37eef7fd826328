"""What a tick causes: night swap, expiry, pending orders, stop loss, take profit, stop out."""

from typing import TYPE_CHECKING

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.booking import close_position, fill_order, market_price
from edge_bridge.adapters.paper.rows import OrderRow, PositionRow
from edge_bridge.adapters.paper.swap import charge_swap

if TYPE_CHECKING:
    from edge_bridge.adapters.paper.broker import Broker


def act_on_tick(broker: "Broker", book: Book) -> None:
    """Do everything the symbol's new price and time cause, in the server's order."""
    name = book.settings.name
    held = [each for each in broker.ledger.positions.values() if each.symbol == name]
    charge_swap(broker, book, held)
    for order in [each for each in broker.ledger.orders.values() if each.symbol == name]:
        _act_on_order(broker, book, order)
    for position in held:
        current = broker.ledger.positions.get(position.identifier)
        if current is not None:
            _act_on_position(broker, book, current)
    _stop_out(broker)


def _act_on_order(broker: "Broker", book: Book, order: OrderRow) -> None:
    if order.time_expiration and broker.now_ms >= order.time_expiration * 1000:
        broker.finish_order(order, c.ORDER_STATE_EXPIRED)
        return
    if not book.is_open or not _is_reached(book, order):
        return
    if order.type in (c.ORDER_TYPE_BUY_STOP_LIMIT, c.ORDER_TYPE_SELL_STOP_LIMIT):
        kind = c.ORDER_TYPE_BUY_LIMIT + (order.type & 1)
        broker.put(order._replace(type=kind, price_open=order.price_stoplimit, price_stoplimit=0))
        return
    volume = _find_volume(broker, order)
    if not volume:
        broker.finish_order(order, c.ORDER_STATE_CANCELED)
        return
    side = order.type & 1  # types alternate buy, sell
    price = market_price(book, side)
    margin = broker.value.measure_margin((book, side, volume, price))
    closes = order.position_id not in (0, order.ticket)
    short = broker.value.measure_equity() < margin and margin > broker.value.measure_margin()
    if short and not closes:
        broker.finish_order(order, c.ORDER_STATE_REJECTED, "no money")
    else:
        fill_order(broker, order, volume, price, keep_rest=False)


def _find_volume(broker: "Broker", order: OrderRow) -> int:
    """What an order may still do: the rest of a close not more than is left of its position."""
    if not broker.account.hedging or order.position_id in (0, order.ticket):
        return order.volume_current
    position = broker.ledger.positions.get(order.position_id)
    return 0 if position is None else min(order.volume_current, position.volume)


def _is_reached(book: Book, order: OrderRow) -> bool:
    at = order.price_open
    if order.type <= c.ORDER_TYPE_SELL:  # the rest of a market order
        return True
    if order.type == c.ORDER_TYPE_BUY_LIMIT:
        return book.ask <= at
    if order.type in (c.ORDER_TYPE_BUY_STOP, c.ORDER_TYPE_BUY_STOP_LIMIT):
        return book.ask >= at
    if order.type == c.ORDER_TYPE_SELL_LIMIT:
        return book.bid >= at
    return book.bid <= at


def _act_on_position(broker: "Broker", book: Book, position: PositionRow) -> None:
    if position.type == c.ORDER_TYPE_BUY:
        stopped = position.sl and book.bid <= position.sl
        taken = position.tp and book.bid >= position.tp
    else:
        stopped = position.sl and book.ask >= position.sl
        taken = position.tp and book.ask <= position.tp
    if stopped:
        reason, comment = c.REASON_SL, f"[sl {_show(book, position.sl)}]"
    elif taken:
        reason, comment = c.REASON_TP, f"[tp {_show(book, position.tp)}]"
    else:
        return
    if book.is_open:
        close_position(broker, position, position.volume, reason, comment)


def _stop_out(broker: "Broker") -> None:
    """Close the worst position while equity is below the stop-out level."""
    for _ in range(len(broker.ledger.positions)):
        slack = broker.value.measure_slack()
        tradable = [
            each for each in broker.ledger.positions.values() if broker.books[each.symbol].is_open
        ]
        if slack is None or slack >= 0 or not tradable:
            return
        equity, margin = broker.value.measure_equity(), broker.value.measure_margin()
        worst = min(tradable, key=lambda each: broker.value.measure_floating(each) + each.swap)
        comment = f"[so {100 * equity / margin:.1f}%/{equity / 100:.2f}]"[:29]
        close_position(broker, worst, worst.volume, c.REASON_SO, comment)


def _show(book: Book, price: int) -> str:
    return f"{price / book.scale:.{book.settings.digits}f}"
