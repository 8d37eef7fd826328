"""Messages of trading_engine, room and edge. Prices are int points, volumes hundredths of a lot."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.ai_orchestration import Direction
from contracts.envelope import Command, Event, UtcDatetime
from contracts.trading_limits import NewsWindow, TradingLimits
from contracts.trading_reasons import (
    AccountHealth,
    AccountMode,
    CloseReason,
    DenialReason,
    DifferenceKind,
    KillScope,
    SlaMetric,
)


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
    """Base64 of the KMS ciphertext; its encryption context is {tenant_id, account_id}."""
    symbols: dict[str, str] = Field(default_factory=dict, max_length=200)
    """Our name -> the broker's, where no suffix explains it."""
    symbol_suffix: str = Field(default="", max_length=12)
    broker_zone: str = Field(default="America/New_York", max_length=64)
    broker_ahead_hours: int = Field(default=7, ge=-24, le=24)
    """The broker's clock: the zone's wall time and so many hours."""


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
    """A position is flat. Profit is in cents of the account's currency, costs included.

    Speaks of the whole position: volume, profit and closing price (weighted by volume) include the
    parts that PositionReduced told before, so the two are never added up.
    """

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


class TradingLimitsChanged(Event):
    """Limits of an account, or of a tenant's accounts without their own; highest version wins."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID | None
    version: int = Field(ge=1)
    limits: TradingLimits


class LoosenLimits(Command):
    """Put looser limits in force whose day of waiting is over."""

    service: ClassVar[str] = "trading_engine"
    tenants_max: int = Field(default=200, ge=1, le=1_000)


class NewsCalendarPublished(Event):
    """The news of the days to come, whole; for everybody. Highest version wins."""

    service: ClassVar[str] = "trading_engine"
    version: int = Field(ge=1)
    windows: tuple[NewsWindow, ...] = Field(max_length=500)


class EngageKillSwitch(Command):
    """Stop entries at once and cancel what is pending, for a tenant or (tenant_id null) the host.

    Never stale: stopping late is better than not stopping. Highest version of a scope wins.
    """

    service: ClassVar[str] = "trading_engine"
    command_id: UUID
    version: int = Field(ge=1)
    flatten: bool = False
    """Close the open positions too."""
    reason: str = Field(default="", max_length=200)
    requested_by: UUID | None = None


class ReleaseKillSwitch(Command):
    """Arm trading again, by a human's hand; refused when it comes after ``expires_at``."""

    service: ClassVar[str] = "trading_engine"
    command_id: UUID
    version: int = Field(ge=1)
    expires_at: UtcDatetime
    requested_by: UUID | None = None


class KillSwitchChanged(Event):
    """The edge latched a switch or was armed again."""

    service: ClassVar[str] = "trading_engine"
    scope: KillScope
    account_id: UUID | None = None
    """For ``account``: the drawdown or loss limit of one account latched it."""
    version: int = Field(ge=0)
    engaged: bool
    flatten: bool
    reason: str = Field(max_length=200)
    changed_at: UtcDatetime


class PositionReduced(Event):
    """A part of a position was closed; the rest stays open.

    Profit is of this part's deal alone; what opening cost stands in PositionClosed only.
    """

    service: ClassVar[str] = "trading_engine"
    order_id: UUID
    account_id: UUID
    symbol: str = Field(max_length=29)
    deal_ticket: int
    volume_closed: int = Field(gt=0)
    volume_left: int = Field(gt=0)
    price: int = Field(gt=0)
    profit_cents: int
    reduced_at: UtcDatetime


class StopsMoved(Event):
    """Stop loss or take profit of a position changed, by the engine or by hand. 0 = none."""

    service: ClassVar[str] = "trading_engine"
    order_id: UUID
    account_id: UUID
    symbol: str = Field(max_length=29)
    stop_loss: int = Field(ge=0)
    take_profit: int = Field(ge=0)
    reason: Literal["trailing", "break_even", "external"]
    moved_at: UtcDatetime


class ReconciliationDiffered(Event):
    """The broker's books and ours disagree; entries on the account wait until it is resolved."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID
    kind: DifferenceKind
    position_ticket: int | None = None
    order_id: UUID | None = None
    symbol: str | None = Field(default=None, max_length=29)
    volume: int = Field(default=0, ge=0)
    seen_at: UtcDatetime


class ReconciliationResolved(Event):
    """The books of an account agree again."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID
    resolved_at: UtcDatetime


class AccountHealthChanged(Event):
    """An account's terminal came, went, hung or was given up for now; ``reason`` says why."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID
    health: AccountHealth
    reason: str = Field(max_length=200)
    restarts: int = Field(ge=0)
    changed_at: UtcDatetime


class SlaBreached(Event):
    """A promise of speed was broken: the worst of a window, once a window and metric."""

    service: ClassVar[str] = "trading_engine"
    account_id: UUID | None = None
    metric: SlaMetric
    p99: float = Field(ge=0)
    limit: float = Field(gt=0)
    window_s: int = Field(ge=1)
    breached_at: UtcDatetime
