"""What a night costs or brings: swap by the symbol's mode, threefold on one day of the week."""

from typing import TYPE_CHECKING

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import DAY_S
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.money import divide
from edge_bridge.adapters.paper.rows import PositionRow

if TYPE_CHECKING:
    from edge_bridge.adapters.paper.broker import Broker

_WEEKEND = (0, 6)
_INTEREST = 100 * 360
"""A yearly percentage is paid by the night of a bank's year."""


def charge_swap(broker: "Broker", book: Book, held: list[PositionRow]) -> None:
    """Charge every midnight of the broker's clock since the bounds were last set."""
    today = find_day(broker.clock.to_broker_ms(book.ts_ns))
    settings = book.settings
    if today == book.day or settings.swap_mode == c.SYMBOL_SWAP_MODE_DISABLED:
        return
    for position in held:
        buy = position.type == c.ORDER_TYPE_BUY
        per_lot = settings.swap_long if buy else settings.swap_short
        since = max(book.day, find_day(position.time_msc))
        nights = count_nights(since, today, settings.swap_rollover3days)
        if nights and per_lot:
            money = _measure_swap(broker, book, position, per_lot * nights)
            broker.put(position._replace(swap=position.swap + money))


def _measure_swap(broker: "Broker", book: Book, position: PositionRow, per_lot: int) -> int:
    """Cents for all nights together; hundredths of a lot and cents cancel out."""
    settings, mode = book.settings, book.settings.swap_mode
    volume, parts = position.volume, settings.swap_scale
    if mode == c.SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT:
        return divide(per_lot * volume, parts)
    price = book.bid if position.type == c.ORDER_TYPE_BUY else book.ask
    if mode in (c.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL, c.SYMBOL_SWAP_MODE_CURRENCY_MARGIN):
        currency = settings.currency_base
        if mode == c.SYMBOL_SWAP_MODE_CURRENCY_MARGIN:
            currency = settings.currency_margin or currency
        rate = price, book.scale
        if (currency, settings.currency_profit) != (
            settings.currency_base,
            broker.account.currency,
        ):
            rate = broker.value.find_rate(currency)
        return divide(per_lot * volume * rate[0], parts * rate[1])
    rate = broker.value.find_profit_rate(book, price)
    amount = per_lot * volume * settings.contract_size * rate[0]
    if mode == c.SYMBOL_SWAP_MODE_POINTS:
        return divide(amount, parts * book.scale * rate[1])
    base = price if mode == c.SYMBOL_SWAP_MODE_INTEREST_CURRENT else position.price_open
    return divide(amount * base, parts * book.scale * _INTEREST * rate[1])


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


def find_day(broker_ms: int) -> int:
    """The day since 1970 of a time on the broker's clock."""
    return broker_ms // (DAY_S * 1000)
