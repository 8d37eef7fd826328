"""The module's functions that read symbols and prices; errors are raised, not yet recorded."""

from typing import Any

import numpy as np

from edge_bridge.adapters.paper import arguments, rates, views
from edge_bridge.adapters.paper.arguments import ArgumentRefused
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.rates import Records
from edge_bridge.adapters.paper.structs import Struct


class NotFound(Exception):
    """The terminal has no such symbol or record: error -4."""


class MarketData:
    """Symbols, ticks and bars as one terminal shows them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def find_book(self, symbol: object) -> Book:
        """Find a symbol by its exact name."""
        book = self._broker.books.get(arguments.parse_symbol(symbol))
        if book is None:
            raise NotFound(f"Unknown symbol {symbol}")
        return book

    def list_symbols(self, group: object) -> tuple[Struct, ...]:
        """List the symbols, or those of a group filter."""
        if group is not None and not isinstance(group, str):
            raise ArgumentRefused("Invalid group argument")
        return tuple(
            views.show_symbol(book, self._broker)
            for name, book in self._broker.books.items()
            if group is None or arguments.matches_group(name, group)
        )

    def show_tick(self, symbol: object) -> Struct:
        """Show the last tick of a selected symbol."""
        book = self.find_book(symbol)
        if not book.selected:
            raise NotFound(f"{symbol} is not selected")
        return views.show_tick(book, self._broker)

    def select(self, symbol: object, enable: object) -> bool:
        """List a symbol in Market Watch or take it off; not while it is in use."""
        book = self.find_book(symbol)
        if not isinstance(enable, bool | int):
            raise ArgumentRefused("Invalid enable argument")
        ledger = self._broker.ledger
        held = {row.symbol for row in ledger.positions.values()}
        waiting = {row.symbol for row in ledger.orders.values()}
        if not enable and symbol in held | waiting:
            return False
        book.selected = bool(enable)
        return True

    def rates_from(self, symbol: object, timeframe: object, date: object, count: object) -> Records:
        """The last bars that opened at or before a date."""
        bars, until = self._read_bars(symbol, timeframe), arguments.parse_date(date)
        size = _parse_count(count)
        end = int(np.searchsorted(bars["time"], until, side="right"))
        return bars[max(0, end - size) : end]

    def rates_from_pos(
        self, symbol: object, timeframe: object, start: object, count: object
    ) -> Records:
        """Bars counted back from the forming one, which is 0."""
        bars, first = self._read_bars(symbol, timeframe), arguments.parse_int(start)
        size = _parse_count(count)
        if first < 0:
            raise ArgumentRefused("Invalid start_pos argument")
        end = max(0, len(bars) - first)
        return bars[max(0, end - size) : end]

    def rates_range(
        self, symbol: object, timeframe: object, date_from: object, date_to: object
    ) -> Records:
        """The bars that opened between two dates, both included."""
        bars = self._read_bars(symbol, timeframe)
        return _cut(bars, arguments.parse_date(date_from), arguments.parse_date(date_to))

    def ticks_from(self, symbol: object, date: object, count: object, flags: object) -> Records:
        """The first ticks at or after a date."""
        ticks, since = self._read_ticks(symbol, flags), arguments.parse_date(date)
        begin = int(np.searchsorted(ticks["time"], since, side="left"))
        return ticks[begin : begin + _parse_count(count)]

    def ticks_range(
        self, symbol: object, date_from: object, date_to: object, flags: object
    ) -> Records:
        """The ticks between two dates; `date_to` is the beginning of its second."""
        ticks = self._read_ticks(symbol, flags)
        begin = arguments.parse_date(date_from)
        end_ms = arguments.parse_date(date_to) * 1000
        cut = ticks[int(np.searchsorted(ticks["time"], begin, side="left")) :]
        return cut[: int(np.searchsorted(cut["time_msc"], end_ms, side="right"))]

    def _read_bars(self, symbol: object, timeframe: object) -> Records:
        number = arguments.parse_int(timeframe)
        if number not in rates.TIMEFRAMES:
            raise ArgumentRefused("Invalid timeframe argument")
        return rates.read_bars(self.find_book(symbol), self._broker.clock, number)

    def _read_ticks(self, symbol: object, flags: object) -> Records:
        number = arguments.parse_int(flags)
        return rates.read_ticks(self.find_book(symbol), self._broker.clock, number)


def _parse_count(value: object) -> int:
    count = arguments.parse_int(value)
    if count <= 0:
        raise ArgumentRefused("Invalid count argument")
    return count


def _cut(bars: np.ndarray[Any, Any], begin: int, end: int) -> Records:
    first = int(np.searchsorted(bars["time"], begin, side="left"))
    last = int(np.searchsorted(bars["time"], end, side="right"))
    return bars[first:last]
