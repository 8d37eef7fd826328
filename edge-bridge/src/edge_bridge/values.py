"""The plain values that cross the terminal port; their units are told in `ports.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from edge_bridge.quick import quick

LOT = 100
"""Hundredths in one lot: `volume=10` is 0.10 lot."""

Side = Literal["buy", "sell"]
DealEntry = Literal["in", "out", "inout", "out_by"]
CloseReason = Literal["client", "expert", "sl", "tp", "so", "other"]
"""Why a deal happened: by hand, by a program, stop loss, take profit, stop out, anything else."""
RejectionKind = Literal[
    "requote",
    "refused",
    "invalid_request",
    "volume",
    "price",
    "stops",
    "trade_disabled",
    "market_closed",
    "no_money",
    "no_quotes",
    "expiration",
    "too_many_requests",
    "no_change",
    "automation_off",
    "frozen",
    "filling",
    "offline",
    "limit",
    "position_gone",
    "side_not_allowed",
    "close_order",
    "unlisted",
]
"""What a refusal is about, whatever its code."""
Timeframe = Literal["M1", "M5", "M15", "M30", "H1", "H4", "D1"]


@quick
@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices of one symbol, in points."""

    symbol: str
    bid: int
    ask: int
    time_ns: int


@quick
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
    freeze_level: int = 0  # so near to stop or target nothing may be changed, points

    @property
    def point(self) -> Decimal:
        """The price of one point, such as Decimal('0.00001')."""
        return Decimal(1).scaleb(-self.digits)


@quick
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
    demo: bool = False  # the broker says that no real money is at stake


@quick
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


@quick
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


@quick
@dataclass(frozen=True, slots=True)
class Rejected:
    """The terminal or broker refused the request: nothing was executed. `code` is its retcode.

    Codes below zero are the terminal's own refusals (-2 invalid arguments, -8 API disabled).
    """

    code: int
    reason: str
    kind: RejectionKind = field(default="refused", compare=False)
    """What it is about; follows from the code."""


@quick
@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: the order may or may not exist. Reconcile; never send it again."""

    code: int
    reason: str


SendResult = Done | Rejected | Unknown


@quick
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


@quick
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


@quick
@dataclass(frozen=True, slots=True)
class PendingOrder:
    """An order that waits for its price."""

    ticket: int
    symbol: str
    side: Side
    kind: Literal["limit", "stop", "stop_limit"]
    volume: int
    price: int
    time_ns: int
    magic: int
    comment: str


@quick
@dataclass(frozen=True, slots=True)
class CloseRequest:
    """Close a position, or `volume` of it, at the market; without a magic, under its own."""

    position: Position
    volume: int | None = None
    deviation: int = 0
    magic: int | None = None
    comment: str = ""


@quick
@dataclass(frozen=True, slots=True)
class StopsRequest:
    """Set stop loss and take profit of a position; 0 removes."""

    position: Position
    stop_loss: int
    take_profit: int


@quick
@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Remove a pending order."""

    ticket: int
    symbol: str


Action = OrderRequest | CloseRequest | StopsRequest | CancelRequest


@quick
@dataclass(frozen=True, slots=True)
class TickColumns:
    """Ticks of one symbol, oldest first: UTC nanoseconds and points, columns of one length."""

    ts_ns: Sequence[int]
    bid: Sequence[int]
    ask: Sequence[int]


@quick
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
