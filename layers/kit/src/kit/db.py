"""PostgreSQL: one connection a process, one transaction a request or message.

Only this file commits. A transaction is bound to a tenant before anything else runs in it; row
level security does the rest. Events published inside become outbox rows and leave after commit.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row

from contracts.envelope import Envelope, Message, Meta
from kit.clock import Clock, SystemClock
from kit.context import current
from kit.errors import Unavailable, Unprocessable
from kit.observability import warn
from kit.outbox import BusPublisher, OutboxRow, Publisher, make_row
from kit.settings import read_secret

MAX_EVENTS_A_TRANSACTION = 500

_OPTIONS = (
    "-c statement_timeout=5000 -c lock_timeout=3000"
    " -c idle_in_transaction_session_timeout=40000 -c timezone=UTC"
)


class Transaction:
    """What a use case's store works with; ends with the door's ``with`` block."""

    def __init__(
        self,
        connection: "psycopg.Connection[DictRow]",
        tenant_id: UUID | None,
        now: datetime,
        cause: Meta | None,
        room: str = "",
    ) -> None:
        self._connection = connection
        self.room = room
        self.tenant_id = tenant_id
        self.now = now
        self.cause = cause
        self.rows: list[OutboxRow] = []

    def execute(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """Run a statement; returns the cursor, rows as dicts."""
        return self._connection.execute(sql, params)

    def fetch_one(
        self, sql: str, params: Sequence[Any] | dict[str, Any] = ()
    ) -> dict[str, Any] | None:
        """First row of a query, or None."""
        row: dict[str, Any] | None = self.execute(sql, params).fetchone()
        return row

    def fetch_all(
        self, sql: str, params: Sequence[Any] | dict[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """All rows of a query; bound it with LIMIT."""
        rows: list[dict[str, Any]] = self.execute(sql, params).fetchall()
        return rows

    def publish(
        self, message: Message, *, tenant_id: UUID | None = None, event_id: UUID | None = None
    ) -> Envelope:
        """Write a message for the bus; it leaves when this transaction has committed.

        The tenant is this transaction's, unless the transaction has none and one is given.
        """
        if self.tenant_id is not None and tenant_id not in (None, self.tenant_id):
            raise ValueError("a transaction publishes for its own tenant only")
        if len(self.rows) >= MAX_EVENTS_A_TRANSACTION:
            raise ValueError(f"more than {MAX_EVENTS_A_TRANSACTION} events in a transaction")
        context = current()
        envelope = Envelope.wrap(
            message,
            tenant_id=self.tenant_id or tenant_id,
            now=self.now,
            cause=self.cause,
            event_id=event_id,
            correlation_id=context.correlation_id if context else None,
        )
        self.rows.append(make_row(envelope))
        return envelope


class Database:
    """A room's schema, through the room's own role."""

    def __init__(
        self, room: str, conninfo: str, publisher: Publisher, clock: Clock | None = None
    ) -> None:
        self.room = room
        self.clock: Clock = clock or SystemClock()
        self._conninfo = conninfo
        self._publisher = publisher
        self._connection: psycopg.Connection[DictRow] | None = None

    def _connect(self) -> "psycopg.Connection[DictRow]":
        if self._connection is None or self._connection.closed or self._connection.broken:
            try:
                self._connection = psycopg.connect(
                    self._conninfo,
                    autocommit=True,
                    connect_timeout=3,
                    options=f"{_OPTIONS} -c search_path={self.room},public",
                    application_name=f"sinyal-{self.room}",
                    row_factory=dict_row,
                )
            except psycopg.OperationalError as error:
                raise Unavailable("the database does not answer") from error
        return self._connection

    def _begin(self, tenant_id: UUID | None) -> "psycopg.Connection[DictRow]":
        """Open a transaction bound to the tenant; a dead idle connection is replaced once."""
        bind = "SELECT set_config('app.tenant_id', %s, true)"
        params = [str(tenant_id) if tenant_id else ""]
        try:
            connection = self._connect()
            connection.execute("BEGIN")
            connection.execute(bind, params)
        except psycopg.OperationalError:
            self.close()
            connection = self._connect()
            connection.execute("BEGIN")
            connection.execute(bind, params)
        return connection

    @contextmanager
    def transaction(
        self, tenant_id: UUID | None, *, cause: Meta | None = None
    ) -> Iterator[Transaction]:
        """Open a transaction for a tenant (None: platform work that sees no tenant's rows).

        Commits at the end of the block, rolls back on any error, then publishes its events.
        """
        connection = self._begin(tenant_id)
        tx = Transaction(connection, tenant_id, self.clock.now(), cause, self.room)
        try:
            yield tx
            self._write_outbox(connection, tx.rows)
            connection.execute("COMMIT")
        except psycopg.DataError as error:
            connection.execute("ROLLBACK")
            raise Unprocessable("a value cannot be stored, such as text with a NUL") from error
        except BaseException:
            if not connection.closed and not connection.broken:
                connection.execute("ROLLBACK")
            raise
        if tx.rows:
            self._publish(connection, tx.rows)

    @staticmethod
    def _write_outbox(connection: "psycopg.Connection[DictRow]", rows: list[OutboxRow]) -> None:
        if rows:
            connection.execute(
                "INSERT INTO outbox (event_id, source, detail_type, envelope)"
                " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[])"
                " ON CONFLICT (event_id) DO NOTHING",
                [
                    [row.event_id for row in rows],
                    [row.source for row in rows],
                    [row.detail_type for row in rows],
                    [row.envelope for row in rows],
                ],
            )

    def _publish(self, connection: "psycopg.Connection[DictRow]", rows: list[OutboxRow]) -> None:
        sent = self._publisher.publish(rows)
        if not sent:
            return
        try:
            connection.execute("DELETE FROM outbox WHERE event_id = ANY(%s)", [sent])
        except psycopg.OperationalError as error:
            warn("the work is done; the relay will publish again", error=str(error), rows=len(sent))

    def close(self) -> None:
        """Drop the connection; the next transaction opens another."""
        if self._connection is not None and not self._connection.closed:
            self._connection.close()
        self._connection = None


def make_conninfo(secret: dict[str, Any]) -> str:
    """Turn a database secret {host, port, dbname, user, password} into a connection string."""
    return psycopg.conninfo.make_conninfo(
        host=secret["host"],
        port=secret["port"],
        dbname=secret["dbname"],
        user=secret["user"],
        password=secret["password"],
        sslmode=secret.get("sslmode", "prefer"),
    )


@lru_cache(maxsize=32)
def open_database(room: str, bus_name: str) -> Database:
    """The process's database of a room, as its secret says."""
    return Database(room, make_conninfo(read_secret(f"db/{room}")), BusPublisher(bus_name))
