"""The edge's memory: one SQLite file, in which everything that belongs together is one transaction.

Outgoing messages, the source's cursor, the engine's records and the inbox share the file, so a
process killed at any instant has either done a step wholly or not at all. WAL with
synchronous=NORMAL survives the death of the process; after a power cut the newest steps may be
missing, and the broker's truth settles the orders (see reconcile.py).

Intentions are in a hurry: they go to a log beside the file (see intents.py), and into the file with
the next step, which also notes how far the log is in.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from contracts.envelope import Envelope
from edge_bridge.engine.journal import Record, StorageFull
from edge_bridge.link.intents import BYTES_KEPT, BYTES_MAX, IntentLog
from edge_bridge.link.schema import (
    SCHEMA,
    TABLES,
    InboxRow,
    Lane,
    OutboxRow,
    insert_into,
    make_row,
)

__all__ = ["InboxRow", "Journal", "Lane", "OutboxRow", "Record", "StorageFull"]

_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)"
_DROP = "DELETE FROM records WHERE kind = ? AND key = ?"
_MARK = ("intents", "step")
"""The record that says up to which step the log is in the file."""
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
_Pending = dict[tuple[str, str], tuple[int, str | None]]
BUSY_TIMEOUT_S = 5.0
INBOX_KEPT = 200_000
"""Handled messages are remembered this long, so that a late redelivery is known."""


class Journal:
    """Write steps, read what waits. Safe to call from several threads; one writes at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._writer = self._connect()
        self._reader = self._connect()
        self._read_lock = threading.Lock()
        self._writer.executescript(SCHEMA)
        self._depth = {lane: self._count(table) for lane, table in TABLES.items()}
        self._intents = IntentLog(path.with_suffix(".intents"))
        self._intent_lock = threading.Lock()
        self._pending: _Pending = {}
        self._step = self._catch_up()
        self.on_write: Callable[[], None] = lambda: None
        """Called after a step that put messages out, unless the step was quiet."""

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # Checkpoints wait for the disk: never inside a step, see `checkpoint`.
        connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection

    def write(
        self,
        *,
        events: Sequence[Envelope] = (),
        batches: Sequence[Envelope] = (),
        records: Iterable[Record] = (),
        done: Sequence[UUID] = (),
        quiet: bool = False,
    ) -> None:
        """Write a step: messages for bus and queue, records, handled messages; all or nothing.

        A quiet step does not wake the publisher: an order is about to leave and must not share
        the processor with it.
        """
        own: dict[tuple[str, str], str | None] = {(kind, key): v for kind, key, v in records}
        if quiet and not (events or batches or done) and self._intents.size < BYTES_MAX:
            self._intend([(kind, key, value) for (kind, key), value in own.items()])
            return
        bus_rows = [make_row(envelope) for envelope in events]
        market_rows = [make_row(envelope) for envelope in batches]
        with self._lock:
            pending, step = self._read_pending()
            if pending:
                merged = {place: value for place, (_, value) in pending.items()}
                own = {**merged, **own, _MARK: str(step)}
            try:
                self._commit(bus_rows, market_rows, own, done)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_ROOM:
                    raise StorageFull(f"the journal cannot be written: {error}") from error
                raise
            self._depth["bus"] += len(bus_rows)
            self._depth["market"] += len(market_rows)
            self._forget_pending(step)
        if (bus_rows or market_rows) and not quiet:
            self.on_write()

    def _commit(
        self,
        bus_rows: Sequence[tuple[str, ...]],
        market_rows: Sequence[tuple[str, ...]],
        values: Mapping[tuple[str, str], str | None],
        done: Sequence[UUID],
    ) -> None:
        puts = [(*place, value) for place, value in values.items() if value is not None]
        drops = [place for place, value in values.items() if value is None]
        if len(puts) == 1 and not (drops or bus_rows or market_rows or done):
            self._writer.execute(_PUT, puts[0])  # a statement alone is a step
            return
        run, run_many = self._writer.execute, self._writer.executemany
        run("BEGIN IMMEDIATE")
        try:
            if bus_rows:
                run_many(insert_into("bus_outbox"), bus_rows)
            if market_rows:
                run_many(insert_into("market_outbox"), market_rows)
            if puts:
                run_many(_PUT, puts)
            if drops:
                run_many(_DROP, drops)
            if done:
                handled = [(str(event_id),) for event_id in done]
                run_many("UPDATE inbox SET done = 1 WHERE event_id = ?", handled)
            run("COMMIT")
        except sqlite3.Error:
            if self._writer.in_transaction:
                run("ROLLBACK")
            raise

    def _intend(self, records: list[Record]) -> None:
        """Write an intention, beside whatever the file is busy with."""
        with self._intent_lock:
            self._intents.append(self._step + 1, records)
            self._step += 1
            for kind, key, value in records:
                self._pending[(kind, key)] = (self._step, value)

    def _read_pending(self) -> tuple[_Pending, int]:
        """What the log has and the file has not, and the newest step of it."""
        with self._intent_lock:
            return dict(self._pending), self._step

    def _forget_pending(self, step: int) -> None:
        """Steps up to this one are in the file."""
        with self._intent_lock:
            left = {k: each for k, each in self._pending.items() if each[0] > step}
            self._pending = left
            if not left and self._intents.size > BYTES_KEPT:
                self._intents.clear()

    def _catch_up(self) -> int:
        """Take what an earlier process left in the log into the file; return the newest step."""
        row = self._writer.execute(
            "SELECT value FROM records WHERE kind = ? AND key = ?", _MARK
        ).fetchone()
        known = step = int(row[0]) if row else 0
        values: dict[tuple[str, str], str | None] = {}
        for step, records in self._intents.found:
            if step > known:
                values.update({(kind, key): value for kind, key, value in records})
        step = max(step, known)
        if values:
            self._commit((), (), {**values, _MARK: str(step)}, ())
        self._intents.found.clear()
        self._intents.clear()
        return step

    def load(self, kind: str) -> dict[str, str]:
        """Read the records of a kind by key, intentions included."""
        with self._lock:  # no step is under way, so what is pending is newer than the file
            pending, _ = self._read_pending()
            rows = self._writer.execute("SELECT key, value FROM records WHERE kind = ?", (kind,))
            found: dict[str, str] = dict(rows.fetchall())
        for (of, key), (_, value) in pending.items():
            if of == kind and value is None:
                found.pop(key, None)
            elif of == kind and value is not None:
                found[key] = value
        return found

    def depth(self, lane: Lane | None = None) -> int:
        """How many messages wait to be sent."""
        return sum(self._depth.values()) if lane is None else self._depth[lane]

    def read_outbox(self, lane: Lane, limit: int) -> list[OutboxRow]:
        """Read the oldest messages that wait, in order."""
        if not self._depth[lane]:
            return []
        with self._read_lock:
            rows = self._reader.execute(
                "SELECT seq, event_id, source, detail_type, body"
                f" FROM {TABLES[lane]} ORDER BY seq LIMIT ?",
                (limit,),
            )
            return [OutboxRow(*row) for row in rows.fetchall()]

    def forget_sent(self, lane: Lane, rows: Sequence[OutboxRow]) -> None:
        """Delete messages that were sent."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.executemany(
                f"DELETE FROM {TABLES[lane]} WHERE seq = ?", [(row.seq,) for row in rows]
            )
            self._writer.execute("COMMIT")
            self._depth[lane] -= len(rows)

    def set_aside(self, lane: Lane, row: OutboxRow) -> None:
        """Keep a message that the other side refuses where it holds nothing up."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.execute(
                "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
                (row.event_id, lane, row.detail_type, row.body),
            )
            self._writer.execute(f"DELETE FROM {TABLES[lane]} WHERE seq = ?", (row.seq,))
            self._writer.execute("COMMIT")
            self._depth[lane] -= 1

    def count_set_aside(self) -> int:
        """Messages that were refused for good."""
        with self._read_lock:
            return int(self._reader.execute("SELECT count(*) FROM set_aside").fetchone()[0])

    def store_message(self, row: InboxRow) -> bool:
        """Keep a message that came; tell whether it is new."""
        with self._lock:
            cursor = self._writer.execute(
                "INSERT OR IGNORE INTO inbox (event_id, detail_type, body) VALUES (?, ?, ?)", row
            )
            return cursor.rowcount == 1

    def read_inbox(self) -> list[InboxRow]:
        """Read the messages that came and were not handled, oldest first."""
        with self._read_lock:
            rows = self._reader.execute(
                "SELECT event_id, detail_type, body FROM inbox WHERE done = 0 ORDER BY seq"
            )
            return [InboxRow(*row) for row in rows.fetchall()]

    def read_handled(self, limit: int) -> list[InboxRow]:
        """Read the newest handled messages, newest first."""
        with self._read_lock:
            rows = self._reader.execute(
                "SELECT event_id, detail_type, body FROM inbox WHERE done = 1"
                " ORDER BY seq DESC LIMIT ?",
                (limit,),
            )
            return [InboxRow(*row) for row in rows.fetchall()]

    def count_messages(self) -> dict[str, int]:
        """Count the handled messages by type."""
        with self._read_lock:
            rows = self._reader.execute(
                "SELECT detail_type, count(*) FROM inbox WHERE done = 1 GROUP BY detail_type"
            )
            return dict(rows.fetchall())

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and forget the oldest handled messages.

        Runs beside the writer without holding it up; call it from a thread that may wait.
        """
        with self._read_lock:
            self._reader.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        with self._lock:
            self._writer.execute(
                "DELETE FROM inbox WHERE done = 1 AND seq < (SELECT max(seq) FROM inbox) - ?",
                (INBOX_KEPT,),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._read_lock:
            self._reader.close()
            self._writer.close()
            self._intents.close()

    def _count(self, table: str) -> int:
        return int(self._writer.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
