"""Executions: an order, or a part of it, becomes one deal, and the deal changes one position.

Hedging and netting differ only in which position a deal meets. Without one it opens; on the same
side it adds at the average price; on the other side it reduces, closes, or turns the position
round in one deal that keeps the identifier and takes the order's ticket.
"""

from typing import TYPE_CHECKING, NamedTuple

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.money import divide
from edge_bridge.adapters.paper.rows import MILLIONTHS, DealRow, OrderRow, PositionRow

if TYPE_CHECKING:
    from edge_bridge.adapters.paper.broker import Broker


class Execution(NamedTuple):
    """What was executed, and for which order."""

    order: int
    side: int
    volume: int
    price: int
    reason: int
    magic: int
    comment: str
    sl: int = 0
    tp: int = 0
    close_by: bool = False


def fill_order(
    broker: "Broker", order: OrderRow, volume: int, price: int, *, keep_rest: bool
) -> DealRow:
    """Execute an order, or `volume` of it, at a price; what is left waits or is cancelled."""
    left = order.volume_current - volume
    target = find_target(broker, order)
    broker.put(
        order._replace(
            state=c.ORDER_STATE_PARTIAL if left else c.ORDER_STATE_FILLED,
            volume_current=left,
            time_done_msc=0 if left and keep_rest else broker.now_ms,
            position_id=order.ticket if target is None else target.identifier,
        )
    )
    return book_deal(
        broker,
        target,
        order.symbol,
        Execution(
            order.ticket, order.type & 1, volume, price, order.reason, order.magic, order.comment,
            order.sl, order.tp,
        ),
    )  # fmt: skip


def find_target(broker: "Broker", order: OrderRow) -> PositionRow | None:
    """Find the position an order meets: its own, or on a netting account that of the symbol."""
    if broker.account.hedging:
        return broker.ledger.positions.get(order.position_id or order.ticket)
    return broker.ledger.find_net(order.symbol)


def close_position(
    broker: "Broker", position: PositionRow, volume: int, reason: int, comment: str
) -> DealRow:
    """Close a position at the market by an order of the server's own."""
    side = 1 - position.type
    book, now, ticket = broker.books[position.symbol], broker.now_ms, broker.ledger.next_order
    price = market_price(book, side)
    broker.put(
        OrderRow(
            ticket, position.symbol, side, c.ORDER_STATE_FILLED, c.ORDER_TIME_GTC,
            c.ORDER_FILLING_IOC, volume, 0, price, 0, 0, 0, now, now, 0, position.magic,
            position.identifier, 0, reason, comment,
        )
    )  # fmt: skip
    done = Execution(ticket, side, volume, price, reason, position.magic, comment)
    return book_deal(broker, position, position.symbol, done)


def market_price(book: Book, side: int) -> int:
    """The price a trade on a side is done at now."""
    return book.ask if side == c.ORDER_TYPE_BUY else book.bid


def book_deal(
    broker: "Broker", position: PositionRow | None, symbol: str, done: Execution
) -> DealRow:
    """Write an execution as a deal and change the position it meets."""
    book = broker.books[symbol]
    closed, entry = 0, c.DEAL_ENTRY_IN
    if position is not None and position.type != done.side:
        closed = min(done.volume, position.volume)
        entry = c.DEAL_ENTRY_OUT if closed == done.volume else c.DEAL_ENTRY_INOUT
    profit = swap = 0
    if position is not None and closed:
        profit = broker.value.measure_closed(book, position, closed, done.price)
        swap = divide(position.swap * closed, position.volume)
    deal = DealRow(
        broker.ledger.next_deal, done.order,
        done.order if position is None else position.identifier, symbol, done.side,
        c.DEAL_ENTRY_OUT_BY if done.close_by else entry, done.reason, done.volume, done.price,
        profit, -divide(book.settings.commission_per_lot * done.volume, 100), swap, 0, done.magic,
        broker.now_ms, done.comment,
    )  # fmt: skip
    broker.put(deal)
    if position is None:
        broker.put(_open(broker, symbol, done))
    elif entry == c.DEAL_ENTRY_IN:
        broker.put(_grow(broker, position, done))
    elif entry == c.DEAL_ENTRY_OUT:
        broker.put(
            position._replace(
                volume=position.volume - closed, swap=position.swap - swap,
                time_update_msc=broker.now_ms,
            )
        )  # fmt: skip
    else:
        turned = _open(broker, symbol, done)
        broker.put(turned._replace(identifier=position.identifier, volume=done.volume - closed))
    return deal


def _open(broker: "Broker", symbol: str, done: Execution) -> PositionRow:
    now = broker.now_ms
    return PositionRow(
        done.order, done.order, symbol, done.side, done.volume, done.price, 0, done.sl, done.tp,
        0, done.magic, done.reason, now, now, done.comment,
    )  # fmt: skip


def _grow(broker: "Broker", position: PositionRow, done: Execution) -> PositionRow:
    volume = position.volume + done.volume
    fine = divide(
        position.fine_price * position.volume + done.price * MILLIONTHS * done.volume, volume
    )
    price, millionths = divmod(fine, MILLIONTHS)
    grown = position._replace(
        volume=volume, price_open=price, price_millionths=millionths,
        time_update_msc=broker.now_ms,
    )  # fmt: skip
    return grown if broker.account.hedging else grown._replace(sl=done.sl, tp=done.tp)
