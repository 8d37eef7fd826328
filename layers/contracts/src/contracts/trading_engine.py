"""Messages of trading_engine, room and edge. Prices are int points, volumes hundredths of a lot."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.ai_orchestration import Direction
from contracts.envelope import Event, UtcDatetime

AccountMode = Literal["paper", "live"]
DenialReason = Literal[
    "account_unknown",
    "account_not_tradable",
    "symbol_not_entitled",
    "instrument_unknown",
    "quota_exhausted",
    "signal_expired",
    "signal_invalid",
    "duplicate_signal",
    "kill_switch",
    "quote_missing",
    "quote_stale",
    "spread_too_wide",
    "price_collar",
    "stop_too_close",
    "position_limit",
    "exposure_limit",
    "currency_exposure_limit",
    "daily_loss_limit",
    "drawdown_limit",
    "margin_insufficient",
    "volume_below_minimum",
    "order_rate_limit",
    "cooldown",
    "reconciliation_pending",
]
CloseReason = Literal["stop_loss", "take_profit", "horizon", "manual", "kill_switch", "stop_out"]


class AccountLinked(Event):
    """An account may be traded. Live passwords travel only as KMS ciphertext for the edge."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID
    mode: AccountMode
    login: int = Field(ge=1)
    server: str = Field(max_length=64)
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    leverage: int = Field(ge=1, le=5_000)
    initial_balance_cents: int = Field(ge=0)
    risk_per_trade_bp: int = Field(ge=1, le=500)
    """Share of equity put at risk by one trade, in basis points."""
    max_open_positions: int = Field(ge=1, le=100)
    max_daily_loss_bp: int = Field(ge=1, le=10_000)
    version: int = Field(ge=1)
    encrypted_password: str | None = Field(default=None, repr=False, max_length=4_000)


class AccountUnlinked(Event):
    """An account must not be traded any more."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID
    version: int = Field(ge=1)


class AccountConfirmed(Event):
    """The edge took an account's linking or unlinking into its books."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID
    version: int = Field(ge=1)
    active: bool
    """Whether the account may be traded from here on."""


class PredictionDelivered(Event):
    """A tenant got a signal; it counts against the day's predictions. One a signal and tenant."""

    service: ClassVar[str] = "trading_engine"
    signal_id: UUID
    symbol: str = Field(max_length=29)
    visible_at: UtcDatetime
    """Market time from which the tenant may see it (its tier's delay)."""


class OrderFilled(Event):
    """The terminal executed an order. One a signal and account."""

    service: ClassVar[str] = "trading_engine"
    order_id: UUID
    account_id: UUID
    signal_id: UUID
    symbol: str = Field(max_length=29)
    digits: int = Field(ge=0, le=8)
    direction: Direction
    volume: int = Field(gt=0)
    price: int = Field(gt=0)
    stop_loss: int = Field(gt=0)
    take_profit: int = Field(gt=0)
    position_ticket: int
    deal_ticket: int
    filled_at: UtcDatetime
    order_path_us: float = Field(ge=0)
    """Signal in the engine's hands to order handed to the terminal, in microseconds."""


class OrderRejected(Event):
    """The terminal refused an order that had passed our checks."""

    service: ClassVar[str] = "trading_engine"
    order_id: UUID
    account_id: UUID
    signal_id: UUID
    symbol: str = Field(max_length=29)
    direction: Direction
    volume: int = Field(gt=0)
    retcode: int
    reason: str = Field(max_length=80)
    rejected_at: UtcDatetime
    order_path_us: float = Field(ge=0)


class OrderDenied(Event):
    """Our own checks refused; nothing was sent to the terminal."""

    service: ClassVar[str] = "trading_engine"
    order_id: UUID
    account_id: UUID
    signal_id: UUID
    symbol: str = Field(max_length=29)
    direction: Direction
    reason: DenialReason
    denied_at: UtcDatetime


class PositionClosed(Event):
    """A position is flat. Profit is in cents of the account's currency, costs included."""

    service: ClassVar[str] = "trading_engine"
    order_id: UUID
    account_id: UUID
    signal_id: UUID
    symbol: str = Field(max_length=29)
    digits: int = Field(ge=0, le=8)
    direction: Direction
    volume: int = Field(gt=0)
    position_ticket: int
    price_open: int = Field(gt=0)
    price_close: int = Field(gt=0)
    profit_cents: int
    balance_cents: int
    reason: CloseReason
    opened_at: UtcDatetime
    closed_at: UtcDatetime
