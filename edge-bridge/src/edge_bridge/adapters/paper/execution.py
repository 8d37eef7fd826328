"""Trade requests at the server: each is first checked as a whole, then executed as one unit."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.arguments import Request
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.booking import Execution, book_deal, fill_order
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.checks import (
    Trade,
    check_closing,
    check_opening,
    check_pending,
    require_turn,
)
from edge_bridge.adapters.paper.rows import OrderRow, PositionRow
from edge_bridge.adapters.paper.rules import (
    Refused,
    measure_gap,
    read_stops,
    require,
    require_order_type,
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


class Liquidity(NamedTuple):
    """How much of a market order finds a counterpart: a share of it, or so many hundredths."""

    share: Fraction = Fraction(1)
    volume: int | None = None

    def limit(self, asked: int, step: int) -> int:
        """Give what can be filled of the volume asked for, on the symbol's step."""
        found = int(asked * self.share) if self.volume is None else self.volume
        return max(0, min(asked, found) // step * step)


FULL = Liquidity()


class Plan(NamedTuple):
    """A request that passed its checks: what it would open, and how to do it."""

    apply: Callable[[], Outcome]
    opens: tuple[Book, int, int, int] | None = None


def execute(broker: Broker, request: Request, liquidity: Liquidity = FULL) -> Outcome:
    """Check and execute a request; a refusal changes nothing."""
    try:
        outcome = plan(broker, request, liquidity).apply()
    except Refused as refusal:
        return Outcome(refusal.code)
    except NoConversionRate:
        return Outcome(c.PRICE_OFF)
    broker.commit()
    return outcome


def plan(broker: Broker, request: Request, liquidity: Liquidity = FULL) -> Plan:
    """Check a request without executing it. Raises Refused or NoConversionRate."""
    require(broker.account.trade_allowed, c.TRADE_DISABLED)
    match request.action:
        case c.TRADE_ACTION_DEAL:
            return _plan_deal(broker, request, liquidity)
        case c.TRADE_ACTION_PENDING:
            return _plan_pending(broker, request)
        case c.TRADE_ACTION_SLTP:
            return _plan_stops(broker, request)
        case c.TRADE_ACTION_MODIFY:
            return _plan_change(broker, request)
        case c.TRADE_ACTION_REMOVE:
            return _plan_removal(broker, request)
        case c.TRADE_ACTION_CLOSE_BY:
            return _plan_close_by(broker, request)
    raise Refused(c.INVALID)


def _find_book(broker: Broker, symbol: str) -> Book:
    book = broker.books.get(symbol)
    if book is None:
        raise Refused(c.INVALID)
    return book


def _find_position(broker: Broker, ticket: int) -> PositionRow:
    position = broker.ledger.find_position(ticket)
    if position is None:
        raise Refused(c.POSITION_CLOSED)
    return position


def _find_order(broker: Broker, ticket: int) -> OrderRow:
    order = broker.ledger.orders.get(ticket)
    if order is None:
        raise Refused(c.INVALID_ORDER)
    return order


def _plan_deal(broker: Broker, request: Request, liquidity: Liquidity) -> Plan:
    book = _find_book(broker, request.symbol)
    position = _find_position(broker, request.position) if request.position else None
    closes = position is not None and (broker.account.hedging or request.type != position.type)
    if position is not None and closes:
        trade = check_closing(broker, book, request, position)
    else:
        trade = check_opening(broker, book, request)
    step = book.settings.volume_step
    volume = trade.volume if liquidity is FULL else liquidity.limit(trade.volume, step)
    if volume < trade.volume:
        require(volume > 0 and request.type_filling != c.ORDER_FILLING_FOK, c.REJECT)

    def apply() -> Outcome:
        order = _make_order(broker, request, trade, position if closes else None)
        rest = request.type_filling == c.ORDER_FILLING_RETURN
        deal = fill_order(broker, order, volume, trade.price, keep_rest=rest)
        code = c.DONE if volume == trade.volume else c.DONE_PARTIAL
        return Outcome(code, deal.order, deal.ticket, volume, deal.price)

    opens = None if closes else (book, trade.side, trade.volume, trade.price)
    return Plan(apply, opens)


def _make_order(
    broker: Broker, request: Request, trade: Trade, closes: PositionRow | None = None
) -> OrderRow:
    return OrderRow(
        broker.ledger.next_order, request.symbol, request.type, c.ORDER_STATE_PLACED,
        request.type_time, request.type_filling, trade.volume, trade.volume, trade.price,
        trade.stoplimit, trade.sl, trade.tp, broker.now_ms, 0, trade.expiration, request.magic,
        0 if closes is None else closes.identifier, 0, c.REASON_EXPERT, request.comment,
    )  # fmt: skip


def _plan_pending(broker: Broker, request: Request) -> Plan:
    trade = check_pending(broker, _find_book(broker, request.symbol), request, None)

    def apply() -> Outcome:
        order = _make_order(broker, request, trade)
        broker.put(order)
        return Outcome(c.DONE, order.ticket, 0, trade.volume, trade.price)

    return Plan(apply)


def _require_waiting(broker: Broker, order: OrderRow) -> Book:
    """Check that the market is open and not about to reach the order."""
    book = broker.books[order.symbol]
    require(book.is_open, c.MARKET_CLOSED)
    level = book.settings.freeze_level
    if level and order.type > c.ORDER_TYPE_SELL:
        require(measure_gap(order.type, order.price_open, book) > level, c.FROZEN)
    return book


def _plan_change(broker: Broker, request: Request) -> Plan:
    order = _find_order(broker, request.order)
    book = _require_waiting(broker, order)
    whole = request._replace(
        symbol=order.symbol, type=order.type, type_filling=order.type_filling,
        volume=order.volume_current / 100, stoplimit=request.stoplimit
        or order.price_stoplimit / book.scale,
    )  # fmt: skip
    trade = check_pending(broker, book, whole, order)
    changed = order._replace(
        price_open=trade.price, price_stoplimit=trade.stoplimit, sl=trade.sl, tp=trade.tp,
        type_time=request.type_time, time_expiration=trade.expiration,
    )  # fmt: skip
    require(changed != order, c.NO_CHANGES)

    def apply() -> Outcome:
        broker.put(changed)
        return Outcome(c.DONE, order.ticket, 0, trade.volume, trade.price)

    return Plan(apply)


def _plan_removal(broker: Broker, request: Request) -> Plan:
    order = _find_order(broker, request.order)
    _require_waiting(broker, order)

    def apply() -> Outcome:
        broker.finish_order(order, c.ORDER_STATE_CANCELED)
        return Outcome(c.DONE, order.ticket)

    return Plan(apply)


def _plan_stops(broker: Broker, request: Request) -> Plan:
    position = None
    if not request.position and not broker.account.hedging:
        position = broker.ledger.find_net(request.symbol)
    position = position or _find_position(broker, request.position)
    require(request.symbol in ("", position.symbol), c.INVALID)
    book = broker.books[position.symbol]
    require(book.is_open, c.MARKET_CLOSED)
    sl, tp = read_stops(request, book)
    require((sl, tp) != (position.sl, position.tp), c.NO_CHANGES)
    require_thawed(book, position)
    moved = sl * (sl != position.sl), tp * (tp != position.tp)  # what stays is not judged again
    require_stops(position.type, moved, (book.bid, book.ask), book.settings.stops_level)

    def apply() -> Outcome:
        broker.put(position._replace(sl=sl, tp=tp, time_update_msc=broker.now_ms))
        return Outcome(c.DONE)

    return Plan(apply)


def _plan_close_by(broker: Broker, request: Request) -> Plan:
    """Close two opposite positions against each other: the second one's opening price is the
    closing price of the first, so no spread is paid."""
    require(broker.account.hedging, c.INVALID)
    first = _find_position(broker, request.position)
    second = _find_position(broker, request.position_by)
    require(first.symbol == second.symbol and first.type != second.type, c.INVALID)
    book = broker.books[first.symbol]
    require_order_type(c.ORDER_TYPE_CLOSE_BY, book.settings)
    require(book.is_open, c.MARKET_CLOSED)
    require_turn(broker, min(first, second))

    def apply() -> Outcome:
        volume = min(first.volume, second.volume)
        ticket, now = broker.ledger.next_order, broker.now_ms
        broker.put(
            OrderRow(
                ticket, first.symbol, c.ORDER_TYPE_CLOSE_BY, c.ORDER_STATE_FILLED,
                c.ORDER_TIME_GTC, c.ORDER_FILLING_FOK, volume, 0, second.price_open, 0, 0, 0, now,
                now, 0, request.magic, first.identifier, second.identifier, c.REASON_EXPERT,
                request.comment,
            )
        )  # fmt: skip
        deals = [  # the second one closes flat, at its own opening price
            book_deal(
                broker, each, each.symbol,
                Execution(
                    ticket, 1 - each.type, volume, second.price_open, c.REASON_EXPERT,
                    request.magic, request.comment, close_by=True,
                ),
            )
            for each in (first, second)
        ]  # fmt: skip
        return Outcome(c.DONE, ticket, deals[0].ticket, volume, deals[0].price)

    return Plan(apply)
