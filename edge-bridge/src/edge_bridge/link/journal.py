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
from edge_bridge.engine.journal import Record
from edge_bridge.link.intents import BYTES_KEPT, BYTES_MAX, IntentLog
from edge_bridge.link.outbox import Lane, OutboxGauge, WrittenMessage
from edge_bridge.link.schema import (
    INSERTS,
    SCHEMA,
    TABLES,
    InboxRow,
    OutboxRow,
    make_row,
)
from edge_bridge.link.storage import Storage
from edge_bridge.ports import StorageFull

__all__ = ["InboxRow", "Journal", "Lane", "OutboxRow", "Record", "StorageFull"]

_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)"
_DROP = "DELETE FROM records WHERE kind = ? AND key = ?"
_MARK = ("intents", "step")
"""The record that says up to which step the log is in the file."""
_Pending = dict[tuple[str, str], tuple[int, str | None]]
BUSY_TIMEOUT_S = 5.0
INBOX_KEPT = 200_000
"""Handled messages are remembered this long, so that a late redelivery is known."""


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
        self._writer.executescript(SCHEMA)
        self.outbox = OutboxGauge()
        """What waits to be sent; read it from any thread."""
        for lane, table in TABLES.items():
            self.outbox.rows[lane], self.outbox.bytes[lane] = self._measure(table)
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
        own: dict[tuple[str, str], str | None] = {(kind, key): v for kind, key, v in records}
        if quiet and not (events or batches or done) and self._intents.size < BYTES_MAX:
            self._intend([(kind, key, value) for (kind, key), value in own.items()])
            return
        bus_rows = [make_row(envelope) for envelope in events]
        market_rows = [make_row(envelope) for envelope in batches]
        noted = [0]
        with self._storage.step(lambda: self._forget_pending(noted[0])) as writer:
            pending, noted[0] = self._read_pending()
            if pending:
                merged = {place: value for place, (_, value) in pending.items()}
                own = {**merged, **own, _MARK: str(noted[0])}
            _put(writer, bus_rows, market_rows, own)
            if done:
                handled = [(str(event_id),) for event_id in done]
                writer.executemany("UPDATE inbox SET done = 1 WHERE event_id = ?", handled)
        self._count("bus", bus_rows)
        self._count("market", market_rows)
        if (bus_rows or market_rows) and not quiet:
            self.on_write()

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
            with self._storage.step() as writer:
                _put(writer, (), (), {**values, _MARK: str(step)})
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
                f" FROM {TABLES[lane]} ORDER BY seq LIMIT ?",
                (limit,),
            )
            return [OutboxRow(*row) for row in rows.fetchall()]

    def forget_sent(self, lane: Lane, rows: Sequence[OutboxRow]) -> None:
        """Delete messages that were sent."""
        with self._storage.step() as writer:
            writer.executemany(
                f"DELETE FROM {TABLES[lane]} WHERE seq = ?", [(row.seq,) for row in rows]
            )
        self.outbox.add(lane, -len(rows), -sum(len(row.body) for row in rows))

    def set_aside(self, lane: Lane, row: OutboxRow) -> None:
        """Keep a message that the other side refuses where it holds nothing up."""
        with self._storage.step() as writer:
            writer.execute(
                "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)",
                (row.event_id, lane, row.detail_type, row.body),
            )
            writer.execute(f"DELETE FROM {TABLES[lane]} WHERE seq = ?", (row.seq,))
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
            self._intents.close()

    def _measure(self, table: str) -> tuple[int, int]:
        found = self._writer.execute(
            f"SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}"
        ).fetchone()
        return int(found[0]), int(found[1])

    def _count(self, lane: Lane, rows: Sequence[tuple[str, str, str, str]]) -> None:
        if rows:
            self.outbox.add(lane, len(rows), sum(len(row[3]) for row in rows))


def _put(
    writer: sqlite3.Connection,
    bus_rows: Sequence[tuple[str, ...]],
    market_rows: Sequence[tuple[str, ...]],
    values: Mapping[tuple[str, str], str | None],
) -> None:
    """Add messages and records to the step under way."""
    if bus_rows:
        writer.executemany(INSERTS["bus"], bus_rows)
    if market_rows:
        writer.executemany(INSERTS["market"], market_rows)
    puts = [(*place, value) for place, value in values.items() if value is not None]
    drops = [place for place, value in values.items() if value is None]
    if puts:
        writer.executemany(_PUT, puts)
    if drops:
        writer.executemany(_DROP, drops)
