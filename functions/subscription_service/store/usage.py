"""The tenant's usage and quota counters, and the billing run's look across tenants."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.data_bridge import StreamUsageRecorded
from contracts.subscription_service import Meter
from functions.subscription_service.models import Counter, StreamUse, UsageEntry
from functions.subscription_service.store.subscriptions import LifecycleStore
from kit.db import Transaction


class SubscriptionStore(LifecycleStore):
    """All that the room keeps of the transaction's tenant."""

    def find_usage_hash(self, key: UUID) -> str | None:
        """The content hash of a recorded use."""
        row = self._tx.fetch_one(
            "SELECT payload_hash FROM usage_events WHERE tenant_id = %s AND idempotency_key = %s",
            [self._tx.tenant_id, key],
        )
        return str(row["payload_hash"]) if row else None

    def add_usage(self, entry: UsageEntry, now: datetime) -> None:
        """Record a use; a trigger refuses it in a closed period."""
        self._tx.execute(
            "INSERT INTO usage_events (tenant_id, idempotency_key, meter, outcome, payload_hash,"
            " occurred_at, day, period_id, recorded_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                self._tx.tenant_id,
                entry.usage.key,
                entry.usage.meter,
                entry.outcome,
                entry.usage.payload_hash,
                entry.usage.occurred_at,
                entry.day,
                entry.period_id,
                now,
            ],
        )

    def add_stream_usage(self, used: StreamUsageRecorded, now: datetime) -> None:
        """Record a window of the stream; what was recorded of it first stands."""
        self._tx.execute(
            "INSERT INTO stream_usage (tenant_id, edge, window_start, window_s, ticks,"
            " streams_max, bytes, recorded_at) VALUES (%(tenant)s, %(edge)s, %(window_start)s,"
            " %(window_s)s, %(ticks)s, %(streams_max)s, %(bytes)s, %(now)s)"
            " ON CONFLICT DO NOTHING",
            {"tenant": self._tx.tenant_id, "now": now, **used.model_dump()},
        )

    def sum_stream_usage(self, start: datetime, end: datetime) -> StreamUse:
        """What the windows that begin in [start, end) hold."""
        row = self._tx.fetch_one(
            "SELECT coalesce(sum(ticks), 0)::bigint AS ticks,"
            " coalesce(sum(bytes), 0)::bigint AS bytes,"
            " coalesce(max(streams_max), 0) AS streams_max FROM stream_usage"
            " WHERE tenant_id = %s AND window_start >= %s AND window_start < %s",
            [self._tx.tenant_id, start, end],
        )
        return StreamUse.model_validate(row)

    def find_counter(self, meter: Meter, window_start: date) -> Counter | None:
        """The counter of a meter's window."""
        row = self._tx.fetch_one(
            "SELECT quota, used, over_limit, announced_quota FROM quota_counters"
            " WHERE tenant_id = %s AND meter = %s AND window_start = %s",
            [self._tx.tenant_id, meter, window_start],
        )
        return Counter(**row) if row else None

    def save_counter(self, meter: Meter, window_start: date, hard: bool, counter: Counter) -> None:
        """Write a counter; a check refuses use beyond a hard quota."""
        self._tx.execute(
            "INSERT INTO quota_counters (tenant_id, meter, window_start, quota, hard, used,"
            " over_limit, announced_quota) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, meter, window_start) DO UPDATE SET quota = excluded.quota,"
            " hard = excluded.hard, used = excluded.used, over_limit = excluded.over_limit,"
            " announced_quota = excluded.announced_quota",
            [
                self._tx.tenant_id,
                meter,
                window_start,
                counter.quota,
                hard,
                counter.used,
                counter.over_limit,
                counter.announced_quota,
            ],
        )

    def count_usage(self, period_id: UUID) -> dict[Meter, int]:
        """Counted uses of a period by meter."""
        return {meter: parts["counted"] for meter, parts in self.sum_usage(period_id).items()}

    def sum_usage(self, period_id: UUID) -> dict[Meter, dict[str, int]]:
        """Uses of a period by meter: counted, and over the limit."""
        rows = self._tx.fetch_all(
            "SELECT meter, count(*) FILTER (WHERE outcome = 'counted') AS counted,"
            " count(*) FILTER (WHERE outcome = 'over_limit') AS over_limit FROM usage_events"
            " WHERE tenant_id = %s AND period_id = %s GROUP BY meter ORDER BY meter LIMIT 100",
            [self._tx.tenant_id, period_id],
        )
        return {
            row["meter"]: {"counted": row["counted"], "over_limit": row["over_limit"]}
            for row in rows
        }

    def count_uses(self, period_id: UUID) -> int:
        """Everything used in a period, of every meter."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS uses FROM usage_events WHERE tenant_id = %s AND period_id = %s",
            [self._tx.tenant_id, period_id],
        )
        return int(row["uses"]) if row else 0


def list_due_periods(
    tx: Transaction, as_of: datetime, after: tuple[datetime, UUID], limit: int
) -> list[dict[str, Any]]:
    """Open periods of all tenants that ended by ``as_of``: ids only, oldest first."""
    return tx.fetch_all(
        "SELECT tenant_id, period_id, ends_at FROM due_periods(%s, %s, %s, %s)",
        [as_of, after[0], after[1], limit],
    )
