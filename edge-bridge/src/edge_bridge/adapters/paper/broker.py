"""The trade server: executes orders, keeps the ledger, and acts on every tick.

A unit of work (a request, or all that one tick caused) changes the ledger row by row and is then
written to the journal in one piece, together with the last tick of every symbol that moved. After
a restart, ticks up to those marks are ignored: their effects are in the journal already, and the
ticks after them had none. So feeding again from any earlier tick gives the same deals.
"""

from collections.abc import Iterable

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.paper.book import UNTIMED, Book
from edge_bridge.adapters.paper.bounds import arm_books
from edge_bridge.adapters.paper.journal import Journal, JournalUnusable
from edge_bridge.adapters.paper.ledger import Ledger
from edge_bridge.adapters.paper.rows import DealRow, OrderRow, Row
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.tape import Tape
from edge_bridge.adapters.paper.valuation import Valuation
from edge_bridge.adapters.paper.watch import act_on_tick
from edge_bridge.ports import SymbolUnknown


class Broker:
    """One account at the simulated broker."""

    def __init__(
        self,
        account: AccountSettings,
        symbols: Iterable[SymbolSettings],
        clock: BrokerClock,
        tape: Tape,
        journal: Journal | None,
    ) -> None:
        self.account = account
        self.clock = clock
        self.books = {each.name: Book(each, tape.of(each.name)) for each in symbols}
        self.ledger = Ledger()
        self.value = Valuation(account, self.ledger, self.books)
        self._journal = journal
        self._unit: list[Row] = []
        self.shown_deals: dict[int, Struct] = {}
        self._converted = 0, clock.to_broker_ms(0)  # the last time asked for, on both clocks
        if journal is not None:
            self._restore(journal)
        if not self.ledger.deals:
            self._deposit()

    def _restore(self, journal: Journal) -> None:
        for marks, rows in journal.read_past():
            for symbol, seq, ts_ns, bid, ask in marks:
                book = self.books.get(symbol)
                if book is None:
                    raise JournalUnusable(f"{symbol} is not among the symbols")
                book.seq = book.journaled_seq = seq
                book.ts_ns, book.bid, book.ask = ts_ns, bid, ask
            for row in rows:
                self.ledger.put(row)
        self.arm()

    def _deposit(self) -> None:
        self.put(
            DealRow(
                self.ledger.next_deal, 0, 0, "", c.DEAL_TYPE_BALANCE, c.DEAL_ENTRY_IN,
                c.REASON_CLIENT, 0, 0, self.account.balance, 0, 0, 0, 0,
                self.clock.to_broker_ms(self.account.opened_ns), "Deposit",
            )
        )  # fmt: skip
        self.commit()

    def feed(self, seq: int, ts_ns: int, bid: int, ask: int, symbol: str) -> None:
        """Take one tick (prices in points). A seq not above the symbol's last one is ignored."""
        try:
            book = self.books[symbol]
        except KeyError:
            raise SymbolUnknown(symbol) from None
        tape = book.tape
        if seq > tape.seq:
            tape.record(seq, ts_ns, bid, ask)
        if seq <= book.seq:
            return
        book.seq = seq
        book.ts_ns = ts_ns
        book.bid = bid
        book.ask = ask
        if (
            bid <= book.bid_low
            or bid >= book.bid_high
            or ask <= book.ask_low
            or ask >= book.ask_high
            or ts_ns >= book.due_ns
        ):
            self.act(book)

    def act(self, book: Book) -> None:
        """Do what the symbol's newest tick causes."""
        act_on_tick(self, book)
        if self._unit:
            self.commit()
        else:
            self.arm()

    @property
    def now_ns(self) -> int:
        """The server's time: that of the newest tick."""
        newest = UNTIMED
        for book in self.books.values():
            if book.ts_ns > newest:  # noqa: PLR1730 - max() costs three times as much here
                newest = book.ts_ns
        return newest

    @property
    def now_ms(self) -> int:
        """The server's time on its own clock."""
        now_ns = self.now_ns
        if now_ns != self._converted[0]:
            utc_ns = self.account.opened_ns if now_ns == UNTIMED else now_ns
            self._converted = now_ns, self.clock.to_broker_ms(utc_ns)
        return self._converted[1]

    @property
    def last_seq(self) -> int:
        """The newest tick taken, of any symbol; -1 before the first."""
        return max(book.seq for book in self.books.values())

    def put(self, row: Row) -> None:
        """Change the ledger as part of the current unit of work."""
        self.ledger.put(row)
        self._unit.append(row)

    def commit(self) -> None:
        """End the unit of work: make it durable, then set the bounds anew."""
        rows, self._unit = self._unit, []
        if self._journal is not None:
            moved = [book for book in self.books.values() if book.seq != book.journaled_seq]
            self._journal.append(
                [(book.settings.name, book.seq, book.ts_ns, book.bid, book.ask) for book in moved],
                rows,
            )
            for book in moved:
                book.journaled_seq = book.seq
        self.arm()

    def arm(self) -> None:
        """Work out at which prices and times the next ticks need a look."""
        arm_books(self)

    def finish_order(self, order: OrderRow, state: int, comment: str | None = None) -> None:
        """Move a pending order to history without execution."""
        self.put(
            order._replace(
                state=state, time_done_msc=self.now_ms,
                comment=order.comment if comment is None else comment,
            )
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the journal."""
        if self._journal is not None:
            self._journal.close()
