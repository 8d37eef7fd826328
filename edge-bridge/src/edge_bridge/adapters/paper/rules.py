"""The trade server's single checks: each raises Refused with its retcode when it does not hold."""

from math import isfinite

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.arguments import Request
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.rows import PositionRow
from edge_bridge.adapters.paper.settings import SymbolSettings

_PRICE_ERROR_MAX = 1e-4
"""How far a float may be from a whole point: more than any rounding, less than a typing error."""
_VOLUME_ERROR_MAX = 1e-6
_NUMBER_MAX = 1e12
_ORDER_MODE_BITS = {
    c.ORDER_TYPE_BUY: 1,
    c.ORDER_TYPE_SELL: 1,
    c.ORDER_TYPE_BUY_LIMIT: 2,
    c.ORDER_TYPE_SELL_LIMIT: 2,
    c.ORDER_TYPE_BUY_STOP: 4,
    c.ORDER_TYPE_SELL_STOP: 4,
    c.ORDER_TYPE_BUY_STOP_LIMIT: 8,
    c.ORDER_TYPE_SELL_STOP_LIMIT: 8,
    c.ORDER_TYPE_CLOSE_BY: 64,
}


class Refused(Exception):
    """The server does not accept a request; `code` is the retcode it answers with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def read_volume(value: float) -> int | None:
    """Read lots as hundredths; None when they are not whole hundredths."""
    if not isfinite(value) or abs(value) > _NUMBER_MAX:
        return None
    hundredths = round(value * 100)
    return hundredths if abs(value * 100 - hundredths) < _VOLUME_ERROR_MAX else None


def read_price(value: float, book: Book) -> int | None:
    """Read a price as points; None when it is not on the symbol's price grid."""
    if not isfinite(value) or not 0 <= value < _NUMBER_MAX:
        return None
    points = round(value * book.scale)
    if abs(value * book.scale - points) > _PRICE_ERROR_MAX:
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


def require_order_type(kind: int, settings: SymbolSettings) -> None:
    """Check that the symbol allows this type of order."""
    require(bool(settings.order_mode & _ORDER_MODE_BITS[kind]), c.INVALID_ORDER)


def require_filling(filling: int, settings: SymbolSettings, *, pending: bool) -> None:
    """Check that the symbol's execution allows a filling mode.

    Instant and Request: all or nothing. Market: as `filling_mode` says. Exchange: all. A waiting
    order may always keep its rest (RETURN); only an exchange has a book to be put in (BOC).
    """
    exchange = settings.execution == c.SYMBOL_TRADE_EXECUTION_EXCHANGE
    if filling == c.ORDER_FILLING_RETURN:
        allowed = pending or exchange
    elif filling == c.ORDER_FILLING_FOK:
        allowed = exchange or is_quoted(settings)
        allowed = allowed or bool(settings.filling_mode & c.SYMBOL_FILLING_FOK)
    elif filling == c.ORDER_FILLING_IOC:
        market = settings.execution == c.SYMBOL_TRADE_EXECUTION_MARKET
        allowed = exchange or (market and bool(settings.filling_mode & c.SYMBOL_FILLING_IOC))
    else:
        allowed = filling == c.ORDER_FILLING_BOC and exchange and pending
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


def require_thawed(book: Book, position: PositionRow) -> None:
    """Check that the market is not so near to stop or target that they are about to be hit."""
    level = book.settings.freeze_level
    price = book.bid if position.type == c.ORDER_TYPE_BUY else book.ask
    near = any(stop and abs(price - stop) <= level for stop in (position.sl, position.tp))
    require(not (level and near), c.FROZEN)


def measure_gap(kind: int, price: int, book: Book) -> int:
    """Points the market must still move to reach a waiting order's price; below zero on the
    wrong side."""
    if kind == c.ORDER_TYPE_BUY_LIMIT:
        return book.ask - price
    if kind == c.ORDER_TYPE_SELL_LIMIT:
        return price - book.bid
    if kind in (c.ORDER_TYPE_BUY_STOP, c.ORDER_TYPE_BUY_STOP_LIMIT):
        return price - book.ask
    return book.bid - price
