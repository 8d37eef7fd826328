"""Asks each store whether it answers. One short question, one timeout each."""

from contracts.ids import NIL
from kit.analytics import Analytics
from kit.db import Database


def ask_postgres(database: Database) -> None:
    """Raises Unavailable, or psycopg's error, when PostgreSQL does not answer."""
    with database.transaction(None) as tx:
        tx.execute("SELECT 1")


def ask_clickhouse(analytics: Analytics) -> None:
    """Raises Unavailable when ClickHouse does not answer."""
    analytics.query(NIL, "SELECT {tenant_id:UUID} AS tenant_id")
