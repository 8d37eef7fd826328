"""What a tick can cause: night swap, expiry, pending orders, stop loss, take profit, stop out.

`arm_book` turns all of these into a few prices and one time at which `act_on_tick` must run; it
may wake too often, never too late.
"""

from typing import TYPE_CHECKING

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import DAY_S
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.money import price_move
from edge_bridge.adapters.paper.rows import OrderRow, PositionRow

if TYPE_CHECKING:
    from edge_bridge.adapters.paper.broker import Broker

_WEEKEND = (0, 6)


def act_on_tick(broker: "Broker", book: Book) -> None:
    """Do everything the symbol's new price and time cause, in the server's order."""
    name = book.settings.name
    held = [each for each in broker.ledger.positions.values() if each.symbol == name]
    _charge_swap(broker, book, held)
    for order in [each for each in broker.ledger.orders.values() if each.symbol == name]:
        _act_on_order(broker, book, order)
    for position in held:
        _act_on_position(broker, book, broker.ledger.positions[position.ticket])
    _stop_out(broker)


def _act_on_order(broker: "Broker", book: Book, order: OrderRow) -> None:
    if order.time_expiration and broker.now_ms >= order.time_expiration * 1000:
        broker.finish_order(order, c.ORDER_STATE_EXPIRED)
        return
    bid, ask, at = book.bid, book.ask, order.price_open
    reached = {
        c.ORDER_TYPE_BUY_LIMIT: ask <= at,
        c.ORDER_TYPE_SELL_LIMIT: bid >= at,
        c.ORDER_TYPE_BUY_STOP: ask >= at,
        c.ORDER_TYPE_SELL_STOP: bid <= at,
    }[order.type]
    if not reached or not book.is_open:
        return
    side = order.type & 1
    price = ask if side == c.ORDER_TYPE_BUY else bid
    extra = (book, side, order.volume_current, price)
    if broker.value.measure_equity() < broker.value.measure_margin(extra):
        broker.finish_order(order, c.ORDER_STATE_REJECTED, "no money")
    else:
        broker.open_position(order, price)


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
        broker.close_position(position, position.volume, reason, comment=comment)


def _stop_out(broker: "Broker") -> None:
    """Close the worst position while equity is below the stop-out share of the margin."""
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
        broker.close_position(worst, worst.volume, c.REASON_SO, comment=comment)


def _charge_swap(broker: "Broker", book: Book, held: list[PositionRow]) -> None:
    """Charge every midnight of the broker's clock since the bounds were last set."""
    today = _find_day(broker.clock.to_broker_ms(book.ts_ns))
    if today == book.day:
        return
    settings = book.settings
    for position in held:
        buy = position.type == c.ORDER_TYPE_BUY
        per_lot = settings.swap_long if buy else settings.swap_short
        since = max(book.day, _find_day(position.time_msc))
        nights = count_nights(since, today, settings.swap_rollover3days)
        if nights and per_lot:
            rate = broker.value.find_profit_rate(book, book.bid if buy else book.ask)
            money = price_move(
                per_lot * nights, position.volume, settings.contract_size, book.scale, rate
            )
            broker.put(position._replace(swap=position.swap + money))


def count_nights(first_day: int, last_day: int, triple_day: int) -> int:
    """Count the nights to charge between two days since 1970: none on Saturday and Sunday, three
    on the triple day (0 = Sunday), so seven a week."""
    weeks, rest = divmod(max(0, last_day - first_day), 7)
    nights = 7 * weeks
    for day in range(last_day - rest, last_day):
        weekday = (day + 4) % 7  # 1970-01-01 was a Thursday
        if weekday == triple_day:
            nights += 3
        elif weekday not in _WEEKEND:
            nights += 1
    return nights


def arm_book(broker: "Broker", book: Book, slack: int | None) -> None:
    """Set the prices and the time at which the symbol's ticks need a look again.

    `slack` is the loss in cents this symbol may bring before a stop out must be checked; None
    when nothing can be stopped out.
    """
    book.disarm()
    name = book.settings.name
    volumes = [0, 0]
    for position in broker.ledger.positions.values():
        if position.symbol != name:
            continue
        volumes[position.type] += position.volume
        if position.type == c.ORDER_TYPE_BUY:
            book.wake_when_bid(at_most=position.sl or None, at_least=position.tp or None)
        else:
            book.wake_when_ask(at_most=position.tp or None, at_least=position.sl or None)
    for order in broker.ledger.orders.values():
        if order.symbol == name:
            _arm_order(broker, book, order)
    if any(volumes):
        book.day = _find_day(broker.clock.to_broker_ms(book.ts_ns))
        book.due_ns = min(book.due_ns, broker.clock.next_midnight_ns(book.ts_ns))
        if slack is not None:
            _arm_stop_out(broker, book, volumes, slack)


def _arm_order(broker: "Broker", book: Book, order: OrderRow) -> None:
    if order.type == c.ORDER_TYPE_BUY_LIMIT:
        book.wake_when_ask(at_most=order.price_open)
    elif order.type == c.ORDER_TYPE_BUY_STOP:
        book.wake_when_ask(at_least=order.price_open)
    elif order.type == c.ORDER_TYPE_SELL_LIMIT:
        book.wake_when_bid(at_least=order.price_open)
    else:
        book.wake_when_bid(at_most=order.price_open)
    if order.time_expiration:
        book.due_ns = min(book.due_ns, broker.clock.to_utc_ns(order.time_expiration * 1000))


def _arm_stop_out(broker: "Broker", book: Book, volumes: list[int], slack: int) -> None:
    settings = book.settings
    if settings.currency_profit != broker.account.currency:
        book.wake_always()
        return
    share = max(0, slack) * book.scale // sum(1 for volume in volumes if volume)
    buys, sells = volumes
    if buys:
        book.wake_when_bid(at_most=book.bid - share // (buys * settings.contract_size))
    if sells:
        book.wake_when_ask(at_least=book.ask + share // (sells * settings.contract_size))


def _find_day(broker_ms: int) -> int:
    return broker_ms // (DAY_S * 1000)


def _show(book: Book, price: int) -> str:
    return f"{price / book.scale:.{book.settings.digits}f}"
