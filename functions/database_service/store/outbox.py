"""SQL on other rooms' outboxes: what waits, for the relay and for an erasure."""

from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from kit.outbox import OutboxRow


class OutboxStore:
    """The outbox of one room, seen by the relay. ``room`` is one of migrate.ROOMS."""

    def __init__(self, tx: Transaction, room: str) -> None:
        self._tx, self._room = tx, room

    def lock_left_behind(self, before: datetime, limit: int) -> list[OutboxRow]:
        """Rows older than ``before``, oldest first, that no other relay holds."""
        rows = self._tx.fetch_all(
            f"SELECT event_id, source, detail_type, envelope FROM {self._room}.outbox"
            " WHERE created_at < %s ORDER BY created_at, event_id LIMIT %s"
            " FOR UPDATE SKIP LOCKED",
            [before, limit],
        )
        return [
            OutboxRow(r["event_id"], r["source"], r["detail_type"], r["envelope"]) for r in rows
        ]

    def lock_of_tenant(self, tenant_id: UUID, limit: int) -> list[OutboxRow]:
        """A tenant's rows, oldest first, whatever their age; waits for a relay that holds one."""
        rows = self._tx.fetch_all(
            f"SELECT event_id, source, detail_type, envelope FROM {self._room}.outbox"
            " WHERE envelope::jsonb #>> '{meta,tenant_id}' = %s"
            " ORDER BY created_at, event_id LIMIT %s FOR UPDATE",
            [str(tenant_id), limit],
        )
        return [
            OutboxRow(r["event_id"], r["source"], r["detail_type"], r["envelope"]) for r in rows
        ]

    def delete(self, event_ids: list[UUID]) -> None:
        """Forget rows that the bus has taken."""
        self._tx.execute(f"DELETE FROM {self._room}.outbox WHERE event_id = ANY(%s)", [event_ids])
