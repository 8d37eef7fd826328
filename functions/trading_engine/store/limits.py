"""SQL of limits: one row a scope, what is in force and what waits; bound to the tenant."""

from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.ids import NIL
from contracts.trading_limits import TradingLimits
from functions.trading_engine.models import KeptLimits
from kit.db import Transaction

_KEPT = "SELECT version, settings, changed_at, pending, pending_at FROM limits"


class LimitStore:
    """A tenant's limits; the nil account stands for the tenant's own in the table."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def find(self, account_id: UUID | None) -> KeptLimits | None:
        """The limits of an account of its own, or (None) of the tenant."""
        row = self._tx.fetch_one(f"{_KEPT} WHERE account_id = %s", [account_id or NIL])
        return _read(row)

    def lock(self, account_id: UUID | None, base: TradingLimits) -> KeptLimits:
        """The same, locked until the transaction ends; version 0 where there were none."""
        self._tx.execute(
            "INSERT INTO limits (tenant_id, account_id, version, settings, changed_at)"
            " VALUES (%s, %s, 0, %s, %s) ON CONFLICT DO NOTHING",
            [self._tx.tenant_id, account_id or NIL, base.model_dump_json(), self._tx.now],
        )
        row = self._tx.fetch_one(f"{_KEPT} WHERE account_id = %s FOR UPDATE", [account_id or NIL])
        kept = _read(row)
        assert kept is not None, "the row was inserted or was there"
        return kept

    def save(self, account_id: UUID | None, kept: KeptLimits) -> None:
        """Keep what is in force and what waits."""
        self._tx.execute(
            "UPDATE limits SET version = %s, settings = %s, changed_at = %s, pending = %s,"
            " pending_at = %s WHERE account_id = %s",
            [
                kept.version,
                kept.limits.model_dump_json(),
                kept.changed_at,
                kept.pending.model_dump_json() if kept.pending is not None else None,
                kept.pending_at,
                account_id or NIL,
            ],
        )

    def list_due(self, now: datetime) -> list[UUID | None]:
        """Scopes whose looser limits take effect now."""
        rows = self._tx.fetch_all(
            "SELECT account_id FROM limits WHERE pending IS NOT NULL AND pending_at <= %s"
            " ORDER BY account_id LIMIT 200",
            [now],
        )
        return [None if row["account_id"] == NIL else row["account_id"] for row in rows]


def list_loosening_tenants(tx: Transaction, most: int) -> list[UUID]:
    """Tenants with something that takes effect now; asked in a transaction of the platform's."""
    rows = tx.fetch_all("SELECT loosening_tenants(%s, %s) AS tenant_id", [tx.now, most])
    return [row["tenant_id"] for row in rows]


def _read(row: dict[str, Any] | None) -> KeptLimits | None:
    if row is None:
        return None
    return KeptLimits.model_validate({**row, "limits": row["settings"]})
