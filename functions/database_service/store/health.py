"""What PostgreSQL says of itself."""

from kit.db import Transaction


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
