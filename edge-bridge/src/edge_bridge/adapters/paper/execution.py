"""Trade requests at the server: each action is checked by the rules, then executed as one unit."""

from typing import NamedTuple

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import DAY_S
from edge_bridge.adapters.paper.arguments import Request
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.rows import DealRow, OrderRow, PositionRow
from edge_bridge.adapters.paper.rules import (
    Refused,
    Trade,
    check_closing,
    check_opening,
    check_pending,
    read_stops,
    require,
    require_stops,
    require_thawed,
)
from edge_bridge.adapters.paper.valuation import NoConversionRate


class Outcome(NamedTuple):
    """The server's answer in its own units."""

    retcode: int
    order: int = 0
    deal: int = 0
    volume: int = 0
    price: int = 0


def execute(broker: Broker, request: Request) -> Outcome:
    """Check and execute a request; a refusal changes nothing."""
    handler = _HANDLERS.get(request.action)
    if handler is None:
        return Outcome(c.INVALID)
    try:
        return handler(broker, request)
    except Refused as refusal:
        return Outcome(refusal.code)
    except NoConversionRate:
        return Outcome(c.PRICE_OFF)


def check(broker: Broker, request: Request) -> Trade:
    """Check a market order without executing it. Raises Refused."""
    book = broker.books.get(request.symbol)
    if book is None or request.action != c.TRADE_ACTION_DEAL:
        raise Refused(c.INVALID)
    if request.position:
        return check_closing(book, request, _find_position(broker, request.position))
    return check_opening(broker, book, request)


def _find_position(broker: Broker, ticket: int) -> PositionRow:
    position = broker.ledger.positions.get(ticket)
    if position is None:
        raise Refused(c.POSITION_CLOSED)
    return position


def _find_order(broker: Broker, ticket: int) -> OrderRow:
    order = broker.ledger.orders.get(ticket)
    if order is None:
        raise Refused(c.INVALID_ORDER)
    return order


def _execute_deal(broker: Broker, request: Request) -> Outcome:
    trade = check(broker, request)
    if request.position:
        deal = broker.close_position(
            broker.ledger.positions[request.position], trade.volume, c.REASON_EXPERT,
            comment=request.comment, magic=request.magic,
        )  # fmt: skip
    else:
        deal = broker.open_position(_make_order(broker, request, trade), trade.price)
    broker.commit()
    return _answer(deal)


def _answer(deal: DealRow) -> Outcome:
    return Outcome(c.DONE, deal.order, deal.ticket, deal.volume, deal.price)


def _make_order(broker: Broker, request: Request, trade: Trade, expiration: int = 0) -> OrderRow:
    return OrderRow(
        broker.ledger.next_order, request.symbol, request.type, c.ORDER_STATE_PLACED,
        request.type_time, request.type_filling, trade.volume, trade.volume, trade.price,
        trade.sl, trade.tp, broker.now_ms, 0, expiration, request.magic, 0, 0, c.REASON_EXPERT,
        request.comment,
    )  # fmt: skip


def _place_pending(broker: Broker, request: Request) -> Outcome:
    book = broker.books.get(request.symbol)
    if book is None:
        return Outcome(c.INVALID)
    trade = check_pending(broker, book, request, broker.now_ms // 1000, existing=False)
    order = _make_order(broker, request, trade, _find_expiration(broker, request))
    broker.put(order)
    broker.commit()
    return Outcome(c.DONE, order.ticket, 0, trade.volume, trade.price)


def _find_expiration(broker: Broker, request: Request) -> int:
    """Find the second on the broker's clock at which the order ends; 0 = never."""
    if request.type_time == c.ORDER_TIME_GTC:
        return 0
    if request.type_time == c.ORDER_TIME_SPECIFIED:
        return request.expiration
    day = request.expiration if request.type_time == c.ORDER_TIME_SPECIFIED_DAY else 0
    return ((day or broker.now_ms // 1000) // DAY_S + 1) * DAY_S


def _modify_pending(broker: Broker, request: Request) -> Outcome:
    order = _find_order(broker, request.order)
    book = broker.books[order.symbol]
    whole = request._replace(
        symbol=order.symbol, type=order.type, type_filling=order.type_filling,
        volume=order.volume_current / 100,
    )  # fmt: skip
    trade = check_pending(broker, book, whole, broker.now_ms // 1000, existing=True)
    changed = order._replace(
        price_open=trade.price, sl=trade.sl, tp=trade.tp, type_time=request.type_time,
        time_expiration=_find_expiration(broker, whole),
    )  # fmt: skip
    require(changed != order, c.NO_CHANGES)
    broker.put(changed)
    broker.commit()
    return Outcome(c.DONE, order.ticket, 0, trade.volume, trade.price)


def _remove_pending(broker: Broker, request: Request) -> Outcome:
    order = _find_order(broker, request.order)
    require(broker.books[order.symbol].is_open, c.MARKET_CLOSED)
    broker.finish_order(order, c.ORDER_STATE_CANCELED)
    broker.commit()
    return Outcome(c.DONE, order.ticket)


def _move_stops(broker: Broker, request: Request) -> Outcome:
    position = _find_position(broker, request.position)
    book = broker.books[position.symbol]
    require(book.is_open, c.MARKET_CLOSED)
    sl, tp = read_stops(request, book)
    require((sl, tp) != (position.sl, position.tp), c.NO_CHANGES)
    require_thawed(book, position)
    moved = sl * (sl != position.sl), tp * (tp != position.tp)  # what stays is not judged again
    require_stops(position.type, moved, (book.bid, book.ask), book.settings.stops_level)
    broker.put(position._replace(sl=sl, tp=tp, time_update_msc=broker.now_ms))
    broker.commit()
    return Outcome(c.DONE)


def _close_by(broker: Broker, request: Request) -> Outcome:
    """Close two opposite positions against each other: the second one's opening price is the
    closing price of the first, so no spread is paid."""
    first = _find_position(broker, request.position)
    second = _find_position(broker, request.position_by)
    require(first.symbol == second.symbol and first.type != second.type, c.INVALID)
    require(broker.books[first.symbol].is_open, c.MARKET_CLOSED)
    volume = min(first.volume, second.volume)
    ticket, now = broker.ledger.next_order, broker.now_ms
    broker.put(
        OrderRow(
            ticket, first.symbol, c.ORDER_TYPE_CLOSE_BY, c.ORDER_STATE_FILLED, c.ORDER_TIME_GTC,
            c.ORDER_FILLING_FOK, volume, 0, second.price_open, 0, 0, now, now, 0, request.magic,
            first.ticket, second.ticket, c.REASON_EXPERT, request.comment,
        )
    )  # fmt: skip
    deals = [  # the second one closes flat, at its own opening price
        broker.close_position(
            each, volume, c.REASON_EXPERT, comment=request.comment, magic=request.magic,
            price=second.price_open, order_ticket=ticket,
        )
        for each in (first, second)
    ]  # fmt: skip
    broker.commit()
    return _answer(deals[0])


_HANDLERS = {
    c.TRADE_ACTION_DEAL: _execute_deal,
    c.TRADE_ACTION_PENDING: _place_pending,
    c.TRADE_ACTION_SLTP: _move_stops,
    c.TRADE_ACTION_MODIFY: _modify_pending,
    c.TRADE_ACTION_REMOVE: _remove_pending,
    c.TRADE_ACTION_CLOSE_BY: _close_by,
}
