"""One account at its terminal: the last reading of it, its open orders, its latches.

Reading happens between signals (`refresh`), so that a signal finds everything in memory and asks
the terminal for nothing but the quote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import is_
from typing import Literal

from edge_bridge.engine.books import BrokerBooks
from edge_bridge.engine.calendar import MINUTE_NS, Periods
from edge_bridge.engine.directory import Account
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.holdings import Holdings, sum_holdings
from edge_bridge.engine.models import Order
from edge_bridge.engine.pace import SendPace
from edge_bridge.engine.picture import Picture, Scene
from edge_bridge.engine.sizing import Contractual, read_contract
from edge_bridge.ports import (
    AccountState,
    PendingOrder,
    Position,
    PriceUnknown,
    Quote,
    SymbolUnknown,
    Terminal,
    TerminalUnavailable,
    WrongTerminal,
)

RULES_AGE_NS = 5 * MINUTE_NS
"""Tick values and margins move with the price, slowly; they are read again this often."""
MoveReason = Literal["trailing", "break_even"]
StopsReason = Literal["trailing", "break_even", "external"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A stop that was asked for, and at which market time."""

    stop_loss: int
    at_ns: int


@dataclass(slots=True)
class Desk:
    """An account and its terminal."""

    account: Account
    terminal: Terminal
    guard: Guard = field(default_factory=Guard)
    connected: bool = False
    state: AccountState | None = None
    state_ns: int = 0
    rules_ns: int = 0
    """When the instruments were read last."""
    positions: Sequence[Position] = ()
    pending: Sequence[PendingOrder] = ()
    """Orders at the broker that wait for their price."""
    contracts: dict[str, Contractual] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    """Orders that are not over: of unknown outcome, or with an open position."""
    external: tuple[Position, ...] = ()
    """Positions that no order of ours opened."""
    held: bool = False
    """Whether the broker's books and ours differ in a way that nobody has judged yet."""
    reconciled: bool = False
    reconciled_at: datetime | None = None
    missing_since: dict[str, datetime] = field(default_factory=dict)
    """Orders whose position is gone while no deal tells why."""
    moving: dict[int, Asked] = field(default_factory=dict)
    """Stops that we asked for last, by position."""
    closed_ns: dict[str, int] = field(default_factory=dict)
    """Symbols whose market is closed, as of a quote of that time."""
    cancel_due: bool = False
    """Whether pending orders have to go."""
    sent_ns: SendPace = field(default_factory=SendPace)
    _held: tuple[object, ...] = ()
    _holdings: Holdings | None = None
    """The sums over what was read last, worked out when first asked for."""
    _unread: list[Position] = field(default_factory=list)
    books: BrokerBooks = field(init=False)

    def __post_init__(self) -> None:
        self.books = BrokerBooks(self.terminal)

    def connect(self) -> bool:
        """Open the terminal if it is not open; tell whether it is."""
        if not self.connected:
            try:
                self.terminal.connect()
                self.connected = True
            except (TerminalUnavailable, WrongTerminal):
                self.state = None
        return self.connected

    def refresh(self, now_ns: int, symbols: Sequence[str]) -> bool:
        """Read account, positions and instruments; tell whether the terminal answered."""
        if not self.connect():
            return False
        try:
            self.positions = self.terminal.positions()
            self.pending = self.terminal.pending_orders()
            self.state = self.terminal.account()
            due = now_ns - self.rules_ns >= RULES_AGE_NS
            held = {each.symbol for each in self.positions}
            held.update(each.symbol for each in self.pending)
            for symbol in held.union(symbols):
                if due or symbol not in self.contracts:
                    self._read_instrument(symbol, self.state.currency_digits)
            self.rules_ns = now_ns if due else self.rules_ns
        except (TerminalUnavailable, WrongTerminal, SymbolUnknown):
            self.connected, self.state = False, None
            return False
        self.books.turn()
        self.state_ns = now_ns
        self.sum_holdings()
        return True

    def _read_instrument(self, symbol: str, currency_digits: int) -> None:
        try:
            instrument = self.terminal.instrument(symbol)
        except (SymbolUnknown, PriceUnknown):
            self.contracts.pop(symbol, None)
        else:
            known = self.contracts.get(symbol)
            if known is None or known.instrument != instrument:
                self.contracts[symbol] = read_contract(instrument, currency_digits)

    def read_quote(self, symbol: str) -> Quote | None:
        """The account's own last quote; None when there is none or the terminal is silent."""
        try:
            return self.terminal.quote(symbol) if self.connected else None
        except (SymbolUnknown, TerminalUnavailable):
            return None

    def is_settled(self) -> bool:
        """Whether the broker's books and ours agree."""
        undecided = any(order.state != "filled" for order in self.orders.values())
        return self.reconciled and not undecided and not self.held

    def has_strangers(self) -> bool:
        """Whether a position is there that neither we nor the last look at the books know."""
        if not self.positions:
            return False
        ours = {order.magic for order in self.orders.values()}
        known = {each.identifier for each in self.external}
        return any(p.magic not in ours and p.identifier not in known for p in self.positions)

    def sum_holdings(self) -> Holdings | None:
        """What the account holds by the last reading and by the answers since; None before any."""
        state = self.state
        if state is None:
            return None
        unread = self._list_unread()
        read = (self.positions, self.pending, state, self.contracts)
        same = self._held and all(map(is_, self._held, read))
        if not same or unread != self._unread:
            known = [*self.positions, *unread] if unread else self.positions
            self._holdings = sum_holdings(known, self.pending, self.contracts, state)
            self._held, self._unread = read, unread
        return self._holdings

    def _list_unread(self) -> list[Position]:
        """Positions that an answer told of and the last reading did not show: they count as open
        until the deals say otherwise."""
        filled = [order for order in self.orders.values() if order.state == "filled"]
        if not filled:
            return []
        shown = {each.identifier for each in self.positions}
        return [order.as_position() for order in filled if order.position not in shown]

    def draw_picture(
        self,
        scene: Scene,
        periods: Periods | None,
        *,
        within_plan: bool,
        due_ns: int = 0,
        killed: bool = False,
    ) -> Picture:
        """Everything the risk checks look at, as of the scene; `killed` is a switch above the
        account's own."""
        guard, symbol, sent = self.guard, scene.signal.symbol, self.sent_ns
        return Picture(
            scene,
            self.account.linked if self.account.active else None,
            self.state,
            self.state_ns,
            killed or guard.killed == "manual",
            within_plan,
            due_ns,
            self.contracts.get(symbol),
            self.read_quote(symbol),
            sent.count_minute(scene.now_ns),
            None if periods is None else sent.count_day(periods.starts_ns),
            self.sum_holdings(),
            guard,
            periods,
            self.is_settled(),
        )

    def find_position(self, order: Order) -> Position | None:
        """The order's open position, as last read."""
        wanted = order.position
        for each in self.positions:
            if each.identifier == wanted:
                return each
        return None
