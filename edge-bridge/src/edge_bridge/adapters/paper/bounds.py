"""At which prices and times the next ticks of a symbol need a look.

All that can happen is turned into a few prices and one time; a look may come too often, never
too late.
"""

from typing import TYPE_CHECKING

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.rows import OrderRow, PositionRow
from edge_bridge.adapters.paper.swap import find_day

if TYPE_CHECKING:
    from edge_bridge.adapters.paper.broker import Broker

DAY_NS_MIN = 23 * 3_600 * 1_000_000_000
"""The shortest day of a clock that is moved forward an hour."""


def arm_books(broker: "Broker") -> None:
    """Set the bounds of every symbol anew."""
    for book in broker.books.values():
        book.disarm()
    ledger = broker.ledger
    for order in ledger.orders.values():
        _arm_order(broker, broker.books[order.symbol], order)
    if not ledger.positions:
        return
    held: dict[str, list[PositionRow]] = {}
    for position in ledger.positions.values():
        held.setdefault(position.symbol, []).append(position)
    slack = broker.value.measure_slack()
    if slack is not None:  # one cent a position for rounding, then shared by the symbols
        slack = max(0, slack - len(ledger.positions)) // len(held)
    for symbol, rows in held.items():
        book = broker.books[symbol]
        for position in rows:
            if position.type == c.ORDER_TYPE_BUY:
                book.wake_when_bid(at_most=position.sl or None, at_least=position.tp or None)
            else:
                book.wake_when_ask(at_most=position.tp or None, at_least=position.sl or None)
        if not book.midnight_ns - DAY_NS_MIN <= book.ts_ns < book.midnight_ns:
            book.midnight_ns = broker.clock.next_midnight_ns(book.ts_ns)
        book.day = find_day(broker.clock.to_broker_ms(book.ts_ns))
        book.due_ns = min(book.due_ns, book.midnight_ns)
        if slack is not None:
            _arm_stop_out(broker, book, rows, slack)


def _arm_order(broker: "Broker", book: Book, order: OrderRow) -> None:
    at = order.price_open
    if order.type <= c.ORDER_TYPE_SELL:  # the rest of a market order
        book.wake_always()
    elif order.type == c.ORDER_TYPE_BUY_LIMIT:
        book.wake_when_ask(at_most=at)
    elif order.type in (c.ORDER_TYPE_BUY_STOP, c.ORDER_TYPE_BUY_STOP_LIMIT):
        book.wake_when_ask(at_least=at)
    elif order.type == c.ORDER_TYPE_SELL_LIMIT:
        book.wake_when_bid(at_least=at)
    else:
        book.wake_when_bid(at_most=at)
    if order.time_expiration:
        book.due_ns = min(book.due_ns, broker.clock.to_utc_ns(order.time_expiration * 1000))


def _arm_stop_out(broker: "Broker", book: Book, rows: list[PositionRow], slack: int) -> None:
    """Find how far the price may go before `slack` cents are lost on one side."""
    settings, deposit = book.settings, broker.account.currency
    rate_books = broker.value.find_rate_books(book)
    if rate_books or deposit not in (settings.currency_base, settings.currency_profit):
        for each in (book, *rate_books):
            each.wake_always()
        return
    sides = {position.type for position in rows}
    for side in sides:
        own = [position for position in rows if position.type == side]
        far: int | None
        price = book.bid if side == c.ORDER_TYPE_BUY else book.ask
        if settings.currency_profit == deposit:
            lots = sum(each.volume for each in own) * settings.contract_size
            way = slack * book.scale // (len(sides) * lots)
            far = price - way if side == c.ORDER_TYPE_BUY else price + way
        else:
            cost = sum(each.volume * each.price_open for each in own) * settings.contract_size
            far = _find_inverse_bound(side, price, cost * len(sides), slack)
        if side == c.ORDER_TYPE_BUY:
            book.wake_when_bid(at_most=far)
        else:
            book.wake_when_ask(at_least=far)


def _find_inverse_bound(side: int, price: int, cost: int, slack: int) -> int | None:
    """Where the base is the deposit currency, a position of `cost` (cents x points) is worth
    volume - cost / price: solve for the price at which `slack` cents are gone."""
    if side == c.ORDER_TYPE_BUY:
        return -(-cost * price // (cost + slack * price))
    left = cost - slack * price
    return cost * price // left if left > 0 else None
