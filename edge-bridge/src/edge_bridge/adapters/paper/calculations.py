"""The module's functions that only calculate: margin, profit, and the check of an order."""

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.api import RETCODE_NAMES
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.arguments import (
    ArgumentRefused,
    Request,
    parse_float,
    parse_int,
    parse_symbol,
    take_exactly,
)
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.execution import plan
from edge_bridge.adapters.paper.market_data import NotFound
from edge_bridge.adapters.paper.rows import MILLIONTHS
from edge_bridge.adapters.paper.rules import Refused, read_volume
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.valuation import NoConversionRate

_TEXTS = {
    c.DONE: "Request executed",
    c.PLACED: "Order placed",
    c.DONE_PARTIAL: "Request executed partially",
    c.REQUOTE: "Requote",
    c.REJECT: "Request rejected",
    c.INVALID: "Invalid request",
    c.INVALID_FILL: "Unsupported filling mode",
    c.PRICE_OFF: "No prices",
    c.SERVER_DISABLES_AT: "AutoTrading disabled by server",
    c.CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    c.POSITION_CLOSED: "Position doesn't exist",
}


def describe_retcode(code: int) -> str:
    """Word a retcode as the terminal does, within a comment's size."""
    text = _TEXTS.get(code)
    if text is None:
        text = RETCODE_NAMES.get(code, "Unknown error").replace("_", " ").capitalize()
    return text


def calc_margin(broker: Broker, given: tuple[object, ...]) -> float:
    """(type, symbol, volume, price) -> margin of that trade alone."""
    take_exactly(given, 4)
    side, book, volume = _parse_trade(broker, given)
    price = _parse_points(given[3], book)
    return broker.value.measure_trade_margin(book, side, volume, price) / 100


def calc_profit(broker: Broker, given: tuple[object, ...]) -> float:
    """(type, symbol, volume, open, close) -> profit without commission and swap."""
    take_exactly(given, 5)
    side, book, volume = _parse_trade(broker, given)
    opened, closed = (_parse_points(each, book, MILLIONTHS) for each in given[3:])
    return broker.value.measure_profit(book, side, volume, (opened, closed), MILLIONTHS) / 100


def _parse_trade(broker: Broker, given: tuple[object, ...]) -> tuple[int, Book, int]:
    side = parse_int(given[0])
    if side not in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL):
        raise ArgumentRefused("Invalid action argument")
    book = broker.books.get(parse_symbol(given[1]))
    if book is None:
        raise NotFound(f"Unknown symbol {given[1]}")
    volume = read_volume(parse_float(given[2]))
    if not volume or volume < 0:
        raise ArgumentRefused("Invalid volume argument")
    return side, book, volume


def _parse_points(value: object, book: Book, parts: int = 1) -> int:
    points = round(parse_float(value) * book.scale * parts)
    if points <= 0:
        raise ArgumentRefused("Invalid price argument")
    return points


def check_order(broker: Broker, request: Request) -> Struct:
    """What the account would be after a request; only its retcode when it is refused."""
    struct_request = structs.TradeRequest(request)
    try:
        opens = plan(broker, request).opens
        margin = broker.value.measure_margin(opens)
    except (Refused, NoConversionRate) as refusal:
        code = refusal.code if isinstance(refusal, Refused) else c.PRICE_OFF
        return structs.OrderCheckResult.of(
            {"retcode": code, "comment": describe_retcode(code), "request": struct_request}
        )
    equity = broker.value.measure_equity()
    return structs.OrderCheckResult.of(
        {
            "retcode": 0,
            "balance": broker.ledger.balance / 100,
            "equity": equity / 100,
            "profit": broker.value.sum_floating() / 100,
            "margin": margin / 100,
            "margin_free": (equity - margin) / 100,
            "margin_level": 100 * equity / margin if margin else 0.0,
            "comment": "Done",
            "request": struct_request,
        }
    )
