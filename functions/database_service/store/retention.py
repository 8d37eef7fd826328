"""SQL of retention: what the clock removes or looks at again, across tenants, by narrow functions
of the database that return ids and counts only.
"""

from datetime import datetime
from uuid import UUID

from kit.db import Transaction


class RetentionStore:
    """Platform work; the transaction has no tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def list_rules(self) -> list[str]:
        """Tables that have an age at which their rows go."""
        rows = self._tx.fetch_all(
            "SELECT relation FROM retention_rules ORDER BY relation LIMIT 500"
        )
        return [row["relation"] for row in rows]

    def prune(self, table: str, limit: int) -> int:
        """Remove a table's rows past their age, rows that somebody holds left out."""
        self._tx.execute("SET LOCAL statement_timeout = '60s'")
        row = self._tx.fetch_one(
            "SELECT prune_rows(%s, %s, %s) AS removed", [table, self._tx.now, limit]
        )
        assert row is not None
        return int(row["removed"])

    def list_due_exports(self, stale_before: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """(tenant, export) of archives past their life and of exports that were cut off."""
        rows = self._tx.fetch_all(
            "SELECT tenant_id, export_id FROM due_exports(%s, %s, %s)",
            [self._tx.now, stale_before, limit],
        )
        return [(row["tenant_id"], row["export_id"]) for row in rows]

    def list_due_sweeps(
        self, completed_after: datetime, swept_before: datetime, limit: int
    ) -> list[tuple[UUID, UUID]]:
        """(tenant, erasure) of erasures that late messages may have undone."""
        rows = self._tx.fetch_all(
            "SELECT tenant_id, erasure_id FROM due_sweeps(%s, %s, %s)",
            [completed_after, swept_before, limit],
        )
        return [(row["tenant_id"], row["erasure_id"]) for row in rows]
