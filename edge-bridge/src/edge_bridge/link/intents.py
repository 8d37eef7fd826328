"""Intentions on disk before an order leaves: a file that is only appended to, one write a step.

An intention must outlive this process and nothing more, for the broker's books settle the rest; so
a step costs one write into the page cache instead of a transaction. Every line carries its length
and checksum: what a death in the middle of a write left behind is cut off at the next start.
"""

import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from edge_bridge.engine.journal import Record, StorageFull

BYTES_KEPT = 1 << 20
"""A log whose steps are all in the database is emptied from this size on."""
BYTES_MAX = 64 << 20
"""A larger log takes no more steps; the database has to take them."""
_HEAD = 35
"""Step, length and checksum in hexadecimal, a blank after each."""

_log = logging.getLogger(__name__)


class IntentLog:
    """One file of steps. Not safe to call from several threads: the journal's lock guards it."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o600)
        self.size = 0
        self._torn = False
        """Whether something of a failed write may still be behind the last whole step."""
        self.found: list[tuple[int, list[Record]]] = []
        """Steps that an earlier process left, oldest first."""
        self._read(path.read_bytes())

    def _read(self, content: bytes) -> None:
        """Keep the whole steps, cut off what follows them."""
        while (end := self._read_step(content, self.size)) is not None:
            self.size = end
        if self.size < len(content):
            _log.warning("%d bytes of a torn intention are cut off", len(content) - self.size)
            os.ftruncate(self._file, self.size)

    def _read_step(self, content: bytes, start: int) -> int | None:
        head = content[start : start + _HEAD]
        try:
            step, length, check = (int(each, 16) for each in head.split())
        except ValueError:
            return None
        body = content[start + _HEAD : start + _HEAD + length]
        end = start + _HEAD + length + 1
        if len(head) < _HEAD or len(content) < end or _check(step, body) != check:
            return None
        self.found.append((step, [(kind, key, value) for kind, key, value in orjson.loads(body)]))
        return end

    def append(self, step: int, records: Sequence[Record]) -> None:
        """Write a step wholly or not at all. Raises StorageFull.

        Behind a torn step nothing may be written: the next start would cut it off with it.
        """
        if self._torn:
            self._cut_back()
        if self._torn:
            raise StorageFull("a torn intention cannot be cut off, so none may follow it")
        body = orjson.dumps(records)
        line = b"%016x %08x %08x %b\n" % (step, len(body), _check(step, body), body)
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._cut_back()
            raise StorageFull(f"intentions cannot be written: {error}") from error
        if written != len(line):
            self._cut_back()
            raise StorageFull("an intention was written in part only, and is taken back")
        self.size += written

    def _cut_back(self) -> None:
        """Take back what a failed write left; if that fails too, its checksum gives it away."""
        try:
            os.ftruncate(self._file, self.size)
            self._torn = False
        except OSError as error:
            self._torn = True
            _log.error("a torn intention cannot be cut off now: %s", error)

    def clear(self) -> None:
        """Forget every step."""
        os.ftruncate(self._file, 0)
        self.size = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _check(step: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(b"%016x" % step))
