"""The trade server's checks of whole requests. Their order is part of the behaviour: the first
rule that does not hold names the refusal.
"""

from typing import NamedTuple

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import DAY_S
from edge_bridge.adapters.paper import rules
from edge_bridge.adapters.paper.arguments import Request
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.booking import market_price
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.rows import OrderRow, PositionRow
from edge_bridge.adapters.paper.rules import Refused, require

_STOP_LIMITS = (c.ORDER_TYPE_BUY_STOP_LIMIT, c.ORDER_TYPE_SELL_STOP_LIMIT)


class Trade(NamedTuple):
    """A request in the server's units."""

    side: int
    volume: int
    price: int
    sl: int
    tp: int
    stoplimit: int = 0
    expiration: int = 0


def check_opening(broker: Broker, book: Book, request: Request) -> Trade:
    """Check a market order that is not a position's close; on a netting account it may reduce."""
    side, settings = request.type, book.settings
    require(side in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL), c.INVALID)
    rules.require_order_type(side, settings)
    volume = rules.require_volume(request.volume, settings)
    rules.require_filling(request.type_filling, settings, pending=False)
    rules.require_market(book)
    price = market_price(book, side)
    if _only_reduces(broker, book, side, volume):
        rules.require_asked_price(book, request, price)
        return Trade(side, volume, price, 0, 0)
    rules.require_direction(side, settings)
    rules.require_asked_price(book, request, price)
    stops = rules.read_stops(request, book)
    rules.require_stops(side, stops, (book.bid, book.ask), settings.stops_level)
    require_room(broker, book, side, volume, pending=False)
    trade = Trade(side, volume, price, *stops)
    require_money(broker, book, trade)
    return trade


def _only_reduces(broker: Broker, book: Book, side: int, volume: int) -> bool:
    if broker.account.hedging:
        return False
    held = broker.ledger.find_net(book.settings.name)
    return held is not None and held.type != side and held.volume >= volume


def check_closing(broker: Broker, book: Book, request: Request, position: PositionRow) -> Trade:
    """Check a market order that closes a position or a part of it."""
    matches = request.symbol == position.symbol and request.type == 1 - position.type
    require(matches, c.INVALID)
    volume = rules.read_volume(request.volume)
    if not volume or volume < 0:
        raise Refused(c.INVALID_VOLUME)
    require(volume <= position.volume, c.INVALID_CLOSE_VOLUME)
    if volume < position.volume:
        rules.require_volume(request.volume, book.settings)
    rules.require_filling(request.type_filling, book.settings, pending=False)
    rules.require_market(book)
    price = market_price(book, request.type)
    rules.require_asked_price(book, request, price)
    rules.require_thawed(book, position)
    require_turn(broker, position)
    return Trade(request.type, volume, price, 0, 0)


def require_turn(broker: Broker, position: PositionRow) -> None:
    """Check that no older position of the symbol must be closed first."""
    if broker.account.fifo_close:
        same = [each for each in broker.ledger.positions.values() if each.symbol == position.symbol]
        require(same[0].identifier == position.identifier, c.FIFO_CLOSE)


def require_room(broker: Broker, book: Book, side: int, volume: int, *, pending: bool) -> None:
    """Check the number of orders and positions and the volume in one direction."""
    ledger, settings, account = broker.ledger, book.settings, broker.account
    grows = not account.hedging and ledger.find_net(settings.name) is not None
    if pending:
        require(len(ledger.orders) < (account.orders_max or len(ledger.orders) + 1), c.LIMIT_ORDERS)
    elif not grows:
        held = len(ledger.positions)
        require(held < (account.positions_max or held + 1), c.LIMIT_POSITIONS)
    if settings.volume_limit:
        net = 0 if account.hedging else 1
        total = volume + sum(
            each.volume if each.type == side else -each.volume * net
            for each in ledger.positions.values()
            if each.symbol == settings.name
        )
        total += sum(
            each.volume_current for each in ledger.orders.values()
            if each.symbol == settings.name and each.type & 1 == side
        )  # fmt: skip
        require(total <= settings.volume_limit, c.LIMIT_VOLUME)


def require_money(broker: Broker, book: Book, trade: Trade) -> None:
    """Check that the equity left after commission covers the margin with this trade; a trade
    that frees margin needs none. Raises NoConversionRate where nothing can be valued."""
    broker.value.find_profit_rate(book, trade.price)
    commission = book.settings.commission_per_lot * trade.volume // 100
    margin = broker.value.measure_margin((book, trade.side, trade.volume, trade.price))
    enough = broker.value.measure_equity() - commission >= margin
    require(enough or margin <= broker.value.measure_margin(), c.NO_MONEY)


def check_pending(broker: Broker, book: Book, request: Request, old: OrderRow | None) -> Trade:
    """Check a waiting order, new or changed. A price that stays is not judged again."""
    kind, settings = request.type, book.settings
    require(c.ORDER_TYPE_BUY_LIMIT <= kind <= c.ORDER_TYPE_SELL_STOP_LIMIT, c.INVALID_ORDER)
    rules.require_order_type(kind, settings)
    side = kind & 1  # types alternate buy, sell
    volume = rules.require_volume(request.volume, settings)
    rules.require_filling(request.type_filling, settings, pending=True)
    rules.require_market(book)
    rules.require_direction(side, settings)
    price = rules.read_price(request.price, book)
    least = max(settings.stops_level, 1)
    stays = old is not None and price == old.price_open
    if not price or not (stays or rules.measure_gap(kind, price, book) >= least):
        raise Refused(c.INVALID_PRICE)
    stoplimit = _check_stop_limit(request, book, price, least)
    stops = rules.read_stops(request, book)
    at = stoplimit or price
    rules.require_stops(side, stops, (at, at), settings.stops_level)
    expiration = find_expiration(broker, settings.expiration_mode, request)
    if old is None:
        require_room(broker, book, side, volume, pending=True)
        broker.value.find_profit_rate(book, price)
        broker.value.measure_trade_margin(book, side, volume, price)
    return Trade(side, volume, price, *stops, stoplimit, expiration)


def _check_stop_limit(request: Request, book: Book, price: int, least: int) -> int:
    """Read the price of the limit order a stop limit order becomes: on the far side of its stop."""
    if request.type not in _STOP_LIMITS:
        return 0
    limit = rules.read_price(request.stoplimit, book)
    if not limit:
        raise Refused(c.INVALID_PRICE)
    gap = price - limit if request.type == c.ORDER_TYPE_BUY_STOP_LIMIT else limit - price
    require(gap >= least, c.INVALID_PRICE)
    return limit


def find_expiration(broker: Broker, allowed: int, request: Request) -> int:
    """Find the second on the broker's clock at which a waiting order ends; 0 = never."""
    kind, now_s = request.type_time, broker.now_ms // 1000
    known = c.ORDER_TIME_GTC <= kind <= c.ORDER_TIME_SPECIFIED_DAY
    require(known and bool(allowed >> kind & 1), c.INVALID_EXPIRATION)
    if kind == c.ORDER_TIME_GTC:
        return 0
    if kind == c.ORDER_TIME_DAY:
        return (now_s // DAY_S + 1) * DAY_S
    last = request.expiration
    if kind == c.ORDER_TIME_SPECIFIED_DAY:
        last = (last // DAY_S + 1) * DAY_S
    require(now_s < last < 2**32, c.INVALID_EXPIRATION)
    return last
