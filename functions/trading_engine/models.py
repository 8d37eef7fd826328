"""What trading_engine's doors take and answer, and what its store keeps."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from contracts.ai_orchestration import Direction
from contracts.trading_limits import TradingLimits
from contracts.trading_reasons import AccountHealth, AccountMode, CloseReason, DifferenceKind

NUMBERS = ("risk_per_trade_bp", "max_open_positions", "max_daily_loss_bp")
"""An account's own limits: lower is tighter, and on a live account higher waits a day."""


def _require_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise ValueError("name a time zone such as America/New_York") from error
    return name


Leverage = Annotated[int, Field(ge=1, le=5_000)]
RiskBp = Annotated[int, Field(ge=1, le=200)]
OpenPositions = Annotated[int, Field(ge=1, le=20)]
DailyLossBp = Annotated[int, Field(ge=10, le=5_000)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=128)]
Suffix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._#+-]{0,12}$")]
SymbolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._#+&/-]{1,29}$")]
Symbols = Annotated[dict[SymbolName, SymbolName], Field(max_length=200)]
Zone = Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+-]{1,64}$"), AfterValidator(_require_zone)]
AheadHours = Annotated[int, Field(ge=-24, le=24)]


class Body(BaseModel):
    """What a request may hold: the fields named and no others; errors never repeat its values."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class LinkAccount(Body):
    """Body of POST /v1/accounts. Paper accounts start with their own money, in cents."""

    mode: Literal["paper"]
    leverage: Annotated[int, Field(ge=1, le=500)] = 100
    initial_balance_cents: Annotated[int, Field(ge=10_000, le=100_000_000)] = 1_000_000
    risk_per_trade_bp: RiskBp = 50
    max_open_positions: OpenPositions = 1
    max_daily_loss_bp: DailyLossBp = 300


class LinkLiveAccount(Body):
    """Body of POST /v1/accounts for an account at a broker."""

    mode: Literal["live"]
    login: Annotated[int, Field(ge=1, le=10**15)]
    server: Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$")]
    password: Password
    """Sealed for the edge at once, and shown to nobody."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    leverage: Leverage = 100
    risk_per_trade_bp: RiskBp = 50
    max_open_positions: OpenPositions = 1
    max_daily_loss_bp: DailyLossBp = 300
    symbol_suffix: Suffix = ""
    """What the broker adds to every symbol's name."""
    symbols: Symbols = Field(default_factory=dict)
    """Our name -> the broker's, where no suffix explains it."""
    broker_zone: Zone = "America/New_York"
    broker_ahead_hours: AheadHours = 7
    """The broker's clock: the zone's wall time and so many hours."""


AnyLink = Annotated[LinkAccount | LinkLiveAccount, Field(discriminator="mode")]


class ChangeAccount(Body):
    """Body of PATCH /v1/accounts/{account_id}; what is left out stays. Login and server name the
    account and do not change: link another instead."""

    password: Password | None = None
    leverage: Leverage | None = None
    risk_per_trade_bp: RiskBp | None = None
    max_open_positions: OpenPositions | None = None
    max_daily_loss_bp: DailyLossBp | None = None
    symbol_suffix: Suffix | None = None
    symbols: Symbols | None = None
    broker_zone: Zone | None = None
    broker_ahead_hours: AheadHours | None = None

    def list_changes(self) -> dict[str, Any]:
        """The fields that change, but for the password."""
        return self.model_dump(exclude_none=True, exclude={"password"})


class Numbers(BaseModel):
    """Looser numbers of an account that wait for their day."""

    risk_per_trade_bp: int
    max_open_positions: int
    max_daily_loss_bp: int


class Account(BaseModel):
    """An account as a tenant sees it."""

    account_id: UUID
    mode: AccountMode
    login: int
    server: str
    currency: str
    leverage: int
    initial_balance_cents: int
    risk_per_trade_bp: int
    max_open_positions: int
    max_daily_loss_bp: int
    symbols: dict[str, str]
    symbol_suffix: str
    broker_zone: str
    broker_ahead_hours: int
    state: Literal["linked", "unlinked"]
    version: int
    confirmed: bool
    """Whether the edge has taken this version into its books."""
    pending: Numbers | None
    """Looser numbers that take effect at ``pending_at``."""
    pending_at: datetime | None
    health: AccountHealth | None
    """How the account's terminal is; null before the edge first said so."""
    health_reason: str | None
    health_since: datetime | None
    restarts: int
    held: bool
    """The broker's books and ours disagree: no entries until they agree."""
    held_reason: DifferenceKind | None
    latched: bool
    """A loss or drawdown limit stopped the account until it is released by hand."""
    latch_reason: str | None


class AccountPage(BaseModel):
    """Answer of GET /v1/accounts."""

    items: list[Account]


class Allowance(BaseModel):
    """What the plan allows of accounts and symbols; symbols are unknown until the plan is told
    again."""

    paper_accounts: int
    live_accounts: int
    symbols: list[str] | None = None
    max_symbols: int | None = None

    def of(self, mode: AccountMode) -> int:
        """Accounts of a kind."""
        return self.live_accounts if mode == "live" else self.paper_accounts


class KeptLimits(BaseModel):
    """Limits of a scope as the store has them; version 0 was never published."""

    version: int
    limits: TradingLimits
    changed_at: datetime | None = None
    pending: TradingLimits | None = None
    pending_at: datetime | None = None


class SwitchWord(BaseModel):
    """What somebody said of a switch."""

    version: int
    engaged: bool
    flatten: bool
    reason: str
    at: datetime


class KeptSwitch(BaseModel):
    """A switch as the store has it: what was asked, and what the edge said."""

    asked: SwitchWord | None = None
    confirmed: SwitchWord | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> "KeptSwitch":
        """Read a row; its two halves are there once something was said."""
        if row is None:
            return cls()
        asked = row["asked_at"] and SwitchWord(
            version=row["version"], engaged=row["asked"], flatten=row["asked_flatten"],
            reason=row["asked_reason"], at=row["asked_at"],
        )  # fmt: skip
        seen = row["seen_at"] and SwitchWord(
            version=row["seen_version"], engaged=row["seen"], flatten=row["seen_flatten"],
            reason=row["seen_reason"], at=row["seen_at"],
        )  # fmt: skip
        return cls(asked=asked, confirmed=seen)


class Order(BaseModel):
    """A signal's fate at one account. Prices are points, volumes hundredths of a lot."""

    order_id: UUID
    account_id: UUID
    signal_id: UUID
    symbol: str
    direction: Direction
    state: Literal["filled", "rejected", "denied"]
    reason: str | None
    """Why it was rejected or denied."""
    volume: int | None
    price: int | None
    stop_loss: int | None
    take_profit: int | None
    decided_at: datetime
    order_path_us: float | None
    """Signal in hand to order handed to the terminal, in microseconds."""


class OrderPage(BaseModel):
    """Answer of GET /v1/orders."""

    items: list[Order]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""


class Position(BaseModel):
    """A position, open or closed (then a trade). Money is cents of the account's currency."""

    order_id: UUID
    account_id: UUID
    symbol: str
    digits: int
    direction: Direction
    volume: int
    """Of the whole position, the parts that were closed included."""
    volume_left: int
    position_ticket: int
    price_open: int
    stop_loss: int | None
    take_profit: int | None
    opened_at: datetime
    price_close: int | None
    profit_cents: int | None
    """Of the whole position, the parts that were closed before included; null while it is open."""
    realised_cents: int
    """What is earned for good: of the parts while it is open, then the same as the profit."""
    balance_cents: int | None
    close_reason: CloseReason | None
    closed_at: datetime | None


class PositionPage(BaseModel):
    """Answer of GET /v1/positions and GET /v1/trades."""

    items: list[Position]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""
