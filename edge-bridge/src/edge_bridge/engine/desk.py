"""One account at its terminal: the last reading of it, its open orders, its latches.

Reading happens between signals (`refresh`), so that a signal finds everything in memory and asks
the terminal for nothing but the quote.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Contract
from edge_bridge.engine.directory import Account
from edge_bridge.engine.models import Order
from edge_bridge.engine.risk import Picture
from edge_bridge.engine.sizing import Contractual, read_contract
from edge_bridge.ports import (
    AccountState,
    Position,
    PriceUnknown,
    Quote,
    SymbolUnknown,
    Terminal,
    TerminalUnavailable,
    WrongTerminal,
)

MINUTE_NS = 60_000_000_000
RULES_AGE_NS = 5 * MINUTE_NS
"""Tick values and margins move with the price, slowly; they are read again this often."""
KillReason = Literal["drawdown", "manual"]
StopsReason = Literal["trailing", "break_even", "external"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A stop that was asked for, why, and at which market time."""

    stop_loss: int
    reason: StopsReason
    at_ns: int


class Guard(Contract):
    """What an account's loss limits are measured from; survives a restart."""

    day: str = ""
    day_equity: int | None = None
    day_halted: bool = False
    peak_equity: int | None = None
    killed: KillReason | None = None
    stopped_ns: dict[str, int] = Field(default_factory=dict)
    """When the last stop loss of each symbol was hit."""


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
    sent_ns: deque[int] = field(default_factory=lambda: deque(maxlen=1_000))

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
            self.state = self.terminal.account()
            due = now_ns - self.rules_ns >= RULES_AGE_NS
            for symbol in {*symbols, *(each.symbol for each in self.positions)}:
                if due or symbol not in self.contracts:
                    self._read_instrument(symbol, self.state.currency_digits)
            self.rules_ns = now_ns if due else self.rules_ns
        except (TerminalUnavailable, WrongTerminal):
            self.connected, self.state = False, None
            return False
        self.state_ns = now_ns
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

    def draw_picture(
        self, signal: SignalIssued, now_ns: int, reference: Quote | None, *, within_plan: bool
    ) -> Picture:
        """Everything the risk checks look at, as of now."""
        guard = self.guard
        return Picture(
            now_ns=now_ns,
            signal=signal,
            account=self.account.linked if self.account.active else None,
            within_plan=within_plan,
            settled=self.is_settled(),
            killed=guard.killed == "manual",
            drawn_down=guard.killed == "drawdown",
            state=self.state,
            state_ns=self.state_ns,
            contracts=self.contracts,
            quote=self.read_quote(signal.symbol),
            reference=reference,
            positions=self.positions,
            day_equity=guard.day_equity,
            day_halted=guard.day_halted,
            peak_equity=guard.peak_equity,
            orders_in_minute=self._count_recent(now_ns),
            stopped_ns=guard.stopped_ns.get(signal.symbol),
        )

    def _count_recent(self, now_ns: int) -> int:
        """Orders sent within the last minute; older ones are forgotten."""
        sent = self.sent_ns
        while sent and sent[0] <= now_ns - MINUTE_NS:
            sent.popleft()
        return len(sent)

    def find_position(self, order: Order) -> Position | None:
        """The order's open position, as last read."""
        found = (each for each in self.positions if each.identifier == order.position)
        return next(found, None)
