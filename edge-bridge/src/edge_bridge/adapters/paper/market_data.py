"""The module's functions that read symbols and prices; errors are raised, not yet recorded."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import arguments, rates, views
from edge_bridge.adapters.paper.arguments import ArgumentRefused, parse_date
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.depth import MarketBooks
from edge_bridge.adapters.paper.gaps import TickGaps
from edge_bridge.adapters.paper.rates import Records
from edge_bridge.adapters.paper.structs import Struct


class NotFound(Exception):
    """The terminal has no such symbol or record: error -4."""


class MarketData:
    """Symbols, ticks and bars as one terminal shows them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._gaps = TickGaps()
        self._books = MarketBooks()

    def begin_gap(self, symbol: str | None, ticks: int, seconds: float | None) -> None:
        """Stop receiving the ticks of a symbol, or of all, for a while."""
        books = self._broker.books.values() if symbol is None else [self.find_book(symbol)]
        for book in books:
            self._gaps.begin(book, ticks, seconds)

    def find_book(self, symbol: object) -> Book:
        """Find a symbol by its exact name."""
        book = self._broker.books.get(arguments.parse_symbol(symbol))
        if book is None:
            raise NotFound(f"Unknown symbol {symbol}")
        return book

    def list_symbols(self, filters: Mapping[str, object]) -> tuple[Struct, ...]:
        """List the symbols, or those of a group filter."""
        chosen = arguments.parse_filters(filters, ("group",))
        return tuple(
            views.show_symbol(book, self._gaps.look(book), self._broker)
            for name, book in self._broker.books.items()
            if chosen is None or arguments.matches_group(name, str(chosen[1]))
        )

    def show_symbol(self, symbol: object) -> Struct:
        """Show a symbol's rules and prices."""
        book = self.find_book(symbol)
        return views.show_symbol(book, self._gaps.look(book), self._broker)

    def add_book(self, symbol: object) -> bool:
        """Subscribe to a market book."""
        return self._books.add(self.find_book(symbol))

    def release_book(self, symbol: object) -> bool:
        """End a subscription to a market book."""
        return self._books.release(self.find_book(symbol))

    def show_depth(self, symbol: object) -> tuple[Struct, ...]:
        """Show a market book that is subscribed to."""
        book = self.find_book(symbol)
        return self._books.show(book, self._gaps.look(book))

    def show_tick(self, symbol: object) -> Struct:
        """Show the last tick of a selected symbol."""
        book = self._find_selected(symbol)
        return views.show_tick(book, self._gaps.look(book), self._broker)

    def _find_selected(self, symbol: object) -> Book:
        book = self.find_book(symbol)
        if not book.selected:
            raise NotFound(f"{symbol} is not selected: symbol_select it first")
        return book

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
        bars, until = self._read_bars(symbol, timeframe), parse_date(date)
        size = _parse_count(count)
        end = int(np.searchsorted(bars["time"], until, side="right"))
        return bars[max(0, end - size) : end]

    def rates_from_pos(
        self, symbol: object, timeframe: object, start: object, count: object
    ) -> Records:
        """Bars counted back from the forming one, which is 0."""
        first, size = arguments.parse_int(start), _parse_count(count)
        if first < 0:
            raise ArgumentRefused("Invalid start_pos argument")
        bars = self._read_bars(symbol, timeframe, first + size)
        end = max(0, len(bars) - first)
        return bars[max(0, end - size) : end]

    def rates_range(
        self, symbol: object, timeframe: object, date_from: object, date_to: object
    ) -> Records:
        """The bars that opened between two dates, both included."""
        bars = self._read_bars(symbol, timeframe)
        return _cut(bars, parse_date(date_from), parse_date(date_to))

    def ticks_from(self, symbol: object, date: object, count: object, flags: object) -> Records:
        """The first ticks at or after a date."""
        book, since, size = self._find_selected(symbol), parse_date(date), _parse_count(count)
        stop = self._count_visible(book, flags)
        begin = self._find_tick(book, stop, since * 1000)
        return rates.read_ticks(book, self._broker.clock, begin, min(stop, begin + size))

    def ticks_range(
        self, symbol: object, date_from: object, date_to: object, flags: object
    ) -> Records:
        """The ticks between two dates; `date_to` is the beginning of its second."""
        book, since, until = self._find_selected(symbol), parse_date(date_from), parse_date(date_to)
        stop = self._count_visible(book, flags)
        begin = self._find_tick(book, stop, since * 1000)
        end = self._find_tick(book, stop, until * 1000 + 1)
        return rates.read_ticks(book, self._broker.clock, begin, max(begin, end))

    def _count_visible(self, book: Book, flags: object) -> int:
        """How many of the kept ticks the terminal has; quotes only, so trade ticks are none."""
        number = arguments.parse_int(flags)
        if number not in (c.COPY_TICKS_ALL, c.COPY_TICKS_INFO, c.COPY_TICKS_TRADE):
            raise ArgumentRefused("Invalid flags argument")
        if number == c.COPY_TICKS_TRADE:
            return 0
        missed = book.tape.total - self._gaps.look(book).total
        return max(0, book.tape.kept - missed)

    def _find_tick(self, book: Book, stop: int, at_ms: int) -> int:
        to_ms = self._broker.clock.to_broker_ms
        return book.tape.find_first(stop, lambda ts_ns: to_ms(ts_ns) >= at_ms)

    def _read_bars(self, symbol: object, timeframe: object, count: int = rates.BARS_MAX) -> Records:
        number = arguments.parse_int(timeframe)
        if number not in rates.TIMEFRAMES:
            raise ArgumentRefused("Invalid timeframe argument")
        return rates.read_bars(self.find_book(symbol), self._broker.clock, number, count)


def _parse_count(value: object) -> int:
    count = arguments.parse_int(value)
    if count <= 0:
        raise ArgumentRefused("Invalid count argument")
    return count


def _cut(bars: np.ndarray[Any, Any], begin: int, end: int) -> Records:
    first = int(np.searchsorted(bars["time"], begin, side="left"))
    last = int(np.searchsorted(bars["time"], end, side="right"))
    return bars[first:last]
