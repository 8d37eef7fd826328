"""SQL of erasures: which sweep of which store found how much, and whether it is done."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from contracts.envelope import Meta
from functions.database_service.errors import TenantNotClosed
from functions.database_service.models import StoreName, Swept
from kit.db import Database, Transaction


class ErasureStore:
    """One erasure of the transaction's tenant."""

    def __init__(self, tx: Transaction, erasure_id: UUID) -> None:
        self._tx, self._erasure_id = tx, erasure_id

    def read_tenant_status(self) -> str | None:
        """Where the tenant's life stands; None when it never began."""
        row = self._tx.fetch_one(
            "SELECT status FROM user_management.tenants WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return row["status"] if row else None

    def open_sweep(self) -> int:
        """Number of the sweep that is under way; holds the erasure until the transaction ends."""
        self._tx.execute(
            "INSERT INTO erasures (tenant_id, erasure_id, started_at) VALUES (%s, %s, %s)"
            " ON CONFLICT (erasure_id) DO NOTHING",
            [self._tx.tenant_id, self._erasure_id, self._tx.now],
        )
        row = self._tx.fetch_one(
            "SELECT sweeps + 1 AS sweep FROM erasures WHERE erasure_id = %s FOR UPDATE",
            [self._erasure_id],
        )
        if row is None:
            raise LookupError("the erasure is another tenant's")
        return int(row["sweep"])

    def list_done(self, sweep: int) -> list[StoreName]:
        """Stores that the sweep is done with."""
        rows = self._tx.fetch_all(
            "SELECT store FROM erasure_steps WHERE erasure_id = %s AND sweep = %s"
            " AND done_at IS NOT NULL",
            [self._erasure_id, sweep],
        )
        return [row["store"] for row in rows]

    def note(self, sweep: int, store: StoreName, found: Swept) -> None:
        """Write down what was found; of two attempts the one that found more counts."""
        self._tx.execute(
            "INSERT INTO erasure_steps AS s"
            " (tenant_id, erasure_id, sweep, store, rows_erased, rows_kept)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (erasure_id, sweep, store) DO UPDATE"
            " SET rows_erased = greatest(s.rows_erased, excluded.rows_erased),"
            " rows_kept = excluded.rows_kept",
            [
                self._tx.tenant_id, self._erasure_id, sweep, store, found.erased, found.kept,
            ],
        )  # fmt: skip

    def finish(self, sweep: int, store: StoreName) -> None:
        """Note that the sweep is done with a store."""
        self._tx.execute(
            "UPDATE erasure_steps SET done_at = coalesce(done_at, %s)"
            " WHERE erasure_id = %s AND sweep = %s AND store = %s",
            [self._tx.now, self._erasure_id, sweep, store],
        )

    def complete(self, sweep: int) -> bool:
        """Close the sweep; False when another worker did."""
        row = self._tx.fetch_one(
            "UPDATE erasures SET sweeps = %(sweep)s, swept_at = %(now)s,"
            " completed_at = coalesce(completed_at, %(now)s)"
            " WHERE erasure_id = %(id)s AND sweeps = %(sweep)s - 1 RETURNING sweeps",
            {"sweep": sweep, "now": self._tx.now, "id": self._erasure_id},
        )
        return row is not None

    def read_totals(self) -> Swept:
        """All that the erasure's sweeps removed, and what the last one left as the law asks."""
        row = self._tx.fetch_one(
            "SELECT coalesce(sum(rows_erased), 0) AS erased,"
            " coalesce(sum(rows_kept) FILTER (WHERE sweep ="
            "   (SELECT max(sweep) FROM erasure_steps WHERE erasure_id = %(id)s)), 0) AS kept"
            " FROM erasure_steps WHERE erasure_id = %(id)s",
            {"id": self._erasure_id},
        )
        assert row is not None
        return Swept(int(row["erased"]), int(row["kept"]))


class ErasureLedger:
    """A sweep of one erasure; each step is a transaction of its own, so that none is lost."""

    def __init__(self, database: Database, tenant_id: UUID, erasure_id: UUID, cause: Meta) -> None:
        self._database, self._tenant_id, self._cause = database, tenant_id, cause
        self.erasure_id = erasure_id
        self.sweep = 0
        """Number of the sweep under way, from 1; known once it began."""

    @contextmanager
    def open(self) -> Iterator[tuple[Transaction, ErasureStore]]:
        """A transaction of the tenant, and the erasure in it."""
        with self._database.transaction(self._tenant_id, cause=self._cause) as tx:
            yield tx, ErasureStore(tx, self.erasure_id)

    def begin(self) -> Collection[StoreName]:
        """Open a sweep or take up the one that was cut off: the stores it is done with.

        Raises TenantNotClosed: data of a living tenant is never erased.
        """
        with self.open() as (_, store):
            status = store.read_tenant_status()
            if status not in ("closed", "erased"):
                raise TenantNotClosed(f"the tenant is {status or 'unknown'}")
            self.sweep = store.open_sweep()
            return store.list_done(self.sweep)

    def note(self, store: StoreName, found: Swept) -> None:
        """Write down what a store holds, before it goes."""
        with self.open() as (_, erasure):
            erasure.note(self.sweep, store, found)

    def finish(self, store: StoreName) -> None:
        """Note that a store is empty."""
        with self.open() as (_, erasure):
            erasure.finish(self.sweep, store)

    def complete(self) -> None:
        """Close the sweep."""
        with self.open() as (_, erasure):
            erasure.complete(self.sweep)
