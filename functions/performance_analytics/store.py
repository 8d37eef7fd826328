"""ClickHouse SQL of performance_analytics; every key starts with the tenant."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from contracts.ids import NIL
from contracts.trading_engine import PositionClosed
from functions.performance_analytics.models import strip_personal
from kit.analytics import Analytics

_EVENTS = (
    "tenant_id", "detail_type", "event_id", "source", "occurred_at", "correlation_id", "data",
)  # fmt: skip
_TRADES = (
    "tenant_id", "account_id", "order_id", "symbol", "direction", "volume", "profit_cents",
    "balance_cents", "reason", "opened_at", "closed_at",
)  # fmt: skip


class EventStore:
    """Events by (tenant, type, id) and trades by order: storing one again changes nothing."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics

    def add_events(self, envelopes: Sequence[Envelope]) -> None:
        """Store events, without personal fields; platform events go to the nil tenant."""
        self._analytics.insert(
            "events",
            _EVENTS,
            [
                [
                    e.meta.tenant_id or NIL,
                    e.detail_type,
                    e.meta.event_id,
                    e.source,
                    e.meta.occurred_at,
                    e.meta.correlation_id,
                    json.dumps(strip_personal(e.data), separators=(",", ":")),
                ]
                for e in envelopes
            ],
        )

    def add_trades(self, trades: Sequence[tuple[UUID, PositionClosed]]) -> None:
        """Store closed positions of their tenants."""
        self._analytics.insert(
            "trades",
            _TRADES,
            [
                [
                    tenant_id, t.account_id, t.order_id, t.symbol, t.direction, t.volume,
                    t.profit_cents, t.balance_cents, t.reason, t.opened_at, t.closed_at,
                ]
                for tenant_id, t in trades
            ],
        )  # fmt: skip

    def summarise_trading(self, tenant_id: UUID) -> list[dict[str, Any]]:
        """Result a symbol: trades, wins, profit, worst and best trade, in cents."""
        return self._analytics.query(
            tenant_id,
            "SELECT symbol, count() AS trades, countIf(t.profit_cents > 0) AS wins,"
            " sum(t.profit_cents) AS profit_cents, min(t.profit_cents) AS worst_cents,"
            " max(t.profit_cents) AS best_cents FROM trades AS t FINAL"
            " WHERE tenant_id = {tenant_id:UUID} GROUP BY symbol ORDER BY symbol LIMIT 1000",
        )
