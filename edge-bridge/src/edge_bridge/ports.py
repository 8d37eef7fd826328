"""What the engine sees of a trading terminal: one Protocol and the plain values that cross it.

Units are exact everywhere on this side of the port:
prices are int points (price x 10^digits of the symbol; 0 = none, for stops and targets),
volumes are int hundredths of a lot (`LOT` = one lot),
money is int minor units of the account currency (cents for USD: `currency_digits` of the account),
times are UTC nanoseconds since the epoch.
Floats exist only inside the adapters, at the terminal's own boundary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edge_bridge.quick import quick
from edge_bridge.values import (
    LOT,
    AccountState,
    Action,
    Bar,
    CancelRequest,
    CloseReason,
    CloseRequest,
    Deal,
    DealEntry,
    Done,
    Instrument,
    OrderRequest,
    PendingOrder,
    Position,
    Quote,
    Rejected,
    RejectionKind,
    SendResult,
    Side,
    StopsRequest,
    TickColumns,
    Timeframe,
    Unknown,
)

__all__ = [
    "LOT",
    "AccountState",
    "Action",
    "Answered",
    "AsksDeals",
    "Bar",
    "Books",
    "CancelRequest",
    "CloseReason",
    "CloseRequest",
    "Deal",
    "DealEntry",
    "DealsHandle",
    "Done",
    "Instrument",
    "OrderRequest",
    "PendingOrder",
    "Position",
    "PriceUnknown",
    "Quote",
    "Rejected",
    "RejectionKind",
    "SendHandle",
    "SendResult",
    "Side",
    "StopsRequest",
    "StorageFull",
    "SymbolUnknown",
    "Terminal",
    "TerminalUnavailable",
    "TickColumns",
    "Timeframe",
    "Unknown",
    "WrongTerminal",
    "quick",
]


class TerminalUnavailable(Exception):
    """The terminal or its pipe does not answer; nothing was learned. Reconnect, then ask again."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class StorageFull(Exception):
    """The disk took nothing: the step was not written, and may be tried again. Free the disk."""


class WrongTerminal(Exception):
    """The terminal that answered is not the one of this account: other login, server or path."""


class SymbolUnknown(Exception):
    """The broker does not list this symbol, or it cannot be expressed in this port's units."""


class PriceUnknown(Exception):
    """The symbol has no price yet, so its tick value and margin cannot be told."""


class SendHandle(Protocol):
    """A request that was handed over; its answer comes when it comes."""

    def poll(self) -> SendResult | None:
        """Look for the answer without waiting; None while there is none. Asked again, the same."""


@quick
@dataclass(frozen=True, slots=True)
class Answered:
    """The handle of a request that was answered at once."""

    result: SendResult

    def poll(self) -> SendResult:
        """The answer."""
        return self.result


class DealsHandle(Protocol):
    """A question for deals; its answer comes when it comes."""

    def poll(self) -> Sequence[Deal] | None:
        """Look for the answer without waiting; None while there is none. Raises
        TerminalUnavailable when there will be none."""


@runtime_checkable
class AsksDeals(Protocol):
    """A terminal that may also be asked for deals without waiting for them."""

    def ask_deals(self, time_ns: int) -> DealsHandle:
        """Ask for the deals executed at or after a time. Never raises."""


class Books(Protocol):
    """What of a terminal tells which orders were executed."""

    def positions(self) -> Sequence[Position]:
        """Read every open position of the account, oldest first."""

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells executed at or after a time, oldest first."""


class Terminal(Protocol):
    """One terminal, one account. Blocking but for `begin`; every method that only reads raises
    TerminalUnavailable when the terminal does not answer, and none that sends does."""

    def connect(self) -> AccountState:
        """Open the terminal, log in, and check that it is the one expected (else WrongTerminal)."""

    def disconnect(self) -> None:
        """Close the connection; positions and orders stay at the broker."""

    def account(self) -> AccountState:
        """Read the account as the broker sees it now."""

    def instrument(self, symbol: str) -> Instrument:
        """Read the trading rules of a symbol. Raises SymbolUnknown, or PriceUnknown before its
        first price ever."""

    def quote(self, symbol: str) -> Quote | None:
        """Read the last tick of a symbol; None before its first tick."""

    def send(self, request: OrderRequest) -> SendResult:
        """Send a market order, at most once."""

    def begin(self, action: Action) -> SendHandle:
        """Hand a request over, at most once, and do not wait for its answer. Never raises."""

    def close_position(
        self,
        position: Position,
        *,
        volume: int | None = None,
        deviation: int = 0,
        magic: int | None = None,
        comment: str = "",
    ) -> SendResult:
        """Close a position, or `volume` of it, at the market, at most once.

        The closing deal carries the position's magic unless another is given.
        """

    def move_stops(self, position: Position, stop_loss: int, take_profit: int) -> SendResult:
        """Set stop loss and take profit of a position (0 removes)."""

    def cancel_order(self, ticket: int, symbol: str) -> SendResult:
        """Remove a pending order."""

    def positions(self) -> Sequence[Position]:
        """Read every open position of the account, oldest first."""

    def pending_orders(self) -> Sequence[PendingOrder]:
        """Read every order that waits for its price, oldest first."""

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells executed at or after a time, oldest first."""

    def bars(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Read the last `count` bars, oldest first, the forming one last."""

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Read the kept ticks with ``from_ns <= time < to_ns``, oldest first."""
