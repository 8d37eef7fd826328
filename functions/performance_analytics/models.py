"""What performance_analytics keeps of a message, and what it answers."""

from typing import Any

from pydantic import BaseModel

from contracts.envelope import Message

PERSONAL_FIELDS = (
    "email",
    "new_email",
    "full_name",
    "tenant_name",
    "inviter_name",
    "address",
    "device",
    "encrypted_password",
)
"""Fields that analysis has no use for: who somebody is, where from, and what opens an account.
They are left out wherever they stand in a message; ids stay, and erasure takes those rows."""


def strip_personal(message: Message) -> dict[str, Any]:
    """A message's data as JSON-ready values, without its personal fields."""
    kept = _strip(message.model_dump(mode="json"))
    assert isinstance(kept, dict)
    return kept


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _strip(v) for name, v in value.items() if name not in PERSONAL_FIELDS}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value


class SymbolResult(BaseModel):
    """The closed trades of one symbol; money in cents of the account's currency."""

    symbol: str
    trades: int
    wins: int
    profit_cents: int
    worst_cents: int
    best_cents: int


class TradingResult(BaseModel):
    """Answer of GET /v1/analytics/trading."""

    trades: int
    wins: int
    win_rate: float | None
    """Share of trades that won, 0 to 1; null before the first."""
    profit_cents: int
    symbols: list[SymbolResult]
