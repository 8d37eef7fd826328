"""The trade server's checks: each raises Refused with its retcode when something is against it.

The order of the checks is part of the behaviour: the first one that fails names the refusal.
"""

from typing import NamedTuple

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.arguments import Request
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.rows import PositionRow
from edge_bridge.adapters.paper.settings import SymbolSettings

_PRICE_ERROR_MAX = 1e-4
"""How far a float may be from a whole point: more than any rounding, less than a typing error."""
_VOLUME_ERROR_MAX = 1e-6


class Refused(Exception):
    """The server does not accept a request; `code` is the retcode it answers with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Trade(NamedTuple):
    """A request in the server's units."""

    side: int
    volume: int
    price: int
    sl: int
    tp: int


def read_volume(value: float) -> int | None:
    """Read lots as hundredths; None when they are not whole hundredths."""
    hundredths = round(value * 100)
    return hundredths if abs(value * 100 - hundredths) < _VOLUME_ERROR_MAX else None


def read_price(value: float, book: Book) -> int | None:
    """Read a price as points; None when it is not on the symbol's price grid."""
    points = round(value * book.scale)
    if points < 0 or abs(value * book.scale - points) > _PRICE_ERROR_MAX:
        return None
    return points if points % book.settings.tick_size == 0 else None


def require(condition: bool, code: int) -> None:
    """Refuse with a code unless a condition holds."""
    if not condition:
        raise Refused(code)


def require_volume(value: float, settings: SymbolSettings) -> int:
    """Read a volume within the symbol's limits and on its step."""
    volume = read_volume(value)
    if (
        volume is None
        or not settings.volume_min <= volume <= settings.volume_max
        or volume % settings.volume_step
    ):
        raise Refused(c.INVALID_VOLUME)
    return volume


def require_filling(filling: int, settings: SymbolSettings, *, pending: bool) -> None:
    """Check that the symbol's execution allows a filling mode."""
    if filling == c.ORDER_FILLING_RETURN:
        allowed = pending or settings.execution == c.SYMBOL_TRADE_EXECUTION_EXCHANGE
    elif filling == c.ORDER_FILLING_FOK:
        allowed = is_quoted(settings) or bool(settings.filling_mode & c.SYMBOL_FILLING_FOK)
    else:
        allowed = not is_quoted(settings) and filling == c.ORDER_FILLING_IOC
        allowed = allowed and bool(settings.filling_mode & c.SYMBOL_FILLING_IOC)
    require(allowed, c.INVALID_FILL)


def is_quoted(settings: SymbolSettings) -> bool:
    """Whether the price asked for counts: Instant and Request execution."""
    return settings.execution in (
        c.SYMBOL_TRADE_EXECUTION_REQUEST,
        c.SYMBOL_TRADE_EXECUTION_INSTANT,
    )


def require_market(book: Book) -> None:
    """Check that the symbol trades now and has quotes."""
    require(book.settings.trade_mode != c.SYMBOL_TRADE_MODE_DISABLED, c.TRADE_DISABLED)
    require(book.is_open, c.MARKET_CLOSED)
    require(book.has_quotes, c.PRICE_OFF)


def require_direction(side: int, settings: SymbolSettings) -> None:
    """Check that the symbol may be opened in a direction."""
    mode, buy = settings.trade_mode, side == c.ORDER_TYPE_BUY
    require(mode != c.SYMBOL_TRADE_MODE_CLOSEONLY, c.CLOSE_ONLY)
    require(mode != c.SYMBOL_TRADE_MODE_LONGONLY or buy, c.LONG_ONLY)
    require(mode != c.SYMBOL_TRADE_MODE_SHORTONLY or not buy, c.SHORT_ONLY)


def require_asked_price(book: Book, request: Request, price: int) -> None:
    """Check the price asked for against the market, where it counts."""
    if is_quoted(book.settings):
        asked = read_price(request.price, book)
        if not asked:
            raise Refused(c.INVALID_PRICE)
        require(abs(price - asked) <= request.deviation, c.REQUOTE)


def read_stops(request: Request, book: Book) -> tuple[int, int]:
    """Read stop loss and take profit as points."""
    sl, tp = read_price(request.sl, book), read_price(request.tp, book)
    if sl is None or tp is None:
        raise Refused(c.INVALID_STOPS)
    return sl, tp


def require_stops(side: int, stops: tuple[int, int], closing: tuple[int, int], level: int) -> None:
    """Check the distance of stop and target from the prices a position closes at (bid, ask)."""
    (sl, tp), (bid, ask), least = stops, closing, max(level, 1)
    if side == c.ORDER_TYPE_BUY:
        kept = (not sl or bid - sl >= least) and (not tp or tp - bid >= least)
    else:
        kept = (not sl or sl - ask >= least) and (not tp or ask - tp >= least)
    require(kept, c.INVALID_STOPS)


def require_room(broker: Broker, book: Book, side: int, volume: int, *, pending: bool) -> None:
    """Check the number of orders and positions and the volume in one direction."""
    ledger, settings, account = broker.ledger, book.settings, broker.account
    if pending:
        require(len(ledger.orders) < account.orders_max, c.LIMIT_ORDERS)
    else:
        require(len(ledger.positions) < account.positions_max, c.LIMIT_POSITIONS)
    if settings.volume_limit:
        held = sum(
            each.volume for each in ledger.positions.values()
            if each.symbol == settings.name and each.type == side
        ) + sum(
            each.volume_current for each in ledger.orders.values()
            if each.symbol == settings.name and each.type & 1 == side
        )  # fmt: skip
        require(held + volume <= settings.volume_limit, c.LIMIT_VOLUME)


def require_money(broker: Broker, book: Book, trade: Trade) -> None:
    """Check that the equity left after commission covers the margin with this trade."""
    commission = book.settings.commission_per_lot * trade.volume // 100
    margin = broker.value.measure_margin((book, trade.side, trade.volume, trade.price))
    require(broker.value.measure_equity() - commission >= margin, c.NO_MONEY)


def check_opening(broker: Broker, book: Book, request: Request) -> Trade:
    """Check a market order that opens a position; give it in the server's units."""
    side, settings = request.type, book.settings
    require(side in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL), c.INVALID)
    volume = require_volume(request.volume, settings)
    require_filling(request.type_filling, settings, pending=False)
    require_market(book)
    require_direction(side, settings)
    price = book.ask if side == c.ORDER_TYPE_BUY else book.bid
    require_asked_price(book, request, price)
    stops = read_stops(request, book)
    require_stops(side, stops, (book.bid, book.ask), settings.stops_level)
    require_room(broker, book, side, volume, pending=False)
    trade = Trade(side, volume, price, *stops)
    require_money(broker, book, trade)
    return trade


def check_closing(book: Book, request: Request, position: PositionRow) -> Trade:
    """Check a market order that closes a position or a part of it."""
    matches = request.symbol == position.symbol and request.type == 1 - position.type
    require(matches, c.INVALID)
    volume = read_volume(request.volume)
    if not volume or volume < 0:
        raise Refused(c.INVALID_VOLUME)
    require(volume <= position.volume, c.INVALID_CLOSE_VOLUME)
    if volume < position.volume:
        require_volume(request.volume, book.settings)
    require_filling(request.type_filling, book.settings, pending=False)
    require_market(book)
    price = book.bid if position.type == c.ORDER_TYPE_BUY else book.ask
    require_asked_price(book, request, price)
    require_thawed(book, position)
    return Trade(request.type, volume, price, 0, 0)


def require_thawed(book: Book, position: PositionRow) -> None:
    """Check that stop and target are not so near that the server is about to execute them."""
    level = book.settings.freeze_level
    price = book.bid if position.type == c.ORDER_TYPE_BUY else book.ask
    near = any(stop and abs(price - stop) <= level for stop in (position.sl, position.tp))
    require(not (level and near), c.FROZEN)


def check_pending(
    broker: Broker, book: Book, request: Request, now_s: int, *, existing: bool
) -> Trade:
    """Check a limit or stop order, new or changed."""
    kind, settings = request.type, book.settings
    require(kind in _PENDING_TYPES, c.INVALID_ORDER)
    side = kind & 1  # types alternate buy, sell
    volume = require_volume(request.volume, settings)
    require_filling(request.type_filling, settings, pending=True)
    require_market(book)
    require_direction(side, settings)
    price = read_price(request.price, book)
    if not price or _measure_gap(kind, price, book) < max(settings.stops_level, 1):
        raise Refused(c.INVALID_PRICE)
    stops = read_stops(request, book)
    require_stops(side, stops, (price, price), settings.stops_level)
    if request.type_time in (c.ORDER_TIME_SPECIFIED, c.ORDER_TIME_SPECIFIED_DAY):
        require(request.expiration > now_s, c.INVALID_EXPIRATION)
    if not existing:
        require_room(broker, book, side, volume, pending=True)
    return Trade(side, volume, price, *stops)


_PENDING_TYPES = (
    c.ORDER_TYPE_BUY_LIMIT,
    c.ORDER_TYPE_SELL_LIMIT,
    c.ORDER_TYPE_BUY_STOP,
    c.ORDER_TYPE_SELL_STOP,
)


def _measure_gap(kind: int, price: int, book: Book) -> int:
    """Points the market must still move to reach the price; below zero on the wrong side."""
    return {
        c.ORDER_TYPE_BUY_LIMIT: book.ask - price,
        c.ORDER_TYPE_SELL_LIMIT: price - book.bid,
        c.ORDER_TYPE_BUY_STOP: price - book.ask,
        c.ORDER_TYPE_SELL_STOP: book.bid - price,
    }[kind]
