"""SQL of database_service: other rooms' outboxes, and nothing else of theirs."""

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

    def delete(self, event_ids: list[UUID]) -> None:
        """Forget rows that the bus has taken."""
        self._tx.execute(f"DELETE FROM {self._room}.outbox WHERE event_id = ANY(%s)", [event_ids])


class HealthStore:
    """What PostgreSQL says of itself."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def ping(self) -> str:
        """PostgreSQL's version."""
        row = self._tx.fetch_one("SHOW server_version")
        assert row is not None
        return str(row["server_version"])

    def count_outbox(self, rooms: tuple[str, ...]) -> dict[str, int]:
        """Rows that wait in each room's outbox."""
        parts = " UNION ALL ".join(
            f"SELECT '{room}' AS room, count(*) AS rows FROM {room}.outbox" for room in rooms
        )
        return {row["room"]: row["rows"] for row in self._tx.fetch_all(parts)}

    def has_vector_type(self) -> bool:
        """Whether pgvector can be installed here."""
        return (
            self._tx.fetch_one("SELECT 1 AS one FROM pg_available_extensions WHERE name = 'vector'")
            is not None
        )
