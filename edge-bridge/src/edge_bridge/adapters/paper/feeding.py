"""Ways a market reaches the broker: one tick as the module shows it, or whole columns at once.

Columns are searched with numpy for the first tick that needs a look; the ticks before it cannot
cause anything, so the deals are those of feeding tick by tick.
"""

from math import isfinite
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsInt, TypeAlias

import numpy as np

from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.tape import Table
from edge_bridge.ports import SymbolUnknown

if TYPE_CHECKING:
    from array import array

Column: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]] | array[int]"
_WINDOW_MIN, _WINDOW_MAX = 64, 65_536


class TickRefused(ValueError):
    """A tick that no terminal shows: a price below zero or no number, or no time."""


def feed_prices(
    broker: Broker, symbol: str, time_msc: SupportsInt, bid: SupportsFloat, ask: SupportsFloat
) -> bool:
    """Take one tick as the module shows it: milliseconds of the broker's clock, float prices.

    A time that was there before is another tick of the same millisecond. An older one is ignored
    (False): a market does not go back. Broken ticks are shown, as terminals do show them: crossed
    prices are traded on, a price of zero is not. Raises SymbolUnknown or TickRefused.
    """
    book = broker.books.get(symbol)
    if book is None:
        raise SymbolUnknown(symbol)
    at_ms = int(time_msc)
    if not 0 < at_ms < 2**31 * 1000:
        raise TickRefused(f"time_msc={time_msc}: give milliseconds since 1970, above 0")
    ts_ns = broker.clock.to_utc_ns(at_ms)
    if ts_ns < book.ts_ns:
        return False
    points = [_read_points(price, book) for price in (bid, ask)]
    seq = broker.last_seq + 1
    if all(points):
        broker.feed(seq, ts_ns, points[0], points[1], symbol)
    else:
        book.tape.record(seq, ts_ns, points[0], points[1])
        book.seq, book.ts_ns = seq, ts_ns
    return True


def _read_points(price: SupportsFloat, book: Book) -> int:
    value = float(price)
    points = round(value * book.scale) if isfinite(value) else -1
    if not 0 <= points < 2**53:
        raise TickRefused(f"price {price} of {book.settings.name}: give a number, 0 for none")
    return points


def feed_columns(
    broker: Broker, symbol: str, first_seq: int, columns: tuple[Column, Column, Column]
) -> None:
    """Take consecutive ticks numbered from `first_seq`; the ones known already are ignored.

    Columns are int64: UTC nanoseconds that never fall, bid and ask in points. Raises
    SymbolUnknown, or ValueError for columns of different lengths.
    """
    book = broker.books.get(symbol)
    if book is None:
        raise SymbolUnknown(symbol)
    times, bids, asks = (np.asarray(each, np.int64) for each in columns)
    count = len(times)
    if not len(bids) == len(asks) == count:
        raise ValueError("the columns of a chunk have one length")
    fresh = max(0, book.tape.seq + 1 - first_seq)
    if fresh < count:
        rows = np.column_stack([each[fresh:] for each in (times, bids, asks)])
        book.tape.record_many(first_seq + count - 1, rows)
    place = max(0, book.seq + 1 - first_seq)
    while place < count:
        found = _find_event(book, times, bids, asks, place)
        last = min(found, count - 1)
        book.seq = first_seq + last
        book.ts_ns, book.bid, book.ask = int(times[last]), int(bids[last]), int(asks[last])
        if found < count:
            broker.act(book)
        place = found + 1


def _find_event(book: Book, times: Table, bids: Table, asks: Table, place: int) -> int:
    """Find the first tick that reaches a bound, in windows that grow; the length if none does."""
    count, size = len(times), _WINDOW_MIN
    while place < count:
        cut = slice(place, place + size)
        hit = bids[cut] <= book.bid_low
        hit |= bids[cut] >= book.bid_high
        hit |= asks[cut] <= book.ask_low
        hit |= asks[cut] >= book.ask_high
        hit |= times[cut] >= book.due_ns
        first = int(hit.argmax())
        if hit[first]:
            return place + first
        place, size = place + size, min(2 * size, _WINDOW_MAX)
    return count
