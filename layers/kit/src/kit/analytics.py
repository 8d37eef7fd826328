"""ClickHouse: append-only facts, inserted by the batch and read by tenant.

Tables are ReplacingMergeTree on natural keys, so that inserting a row again changes nothing.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from kit.errors import Unavailable
from kit.observability import warn
from kit.settings import read_secret


class Analytics:
    """A ClickHouse client that reads for one tenant, or says that it reads for the platform."""

    def __init__(self, secret: dict[str, Any]) -> None:
        import clickhouse_connect

        try:
            self._client = clickhouse_connect.get_client(
                host=secret["host"],
                port=secret["port"],
                username=secret["username"],
                password=secret["password"],
                database=secret["database"],
                secure=secret.get("secure", True),
                connect_timeout=3,
                send_receive_timeout=10,
                autogenerate_session_id=False,
                compress=False,
            )
        except clickhouse_connect.driver.exceptions.Error as error:
            raise Unavailable("ClickHouse does not answer") from error

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows in one block. Raises Unavailable; the message then stays on its queue."""
        self._insert(table, columns, rows, column_oriented=False)

    def insert_columns(
        self, table: str, columns: Sequence[str], data: Sequence[Sequence[Any]]
    ) -> None:
        """Insert a block given column by column (fast for ticks)."""
        self._insert(table, columns, data, column_oriented=True)

    def _insert(
        self, table: str, columns: Sequence[str], data: Sequence[Any], *, column_oriented: bool
    ) -> None:
        import clickhouse_connect

        try:
            self._client.insert(
                table, data, column_names=list(columns), column_oriented=column_oriented
            )
        except clickhouse_connect.driver.exceptions.Error as error:
            warn("ClickHouse did not take rows", table=table, error=str(error)[:1_000])
            raise Unavailable(f"ClickHouse did not take rows for {table}") from error

    def query(
        self, tenant_id: UUID, sql: str, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query bound to a tenant; the SQL must use ``{tenant_id:UUID}``."""
        if "{tenant_id:UUID}" not in sql:
            raise ValueError("a query must be bound to {tenant_id:UUID}")
        return self._query(sql, {**(params or {}), "tenant_id": str(tenant_id)})

    def query_platform(
        self, sql: str, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query over all tenants, for the staff's routes only; it should answer counts."""
        return self._query(sql, params or {})

    def mutate(self, tenant_id: UUID, sql: str) -> None:
        """Run a statement that changes rows of a tenant, such as ``ALTER TABLE ... DELETE``.

        Raises Unavailable; a mutation that outlasts the time limit goes on at the server.
        """
        if "{tenant_id:UUID}" not in sql:
            raise ValueError("a statement must be bound to {tenant_id:UUID}")
        import clickhouse_connect

        try:
            self._client.command(sql, parameters={"tenant_id": str(tenant_id)})
        except clickhouse_connect.driver.exceptions.Error as error:
            warn("ClickHouse did not change rows", error=str(error)[:1_000])
            raise Unavailable("ClickHouse did not change rows") from error

    def stream_json(self, tenant_id: UUID, sql: str) -> Iterator[str]:
        """Read a query bound to a tenant as JSON objects, one a row, without holding them all.

        Raises Unavailable, also in the middle.
        """
        if "{tenant_id:UUID}" not in sql:
            raise ValueError("a query must be bound to {tenant_id:UUID}")
        import clickhouse_connect

        try:
            with self._client.raw_stream(
                sql, parameters={"tenant_id": str(tenant_id)}, fmt="JSONEachRow"
            ) as stream:
                for line in stream:
                    yield line.decode().rstrip("\n")
        except clickhouse_connect.driver.exceptions.Error as error:
            warn("ClickHouse did not answer a query", error=str(error)[:1_000])
            raise Unavailable("ClickHouse did not answer a query") from error

    def _query(self, sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        import clickhouse_connect

        try:
            result = self._client.query(sql, parameters=params)
        except clickhouse_connect.driver.exceptions.Error as error:
            warn("ClickHouse did not answer a query", error=str(error)[:1_000])
            raise Unavailable("ClickHouse did not answer a query") from error
        return [dict(row) for row in result.named_results()]

    def read_version(self) -> str:
        """Ask the server for its version: a round trip that proves it answers."""
        import clickhouse_connect

        try:
            return str(self._client.command("SELECT version()"))
        except clickhouse_connect.driver.exceptions.Error as error:
            raise Unavailable("ClickHouse does not answer") from error


@lru_cache(maxsize=2)
def open_analytics() -> Analytics:
    """The process's client, as its secret says."""
    return Analytics(read_secret("clickhouse"))
