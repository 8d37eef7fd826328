"""The broker's memory: an append-only file that outlives the process.

One line is one unit of work, all or nothing: a request, or everything one tick caused. It is
written with one system call before the request is answered, so a killed process loses nothing
that anyone was told. A last line without its end (killed while writing) never happened and is cut
off. No fsync: it survives the process, not a power cut, which is enough for a paper account.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from edge_bridge.adapters.paper.rows import DealRow, OrderRow, PositionRow, Row

VERSION = 2
_KINDS: dict[str, type[OrderRow] | type[DealRow] | type[PositionRow]] = {
    "o": OrderRow, "d": DealRow, "p": PositionRow,
}  # fmt: skip
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}

Mark = tuple[str, int, int, int, int]
"""A symbol's last tick: symbol, seq, ts_ns, bid, ask. All ticks up to it have had their effect."""


class JournalUnusable(Exception):
    """The journal belongs to another account or version, or a line in it cannot be read."""


class Journal:
    """Append units of work to a file; read them back when it is opened."""

    def __init__(self, path: Path, identity: Sequence[object]) -> None:
        header = orjson.dumps([VERSION, *identity]) + b"\n"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o600)
        content = path.read_bytes()
        self._size = content.rfind(b"\n") + 1
        if self._size != len(content):
            os.ftruncate(self._file, self._size)
        lines = content[: self._size].splitlines()
        if not lines:
            self._write(header)
        elif lines[0] + b"\n" != header:
            self.close()
            raise JournalUnusable(f"{path} was written for {lines[0].decode()}")
        self._past = lines[1:]

    def read_past(self) -> Iterator[tuple[list[Mark], list[Row]]]:
        """Give the units of work of earlier processes, oldest first; once."""
        lines, self._past = self._past, []
        for number, line in enumerate(lines, start=2):
            try:
                marks, rows = orjson.loads(line)
                yield [tuple(mark) for mark in marks], [_read_row(row) for row in rows]
            except (ValueError, TypeError, KeyError) as error:
                raise JournalUnusable(f"line {number}: {error}") from error

    def append(self, marks: Sequence[Mark], rows: Sequence[Row]) -> None:
        """Write one unit of work. An error (disk full) leaves the file as it was."""
        self._write(orjson.dumps((marks, [(_LETTERS[type(row)], *row) for row in rows])) + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        if written != len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(f"journal line cut at {written} of {len(line)} bytes")
        self._size += written

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)


def _read_row(fields: list[Any]) -> Row:
    return _KINDS[fields[0]](*fields[1:])
