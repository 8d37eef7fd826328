"""The broker's records, as they are kept in memory and written to the journal.

Immutable; a change is a new row under the same ticket. Prices in points, volumes in hundredths of
a lot, money in cents, times in milliseconds of the broker's clock.
"""

from typing import NamedTuple


class OrderRow(NamedTuple):
    """An order: active while its state is PLACED, history afterwards."""

    ticket: int
    symbol: str
    type: int
    state: int
    type_time: int
    type_filling: int
    volume_initial: int
    volume_current: int
    price_open: int
    sl: int
    tp: int
    time_setup_msc: int
    time_done_msc: int
    time_expiration: int
    magic: int
    position_id: int
    position_by_id: int
    reason: int
    comment: str


class DealRow(NamedTuple):
    """An execution or a balance operation; the balance is the sum of the money of all deals."""

    ticket: int
    order: int
    position_id: int
    symbol: str
    type: int
    entry: int
    reason: int
    volume: int
    price: int
    profit: int
    commission: int
    swap: int
    fee: int
    magic: int
    time_msc: int
    comment: str


class PositionRow(NamedTuple):
    """An open position; volume 0 means closed."""

    ticket: int
    symbol: str
    type: int
    volume: int
    price_open: int
    sl: int
    tp: int
    swap: int
    magic: int
    reason: int
    time_msc: int
    time_update_msc: int
    comment: str


Row = OrderRow | DealRow | PositionRow
