"""The audit log in PostgreSQL: appended to under the tenant's lock, read by its managers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from kit.db import Transaction

PAGE = 1_000
_COLUMNS = (
    "tenant_id", "seq", "event_id", "occurred_at", "room", "actor_kind", "actor_id", "action",
    "target_kind", "target_id", "detail", "correlation_id", "address", "address_salt",
    "address_hash", "device", "device_salt", "device_hash", "prev_hash", "hash",
)  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_PLACES = ", ".join(["%s"] * len(_COLUMNS))
_INSERT = f"INSERT INTO audit_log ({_NAMES}) VALUES ({_PLACES})"


class AuditStore:
    """One tenant's chain; the transaction is bound to the tenant, the nil one for the platform."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def lock(self) -> None:
        """Let nobody else append to this chain until the transaction ends."""
        self._tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"audit:{self._tx.tenant_id}"]
        )

    def holds(self, event_id: UUID) -> bool:
        """Whether the event has its entry."""
        row = self._tx.fetch_one(
            "SELECT 1 FROM audit_log WHERE tenant_id = %s AND event_id = %s",
            [self._tx.tenant_id, event_id],
        )
        return row is not None

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write an entry and move the chain's head to it."""
        self._tx.execute(
            _INSERT,
            [json.dumps(entry[name]) if name == "detail" else entry[name] for name in _COLUMNS],
        )
        self._tx.execute(
            "INSERT INTO audit_heads (tenant_id, seq, hash) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id) DO UPDATE SET seq = EXCLUDED.seq, hash = EXCLUDED.hash",
            [entry["tenant_id"], entry["seq"], entry["hash"]],
        )

    def read_head(self) -> tuple[int, str] | None:
        """Number and hash of the chain's last entry; None before the first."""
        row = self._tx.fetch_one(
            "SELECT seq, hash FROM audit_heads WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return (row["seq"], row["hash"]) if row else None

    def list_entries(self, before_seq: int | None, limit: int) -> list[dict[str, Any]]:
        """A page of the chain, newest first."""
        return self._tx.fetch_all(
            "SELECT * FROM audit_log WHERE tenant_id = %s AND (%s::bigint IS NULL OR seq < %s)"
            " ORDER BY seq DESC LIMIT %s",
            [self._tx.tenant_id, before_seq, before_seq, limit],
        )

    def walk(self) -> tuple[tuple[int, str] | None, Iterator[dict[str, Any]]]:
        """The chain's head and all its entries, oldest first, as of one instant."""
        head = self.read_head()
        self._tx.execute(
            "DECLARE chain NO SCROLL CURSOR FOR SELECT l.*,"
            " (SELECT h.seq FROM audit_heads h WHERE h.tenant_id = l.tenant_id) AS head_seq,"
            " (SELECT h.hash FROM audit_heads h WHERE h.tenant_id = l.tenant_id) AS head_hash"
            " FROM audit_log l WHERE l.tenant_id = %s ORDER BY l.seq",
            [self._tx.tenant_id],
        )
        page = self._tx.fetch_all(f"FETCH {PAGE} FROM chain")
        if page:
            head = None if page[0]["head_seq"] is None else _read_head(page[0])
        return head, self._turn_pages(page)

    def _turn_pages(self, page: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        while page:
            yield from page
            page = self._tx.fetch_all(f"FETCH {PAGE} FROM chain")

    def erase_personal_data(self) -> int:
        """Forget addresses and devices of the tenant's entries; returns how many entries."""
        row = self._tx.fetch_one(
            "SELECT erase_audit_personal_data(%s, %s) AS erased",
            [self._tx.tenant_id, self._tx.now],
        )
        return int(row["erased"]) if row else 0

    def list_chains(self, past: UUID | None) -> list[UUID]:
        """Whose chains there are, a page of ids across tenants."""
        rows = self._tx.fetch_all(
            "SELECT tenant_id FROM audit_chains(%s, %s) AS chains (tenant_id)", [past, PAGE]
        )
        return [row["tenant_id"] for row in rows]


def _read_head(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["head_seq"], row["head_hash"]
