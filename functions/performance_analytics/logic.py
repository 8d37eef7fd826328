"""Use cases of performance_analytics: keeping events, telling a tenant its results."""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from contracts.envelope import Envelope
from contracts.trading_engine import PositionClosed


class Events(Protocol):
    """What keeping needs of the store."""

    def add_events(self, envelopes: Sequence[Envelope]) -> None:
        """Store events."""

    def add_trades(self, trades: Sequence[tuple[UUID, PositionClosed]]) -> None:
        """Store trades."""


def keep_events(events: Events, envelopes: Sequence[Envelope]) -> int:
    """Keep a batch: closed positions as trades first, then all as events. Returns the trades."""
    trades = [
        (e.meta.tenant_id, e.data)
        for e in envelopes
        if isinstance(e.data, PositionClosed) and e.meta.tenant_id is not None
    ]
    if trades:
        events.add_trades(trades)
    events.add_events(envelopes)
    return len(trades)


def describe_trading(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A tenant's results by symbol and in all; win rate only where there were trades."""
    trades = sum(row["trades"] for row in rows)
    wins = sum(row["wins"] for row in rows)
    return {
        "trades": trades,
        "wins": wins,
        "win_rate": round(wins / trades, 4) if trades else None,
        "profit_cents": sum(row["profit_cents"] for row in rows),
        "symbols": list(rows),
    }
