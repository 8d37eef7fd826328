"""What trading_engine's doors take and answer, and what its store keeps."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.ai_orchestration import Direction
from contracts.trading_reasons import CloseReason


class LinkAccount(BaseModel):
    """Body of POST /v1/accounts. Paper accounts start with their own money, in cents."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["paper"]
    leverage: Annotated[int, Field(ge=1, le=500)] = 100
    initial_balance_cents: Annotated[int, Field(ge=10_000, le=100_000_000)] = 1_000_000
    risk_per_trade_bp: Annotated[int, Field(ge=1, le=200)] = 50
    max_open_positions: Annotated[int, Field(ge=1, le=20)] = 1
    max_daily_loss_bp: Annotated[int, Field(ge=10, le=5_000)] = 300


class Account(BaseModel):
    """An account as a tenant sees it."""

    account_id: UUID
    mode: Literal["paper", "live"]
    login: int
    server: str
    currency: str
    leverage: int
    initial_balance_cents: int
    risk_per_trade_bp: int
    max_open_positions: int
    max_daily_loss_bp: int
    state: Literal["linked", "unlinked"]
    version: int
    confirmed: bool
    """Whether the edge has taken this version into its books."""


class AccountPage(BaseModel):
    """Answer of GET /v1/accounts."""

    items: list[Account]


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
    position_ticket: int
    price_open: int
    stop_loss: int | None
    take_profit: int | None
    opened_at: datetime
    price_close: int | None
    profit_cents: int | None
    balance_cents: int | None
    close_reason: CloseReason | None
    closed_at: datetime | None


class PositionPage(BaseModel):
    """Answer of GET /v1/positions and GET /v1/trades."""

    items: list[Position]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""
