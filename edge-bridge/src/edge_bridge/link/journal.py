"""The edge's memory: one SQLite file, in which everything that belongs together is one transaction.

Outgoing messages, the source's cursor, the engine's records and the inbox share the file, so a
process killed at any instant has either done a step wholly or not at all. WAL with
synchronous=NORMAL survives the death of the process; after a power cut the newest steps may be
missing, and the broker's truth settles the orders (see reconcile.py).
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from contracts.envelope import Envelope
from edge_bridge.link.outbox import Lane, OutboxGauge, WrittenMessage
from edge_bridge.link.storage import Storage

Record = tuple[str, str, str | None]
"""One remembered value: kind, key and value; None forgets it."""
_TABLES: dict[Lane, str] = {"bus": "bus_outbox", "market": "market_outbox"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS bus_outbox (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, source TEXT NOT NULL,
  detail_type TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS market_outbox (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, source TEXT NOT NULL,
  detail_type TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
  kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, detail_type TEXT NOT NULL,
  body TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS set_aside (
  event_id TEXT PRIMARY KEY, lane TEXT NOT NULL, detail_type TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS inbox_open ON inbox (seq) WHERE done = 0;
"""
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)"
BUSY_TIMEOUT_S = 5.0
INBOX_KEPT = 200_000
"""Handled messages are remembered this long, so that a late redelivery is known."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits to be sent."""

    seq: int
    event_id: str
    source: str
    detail_type: str
    body: str


class InboxRow(NamedTuple):
    """A message that came and is not handled yet."""

    event_id: str
    detail_type: str
    body: str


class Journal:
    """Write steps, read what waits. Safe to call from several threads; one writes at a time."""

    def __init__(self, path: Path, pages_max: int | None = None) -> None:
        """Open the file; `pages_max` bounds it, as a full disk would."""
        self._path = path
        self._lock = threading.Lock()
        self._writer = self._connect()
        if pages_max is not None:
            self._writer.execute(f"PRAGMA max_page_count={int(pages_max)}")
        self._storage = Storage(self._writer, self._lock)
        self._reader = self._connect()
        self._read_lock = threading.Lock()
        self._writer.executescript(_SCHEMA)
        self.outbox = OutboxGauge()
        """What waits to be sent; read it from any thread."""
        for lane, table in _TABLES.items():
            self.outbox.rows[lane], self.outbox.bytes[lane] = self._measure(table)
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
        events: Sequence[Envelope | WrittenMessage] = (),
        batches: Sequence[Envelope | WrittenMessage] = (),
        records: Iterable[Record] = (),
        done: Sequence[UUID] = (),
        quiet: bool = False,
    ) -> None:
        """Write a step: messages for bus and queue, records, handled messages; all or nothing.

        Raises StorageFull when the disk took nothing; the same step may be written again.
        A quiet step does not wake the publisher: an order is about to leave and must not share
        the processor with it.
        """
        puts: list[tuple[str, str, str]] = []
        drops: list[tuple[str, str]] = []
        for kind, key, value in records:
            if value is None:
                drops.append((kind, key))
            else:
                puts.append((kind, key, value))
        bus_rows = [_make_row(envelope) for envelope in events]
        market_rows = [_make_row(envelope) for envelope in batches]
        if len(puts) == 1 and not (drops or bus_rows or market_rows or done):
            with self._lock:
                try:
                    self._writer.execute(_PUT, puts[0])  # a statement alone is a step
                except sqlite3.Error as error:
                    self._storage.tell(error)
                self._storage.full = False
            return
        with self._storage.step() as writer:
            run_many = writer.executemany
            if bus_rows:
                run_many(_insert("bus_outbox"), bus_rows)
            if market_rows:
                run_many(_insert("market_outbox"), market_rows)
            if puts:
                run_many(_PUT, puts)
            if drops:
                run_many("DELETE FROM records WHERE kind = ? AND key = ?", drops)
            if done:
                handled = [(str(event_id),) for event_id in done]
                run_many("UPDATE inbox SET done = 1 WHERE event_id = ?", handled)
        self._count("bus", bus_rows)
        self._count("market", market_rows)
        if (bus_rows or market_rows) and not quiet:
            self.on_write()

    def load(self, kind: str) -> dict[str, str]:
        """Read the records of a kind by key."""
        with self._read_lock:
            rows = self._reader.execute("SELECT key, value FROM records WHERE kind = ?", (kind,))
            return dict(rows.fetchall())

    def depth(self, lane: Lane | None = None) -> int:
        """How many messages wait to be sent."""
        rows = self.outbox.rows
        return sum(rows.values()) if lane is None else rows[lane]

    def is_writable(self) -> bool:
        """Whether the disk took the last step; while it did not, no entry may be made."""
        return not self._storage.full

    def read_outbox(self, lane: Lane, limit: int) -> list[OutboxRow]:
        """Read the oldest messages that wait, in order."""
        if not self.outbox.rows[lane]:
            return []
        with self._read_lock:
            rows = self._reader.execute(
                "SELECT seq, event_id, source, detail_type, body"
                f" FROM {_TABLES[lane]} ORDER BY seq LIMIT ?",
                (limit,),
            )
            return [OutboxRow(*row) for row in rows.fetchall()]

    def forget_sent(self, lane: Lane, rows: Sequence[OutboxRow]) -> None:
        """Delete messages that were sent."""
        with self._storage.step() as writer:
            writer.executemany(
                f"DELETE FROM {_TABLES[lane]} WHERE seq = ?", [(row.seq,) for row in rows]
            )
        self.outbox.add(lane, -len(rows), -sum(len(row.body) for row in rows))

    def set_aside(self, lane: Lane, row: OutboxRow) -> None:
        """Keep a message that the other side refuses where it holds nothing up."""
        with self._storage.step() as writer:
            writer.execute(
                "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
                (row.event_id, lane, row.detail_type, row.body),
            )
            writer.execute(f"DELETE FROM {_TABLES[lane]} WHERE seq = ?", (row.seq,))
        self.outbox.add(lane, -1, -len(row.body))

    def count_set_aside(self) -> int:
        """Messages that were refused for good."""
        with self._read_lock:
            return int(self._reader.execute("SELECT count(*) FROM set_aside").fetchone()[0])

    def store_message(self, row: InboxRow) -> bool:
        """Keep a message that came; tell whether it is new."""
        with self._storage.step() as writer:
            cursor = writer.execute(
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
        with self._storage.step() as writer:
            writer.execute(
                "DELETE FROM inbox WHERE done = 1 AND seq < (SELECT max(seq) FROM inbox) - ?",
                (INBOX_KEPT,),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def _measure(self, table: str) -> tuple[int, int]:
        found = self._writer.execute(
            f"SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}"
        ).fetchone()
        return int(found[0]), int(found[1])

    def _count(self, lane: Lane, rows: Sequence[tuple[str, str, str, str]]) -> None:
        if rows:
            self.outbox.add(lane, len(rows), sum(len(row[3]) for row in rows))


def _insert(table: str) -> str:
    return f"INSERT INTO {table} (event_id, source, detail_type, body) VALUES (?, ?, ?, ?)"


def _make_row(envelope: Envelope | WrittenMessage) -> tuple[str, str, str, str]:
    if isinstance(envelope, WrittenMessage):
        return envelope
    return (
        str(envelope.meta.event_id), envelope.source, envelope.detail_type, envelope.to_json()
    )  # fmt: skip
