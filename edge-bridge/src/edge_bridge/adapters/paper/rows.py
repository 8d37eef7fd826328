"""The broker's records, as they are kept in memory and written to the journal.

Immutable; a change is a new row under the same key. Prices in points, volumes in hundredths of
a lot, money in cents, times in milliseconds of the broker's clock.
"""

from typing import NamedTuple

MILLIONTHS = 1_000_000


class OrderRow(NamedTuple):
    """An order: active until it has a time of being done, history afterwards."""

    ticket: int
    symbol: str
    type: int
    state: int
    type_time: int
    type_filling: int
    volume_initial: int
    volume_current: int
    price_open: int
    price_stoplimit: int
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
    """An open position under its identifier; volume 0 means closed.

    `price_millionths` of a point come on top of `price_open`: the average of a position that has
    grown is rarely a whole point.
    """

    ticket: int
    identifier: int
    symbol: str
    type: int
    volume: int
    price_open: int
    price_millionths: int
    sl: int
    tp: int
    swap: int
    magic: int
    reason: int
    time_msc: int
    time_update_msc: int
    comment: str

    @property
    def fine_price(self) -> int:
        """The opening price in millionths of a point."""
        return self.price_open * MILLIONTHS + self.price_millionths


Row = OrderRow | DealRow | PositionRow
