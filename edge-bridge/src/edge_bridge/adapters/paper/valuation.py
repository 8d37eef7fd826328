"""What positions are worth and what they bind: profit, equity and margin of the account."""

from collections.abc import Iterator, Mapping

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.ledger import Ledger
from edge_bridge.adapters.paper.money import ONE, Ratio, price_move, symbol_margin
from edge_bridge.adapters.paper.rows import MILLIONTHS, PositionRow
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings

Leg = tuple[int, int, int]
"""Side, volume, opening price."""
_PRICED = (
    c.SYMBOL_CALC_MODE_CFD,
    c.SYMBOL_CALC_MODE_CFDLEVERAGE,
    c.SYMBOL_CALC_MODE_EXCH_STOCKS,
)
_LEVERAGED = (c.SYMBOL_CALC_MODE_FOREX, c.SYMBOL_CALC_MODE_CFDLEVERAGE)


class NoConversionRate(Exception):
    """No quoted symbol turns this currency into the account's."""


class Valuation:
    """Value the positions of a ledger at the prices of the books. All results in cents."""

    def __init__(self, account: AccountSettings, ledger: Ledger, books: Mapping[str, Book]) -> None:
        self._account = account
        self._ledger = ledger
        self._books = books
        self._pairs: dict[tuple[str, str], Book] = {}
        self._rate_books: dict[str, list[Book]] = {}
        for book in books.values():
            pair = book.settings.currency_base, book.settings.currency_profit
            self._pairs.setdefault(pair, book)

    def find_profit_rate(self, book: Book, price: int, unit: int = 1) -> Ratio:
        """Find what one unit of the profit currency is worth, when closing at a price."""
        settings, deposit = book.settings, self._account.currency
        if settings.currency_profit == deposit:
            return ONE
        if settings.currency_base == deposit:
            return book.scale * unit, price
        return self.find_rate(settings.currency_profit)

    def find_rate(self, currency: str) -> Ratio:
        """Find what one unit of a currency is worth. Raises NoConversionRate."""
        deposit = self._account.currency
        if currency == deposit:
            return ONE
        direct = self._pairs.get((currency, deposit))
        if direct is not None and direct.has_price:
            return direct.bid, direct.scale
        inverse = self._pairs.get((deposit, currency))
        if inverse is not None and inverse.has_price:
            return inverse.scale, inverse.ask
        raise NoConversionRate(currency)

    def find_rate_books(self, book: Book) -> list[Book]:
        """Find the other symbols whose price the value of a position depends on."""
        found = self._rate_books.get(book.settings.name)
        if found is None:
            found = self._rate_books[book.settings.name] = self._list_rate_books(book.settings)
        return found

    def _list_rate_books(self, settings: SymbolSettings) -> list[Book]:
        deposit = self._account.currency
        needed = {settings.currency_profit, settings.currency_margin or settings.currency_base}
        pair = {settings.currency_base, settings.currency_profit}
        if deposit in pair:
            needed -= pair
        pairs = [key for each in needed for key in ((each, deposit), (deposit, each))]
        return [self._pairs[key] for key in pairs if key in self._pairs]

    def measure_profit(
        self, book: Book, side: int, volume: int, prices: tuple[int, int], unit: int = 1
    ) -> int:
        """Profit of a trade from one price to another, in points or in `unit` parts of a point."""
        price_open, price_close = prices
        points = price_close - price_open if side == c.ORDER_TYPE_BUY else price_open - price_close
        rate = self.find_profit_rate(book, price_close, unit)
        return price_move(points, volume, book.settings.contract_size, book.scale * unit, rate)

    def measure_closed(self, book: Book, position: PositionRow, volume: int, price: int) -> int:
        """Profit of closing a part of a position at a price, without swap."""
        if not position.price_millionths:
            return self.measure_profit(book, position.type, volume, (position.price_open, price))
        return self.measure_profit(
            book, position.type, volume, (position.fine_price, price * MILLIONTHS), MILLIONTHS
        )

    def measure_floating(self, position: PositionRow) -> int:
        """Profit of an open position at the price it would close at now, without swap."""
        book = self._books[position.symbol]
        price = book.bid if position.type == c.ORDER_TYPE_BUY else book.ask
        return self.measure_closed(book, position, position.volume, price)

    def sum_floating(self) -> int:
        """Profit and swap of all open positions."""
        return sum(
            self.measure_floating(position) + position.swap
            for position in self._ledger.positions.values()
        )

    def measure_equity(self) -> int:
        """Balance and credit plus what the open positions would bring."""
        return self._ledger.balance + self._account.credit + self.sum_floating()

    def measure_margin(self, extra: tuple[Book, int, int, int] | None = None) -> int:
        """Margin of the open positions, and of one more (book, side, volume, price) if given."""
        held = self._ledger.positions.values()
        if extra is None and len(held) < 2:
            return sum(map(self._measure_alone, held))
        whole = not any(position.price_millionths for position in held)
        unit = 1 if whole else MILLIONTHS  # small numbers are faster
        legs: dict[str, list[Leg]] = {}
        for position in held:
            price = position.price_open if whole else position.fine_price
            legs.setdefault(position.symbol, []).append((position.type, position.volume, price))
        if extra is not None:
            book, side, volume, price = extra
            same = legs.setdefault(book.settings.name, [])
            same.append((side, volume, price * unit))
            if not self._account.hedging:
                legs[book.settings.name] = _net(same)
        total = 0
        for symbol, each in legs.items():
            total += self._measure_legs(self._books[symbol], each, unit)
        return total

    def _measure_alone(self, position: PositionRow) -> int:
        fine = position.price_millionths
        leg = position.type, position.volume, position.fine_price if fine else position.price_open
        return self._measure_legs(self._books[position.symbol], [leg], MILLIONTHS if fine else 1)

    def measure_trade_margin(self, book: Book, side: int, volume: int, price: int) -> int:
        """Margin of one trade alone."""
        return self._measure_legs(book, [(side, volume, price)], 1)

    def _measure_legs(self, book: Book, legs: list[Leg], unit: int) -> int:
        settings, deposit = book.settings, self._account.currency
        contract = (
            settings.margin_initial or settings.contract_size
        ) * settings.margin_rate_percent
        hedged = contract
        if settings.margin_hedged is not None:
            hedged = settings.margin_hedged * settings.margin_rate_percent
        leveraged = settings.calc_mode in _LEVERAGED
        divisor = (self._account.leverage if leveraged else 1) * 100
        fine = divisor * book.scale * unit
        if settings.calc_mode in _PRICED:
            rate = self.find_rate(settings.currency_profit)
            return symbol_margin(legs, contract, hedged, fine, rate)
        currency = settings.currency_margin or settings.currency_base
        if currency == settings.currency_base and settings.currency_profit == deposit != currency:
            return symbol_margin(legs, contract, hedged, fine, ONE)
        return symbol_margin(_unweighted(legs), contract, hedged, divisor, self.find_rate(currency))

    def is_margin_called(self) -> bool:
        """Whether equity has come down to the level the broker calls for money at."""
        margin, account = self.measure_margin(), self._account
        if account.stopout_mode == c.ACCOUNT_STOPOUT_MODE_MONEY:
            return margin > 0 and self.measure_equity() <= account.stopout_call_money
        call = margin * account.stopout_call_percent
        return margin > 0 and 100 * self.measure_equity() <= call

    def measure_slack(self) -> int | None:
        """Equity above the stop-out level; below zero positions must go. None without margin."""
        margin, account = self.measure_margin(), self._account
        if not margin:
            return None
        if account.stopout_mode == c.ACCOUNT_STOPOUT_MODE_MONEY:
            return self.measure_equity() - account.stopout_money
        return self.measure_equity() - margin * account.stopout_percent // 100


def _unweighted(legs: list[Leg]) -> Iterator[Leg]:
    return ((side, volume, 1) for side, volume, _ in legs)


def _net(legs: list[Leg]) -> list[Leg]:
    """The one position that is left of a netting position (first) and a trade (last)."""
    if len(legs) < 2 or legs[0][0] == legs[1][0]:
        return legs
    held, trade = legs
    larger = held if held[1] >= trade[1] else trade
    return [(larger[0], abs(held[1] - trade[1]), larger[2])]
