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
from decimal import Decimal
from typing import Literal, Protocol

LOT = 100
"""Hundredths in one lot: `volume=10` is 0.10 lot."""

Side = Literal["buy", "sell"]
DealEntry = Literal["in", "out", "inout", "out_by"]
CloseReason = Literal["client", "expert", "sl", "tp", "so", "other"]
"""Why a deal happened: by hand, by a program, stop loss, take profit, stop out, anything else."""
Timeframe = Literal["M1", "M5", "M15", "M30", "H1", "H4", "D1"]


class TerminalUnavailable(Exception):
    """The terminal or its pipe does not answer; nothing was learned. Reconnect, then ask again."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class WrongTerminal(Exception):
    """The terminal that answered is not the one of this account: other login, server or path."""


class SymbolUnknown(Exception):
    """The broker does not list this symbol, or it cannot be expressed in this port's units."""


class PriceUnknown(Exception):
    """The symbol has no price yet, so its tick value and margin cannot be told."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices of one symbol, in points."""

    symbol: str
    bid: int
    ask: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """Trading rules of one symbol, as the broker states them when asked."""

    symbol: str
    digits: int
    contract_size: Decimal  # units of the base in one lot
    tick_size: int  # smallest price change, points
    tick_value: Decimal  # account currency for one tick on one lot
    margin_per_lot: Decimal  # account currency, at the price of the moment it was read
    volume_min: int  # hundredths of a lot
    volume_max: int
    volume_step: int
    stops_level: int  # least distance of stop and target from the price, points
    currency_base: str
    currency_profit: str
    currency_margin: str
    trade_allowed: bool  # both directions may be opened

    @property
    def point(self) -> Decimal:
        """The price of one point, such as Decimal('0.00001')."""
        return Decimal(1).scaleb(-self.digits)


@dataclass(frozen=True, slots=True)
class AccountState:
    """The broker's view of the account now. Money in minor units of `currency`."""

    login: int
    server: str
    currency: str
    currency_digits: int
    balance: int
    equity: int
    margin: int
    margin_free: int
    leverage: int
    trade_allowed: bool  # the broker and the terminal both let programs trade
    hedging: bool


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A market order. `client_id` stays here; `magic` and the time are what the broker keeps.

    Give each order a magic of its own: after an unknown outcome it is the only thing that
    finds the order again. Comments may be overwritten by the broker.
    """

    client_id: str
    symbol: str
    side: Side
    volume: int
    stop_loss: int = 0
    take_profit: int = 0
    magic: int = 0
    deviation: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The broker executed the request. `position` is the identifier of the position touched, or 0
    when only the deals tell it (netting accounts).

    `deal` is 0 when the broker only acknowledged (placed), and `price` is 0 when it did not tell:
    then the fill is read from `deals_since`. `volume` can be less than asked (partial fill).
    """

    order: int
    deal: int
    position: int
    volume: int
    price: int
    bid: int
    ask: int
    code: int = 10009


@dataclass(frozen=True, slots=True)
class Rejected:
    """The terminal or broker refused the request: nothing was executed. `code` is its retcode.

    Codes below zero are the terminal's own refusals (-2 invalid arguments, -8 API disabled).
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: the order may or may not exist. Reconcile; never send it again."""

    code: int
    reason: str


SendResult = Done | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Position:
    """An open position. Key on `identifier`: server operations may change the ticket."""

    ticket: int
    identifier: int
    symbol: str
    side: Side
    volume: int
    price_open: int
    stop_loss: int
    take_profit: int
    time_ns: int
    magic: int
    comment: str
    profit: int
    swap: int


@dataclass(frozen=True, slots=True)
class Deal:
    """One execution. `position` is the identifier of the position it opened or closed."""

    ticket: int
    order: int
    position: int
    symbol: str
    side: Side
    entry: DealEntry
    reason: CloseReason
    volume: int
    price: int
    time_ns: int
    magic: int
    comment: str
    profit: int
    commission: int
    swap: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of bid prices, named by its opening time. `spread` in points."""

    time_ns: int
    open: int
    high: int
    low: int
    close: int
    tick_volume: int
    spread: int


class Terminal(Protocol):
    """One terminal, one account. Blocking; every method but `send`, `close_position` and
    `move_stops` raises TerminalUnavailable when the terminal does not answer."""

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

    def positions(self) -> Sequence[Position]:
        """Read every open position of the account, oldest first."""

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells executed at or after a time, oldest first."""

    def bars(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Read the last `count` bars, oldest first, the forming one last."""
