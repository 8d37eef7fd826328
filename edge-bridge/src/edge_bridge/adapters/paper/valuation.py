"""What positions are worth and what they bind: profit, equity and margin of the account."""

from collections.abc import Iterator, Mapping

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.ledger import Ledger
from edge_bridge.adapters.paper.money import ONE, Ratio, price_move, symbol_margin
from edge_bridge.adapters.paper.rows import PositionRow
from edge_bridge.adapters.paper.settings import AccountSettings


class NoConversionRate(Exception):
    """No quoted symbol turns this currency into the account's."""


class Valuation:
    """Value the positions of a ledger at the prices of the books. All results in cents."""

    def __init__(self, account: AccountSettings, ledger: Ledger, books: Mapping[str, Book]) -> None:
        self._account = account
        self._ledger = ledger
        self._books = books

    def find_profit_rate(self, book: Book, price: int) -> Ratio:
        """Find what one unit of the profit currency is worth, when closing at a price."""
        settings, deposit = book.settings, self._account.currency
        if settings.currency_profit == deposit:
            return ONE
        if settings.currency_base == deposit:
            return book.scale, price
        return self._find_cross_rate(settings.currency_profit)

    def _find_cross_rate(self, currency: str) -> Ratio:
        deposit = self._account.currency
        direct = self._books.get(currency + deposit)
        if direct is not None and direct.has_price:
            return direct.bid, direct.scale
        inverse = self._books.get(deposit + currency)
        if inverse is not None and inverse.has_price:
            return inverse.scale, inverse.ask
        raise NoConversionRate(currency)

    def measure_profit(
        self, book: Book, side: int, volume: int, price_open: int, price_close: int
    ) -> int:
        """Profit of a trade between two prices."""
        points = price_close - price_open if side == c.ORDER_TYPE_BUY else price_open - price_close
        rate = self.find_profit_rate(book, price_close)
        return price_move(points, volume, book.settings.contract_size, book.scale, rate)

    def measure_floating(self, position: PositionRow) -> int:
        """Profit of an open position at the price it would close at now, without swap."""
        book = self._books[position.symbol]
        price = book.bid if position.type == c.ORDER_TYPE_BUY else book.ask
        return self.measure_profit(book, position.type, position.volume, position.price_open, price)

    def sum_floating(self) -> int:
        """Profit and swap of all open positions."""
        return sum(
            self.measure_floating(position) + position.swap
            for position in self._ledger.positions.values()
        )

    def measure_equity(self) -> int:
        """Balance plus what the open positions would bring."""
        return self._ledger.balance + self.sum_floating()

    def measure_margin(self, extra: tuple[Book, int, int, int] | None = None) -> int:
        """Margin of the open positions, and of one more (book, side, volume, price) if given."""
        legs: dict[str, list[tuple[int, int, int]]] = {}
        for position in self._ledger.positions.values():
            legs.setdefault(position.symbol, []).append(
                (position.type, position.volume, position.price_open)
            )
        if extra is not None:
            book, side, volume, price = extra
            legs.setdefault(book.settings.name, []).append((side, volume, price))
        return sum(self._measure_legs(self._books[symbol], each) for symbol, each in legs.items())

    def measure_trade_margin(self, book: Book, side: int, volume: int, price: int) -> int:
        """Margin of one trade alone."""
        return self._measure_legs(book, [(side, volume, price)])

    def _measure_legs(self, book: Book, legs: list[tuple[int, int, int]]) -> int:
        settings, deposit = book.settings, self._account.currency
        contract = settings.contract_size * settings.margin_rate_percent
        hedged = contract
        if settings.margin_hedged is not None:
            hedged = settings.margin_hedged * settings.margin_rate_percent
        divisor = self._account.leverage * 100
        if settings.currency_base == deposit:
            return symbol_margin(_unweighted(legs), contract, hedged, divisor, ONE)
        if settings.currency_profit == deposit:
            return symbol_margin(legs, contract, hedged, divisor * book.scale, ONE)
        rate = self._find_cross_rate(settings.currency_base)
        return symbol_margin(_unweighted(legs), contract, hedged, divisor, rate)

    def measure_slack(self) -> int | None:
        """Equity above the stop-out level; below zero positions must go. None without margin."""
        margin = self.measure_margin()
        if not margin:
            return None
        return self.measure_equity() - margin * self._account.stopout_percent // 100


def _unweighted(legs: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    return ((side, volume, 1) for side, volume, _ in legs)
