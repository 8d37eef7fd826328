"""What trading_engine's doors take and its store keeps."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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
