"""A terminal under our symbol names: brokers write EURUSD as EURUSD.m, EURUSDpro and so on.

Names are translated at this one place, in both directions. A position in a symbol that has no name
of ours keeps the broker's: it is seen, counted, and can be closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from edge_bridge.ports import (
    AccountState,
    Action,
    Answered,
    AsksDeals,
    Bar,
    CancelRequest,
    CloseRequest,
    Deal,
    DealsHandle,
    Instrument,
    OrderRequest,
    PendingOrder,
    Position,
    Quote,
    Rejected,
    SendHandle,
    SendResult,
    StopsRequest,
    SymbolUnknown,
    Terminal,
    TickColumns,
    Timeframe,
)

_NO_SUCH_SYMBOL = 10013
"""The module's code for a request that makes no sense."""


class SymbolNames(Protocol):
    """Both names of a symbol."""

    def to_broker(self, symbol: str) -> str:
        """The broker's name. Raises SymbolUnknown."""

    def to_ours(self, symbol: str) -> str:
        """Our name, or the broker's when there is none."""


class RenamingTerminal:
    """The Terminal port over another one whose broker has names of its own."""

    def __init__(self, inner: Terminal, names: SymbolNames) -> None:
        self._inner, self._names = inner, names

    def connect(self) -> AccountState:
        """Open the terminal."""
        return self._inner.connect()

    def disconnect(self) -> None:
        """Close the connection."""
        self._inner.disconnect()

    def account(self) -> AccountState:
        """Read the account."""
        return self._inner.account()

    def instrument(self, symbol: str) -> Instrument:
        """Read the trading rules of a symbol."""
        return replace(self._inner.instrument(self._names.to_broker(symbol)), symbol=symbol)

    def quote(self, symbol: str) -> Quote | None:
        """Read the last tick of a symbol."""
        found = self._inner.quote(self._names.to_broker(symbol))
        return None if found is None else replace(found, symbol=symbol)

    def send(self, request: OrderRequest) -> SendResult:
        """Send a market order, at most once."""
        named = self._translate(request)
        return named if isinstance(named, Rejected) else self._inner.send(named)

    def begin(self, action: Action) -> SendHandle:
        """Hand a request over, at most once."""
        match action:
            case OrderRequest():
                named = self._translate(action)
                return Answered(named) if isinstance(named, Rejected) else self._inner.begin(named)
            case CloseRequest() | StopsRequest():
                position = self._to_broker(action.position)
                return self._inner.begin(replace(action, position=position))
            case CancelRequest():
                return self._inner.begin(replace(action, symbol=self._name(action.symbol)))

    def close_position(
        self,
        position: Position,
        *,
        volume: int | None = None,
        deviation: int = 0,
        magic: int | None = None,
        comment: str = "",
    ) -> SendResult:
        """Close a position or a part of it, at most once."""
        return self._inner.close_position(
            self._to_broker(position), volume=volume, deviation=deviation, magic=magic,
            comment=comment,
        )  # fmt: skip

    def move_stops(self, position: Position, stop_loss: int, take_profit: int) -> SendResult:
        """Set stop loss and take profit of a position."""
        return self._inner.move_stops(self._to_broker(position), stop_loss, take_profit)

    def cancel_order(self, ticket: int, symbol: str) -> SendResult:
        """Remove a pending order."""
        return self._inner.cancel_order(ticket, self._name(symbol))

    def positions(self) -> Sequence[Position]:
        """Read every open position."""
        return [replace(p, symbol=self._names.to_ours(p.symbol)) for p in self._inner.positions()]

    def pending_orders(self) -> Sequence[PendingOrder]:
        """Read every pending order."""
        found = self._inner.pending_orders()
        return [replace(each, symbol=self._names.to_ours(each.symbol)) for each in found]

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells since a time."""
        return self.rename_deals(self._inner.deals_since(time_ns))

    def ask_deals(self, time_ns: int) -> DealsHandle:
        """Ask for the deals since a time; only a terminal that cannot be asked is waited for."""
        inner = self._inner
        asked = inner.ask_deals(time_ns) if isinstance(inner, AsksDeals) else None
        return _RenamedDeals(asked, self, time_ns)

    def rename_deals(self, deals: Sequence[Deal]) -> list[Deal]:
        """Deals under our names."""
        return [replace(each, symbol=self._names.to_ours(each.symbol)) for each in deals]

    def bars(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Read the last bars."""
        return self._inner.bars(self._names.to_broker(symbol), timeframe, count)

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Read kept ticks."""
        return self._inner.ticks_between(self._names.to_broker(symbol), from_ns, to_ns)

    def _translate(self, request: OrderRequest) -> OrderRequest | Rejected:
        try:
            return replace(request, symbol=self._names.to_broker(request.symbol))
        except SymbolUnknown as error:
            return Rejected(_NO_SUCH_SYMBOL, f"no such symbol: {error}", "invalid_request")

    def _name(self, symbol: str) -> str:
        """The broker's name; a symbol seen under the broker's own name keeps it."""
        try:
            return self._names.to_broker(symbol)
        except SymbolUnknown:
            return symbol

    def _to_broker(self, position: Position) -> Position:
        return replace(position, symbol=self._name(position.symbol))


@dataclass(frozen=True, slots=True)
class _RenamedDeals:
    """A question whose answer is translated."""

    asked: DealsHandle | None
    terminal: RenamingTerminal
    time_ns: int

    def poll(self) -> Sequence[Deal] | None:
        """Look for the answer; a terminal that cannot be asked is read now."""
        if self.asked is None:
            return self.terminal.deals_since(self.time_ns)
        deals = self.asked.poll()
        return None if deals is None else self.terminal.rename_deals(deals)
