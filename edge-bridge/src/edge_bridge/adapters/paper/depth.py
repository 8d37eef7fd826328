"""The market book: one price a side, as deep as the broker trades at once."""

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.gaps import Quote
from edge_bridge.adapters.paper.structs import Struct


class BookClosed(Exception):
    """The market book of a symbol was not opened, or its broker shows none: error -1."""


class MarketBooks:
    """Subscriptions to market books; one symbol may be subscribed more than once."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}

    def add(self, book: Book) -> bool:
        """Subscribe to a symbol's book."""
        if not book.settings.depth or not book.selected:
            raise BookClosed(f"{book.settings.name} has no market book")
        self._users[book.settings.name] = self._users.get(book.settings.name, 0) + 1
        return True

    def release(self, book: Book) -> bool:
        """End a subscription."""
        left = self._users.get(book.settings.name, 0) - 1
        if left < 0:
            raise BookClosed(f"the market book of {book.settings.name} is not open")
        self._users[book.settings.name] = left
        return True

    def show(self, book: Book, quote: Quote) -> tuple[Struct, ...]:
        """Show the levels, sellers first."""
        if not self._users.get(book.settings.name):
            raise BookClosed(f"the market book of {book.settings.name} is not open")
        if not quote.quoted:
            return ()
        lots = book.settings.volume_max / 100
        sides = (c.BOOK_TYPE_SELL, quote.ask), (c.BOOK_TYPE_BUY, quote.bid)
        return tuple(
            structs.BookInfo((kind, price / book.scale, int(lots), lots)) for kind, price in sides
        )
