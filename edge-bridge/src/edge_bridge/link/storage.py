"""Steps of the journal's file: whole or not at all, also on a disk that is full.

SQLite tells a full disk in the middle of a step and may have rolled it back by then itself; what
was begun is undone either way, and the caller learns that nothing was written.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from edge_bridge.ports import StorageFull

FULL_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    }
)  # fmt: skip
"""No space, also where the file system tells it as a failed write; or another program (a backup, a
virus scanner) holds the file for too long. Nothing was written, and the step may come again."""
PRIMARY_MASK = 0xFF


class Storage:
    """The writing connection and whether the disk took its last step."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.Lock) -> None:
        self._connection, self._lock = connection, lock
        self.full = False
        """Whether the last step found no space; the next that succeeds clears it."""

    @contextmanager
    def step(self, then: Callable[[], None] = lambda: None) -> Iterator[sqlite3.Connection]:
        """Run statements as one step, alone, and `then` before anybody else's step.

        Raises StorageFull when the disk took none of it.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self.tell(error)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self.full = False
            then()

    def tell(self, error: sqlite3.Error) -> NoReturn:
        """Raise the error of a step that failed, StorageFull if it was that."""
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_MASK
        if code in FULL_CODES:
            self.full = True
            raise StorageFull(f"{error}; what waits is written once the disk takes it") from error
        raise error
