"""The stores, read as their administrator: what the books are balanced from."""

from typing import Any

import clickhouse_connect
import psycopg
from psycopg.rows import dict_row

from contracts.ids import NIL
from iac.local.stack import Stack
from kit.analytics import Analytics


class Ledger:
    """Reads the stores as their administrator."""

    def __init__(self, stack: Stack) -> None:
        self._connection = psycopg.connect(
            stack.postgres.dsn, autocommit=True, row_factory=dict_row
        )
        self._analytics = Analytics(stack.clickhouse.secret)
        click = stack.clickhouse
        self._clickhouse = clickhouse_connect.get_client(
            host=click.host,
            port=click.port,
            username=click.username,
            password=click.password,
            database=click.database,
            autogenerate_session_id=False,
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a PostgreSQL query."""
        return list(self._connection.execute(sql).fetchall())

    def number(self, sql: str) -> int:
        """The one number of a PostgreSQL query."""
        (row,) = self.rows(sql)
        return int(next(iter(row.values())) or 0)

    def tally(self, sql: str) -> dict[str, int]:
        """A query of (key, n) as a dict."""
        return {str(row["key"]): int(row["n"]) for row in self.rows(sql)}

    def market(self) -> dict[str, Any]:
        """What ClickHouse holds of the ticks."""
        (ticks,) = self._analytics.query(
            NIL, "SELECT count() AS n FROM ticks FINAL WHERE tenant_id = {tenant_id:UUID}"
        )
        (batches,) = self._analytics.query(
            NIL,
            "SELECT sum(read) AS read_, sum(stored) AS stored_, sumMap(rejected) AS rejected_"
            " FROM tick_batches FINAL WHERE tenant_id = {tenant_id:UUID}",
        )
        rejected = {str(key): int(n) for key, n in dict(batches["rejected_"]).items()}
        return {
            "read": int(batches["read_"]),
            "stored": int(ticks["n"]),
            "rejected": rejected,
        }

    def hops(self) -> dict[str, list[float]]:
        """Microseconds through bus, queues and functions, from the times events carry.

        A chain's correlation id is the UUIDv7 of its first event, the BarClosed.
        """
        events = {
            row["event_id"]: row
            for row in self._clickhouse.query(
                "SELECT event_id, correlation_id, detail_type, toUnixTimestamp64Micro(occurred_at)"
                " AS us FROM events FINAL WHERE detail_type IN"
                " ('SignalIssued', 'SignalWithheld', 'OrderFilled')"
            ).named_results()
        }
        hops: dict[str, list[float]] = {
            "bar closed to decision": [], "bar closed to fill": [], "fill to Telegram": [],
        }  # fmt: skip
        for event in events.values():
            began_us = (event["correlation_id"].int >> 80) * 1_000
            name = "fill" if event["detail_type"] == "OrderFilled" else "decision"
            hops[f"bar closed to {name}"].append(event["us"] - began_us)
        for row in self.rows(
            "SELECT event_id, (extract(epoch FROM delivered_at) * 1e6)::bigint AS us"
            " FROM notification_service.notifications WHERE kind = 'fill' AND state = 'sent'"
        ):
            hops["fill to Telegram"].append(row["us"] - events[row["event_id"]]["us"])
        return hops

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
