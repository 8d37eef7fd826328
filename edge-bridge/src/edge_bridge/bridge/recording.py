"""Recorded ticks: a Parquet file of int points, whole or from one time to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_bridge.bridge.ticks import TickChunk, make_chunk, read_prices
from edge_bridge.errors import RecordingUnusable

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ("ts_ns", "bid", "ask")


@dataclass(frozen=True, slots=True)
class Recording:
    """Ticks of one symbol from a file."""

    chunk: TickChunk
    digits: int


def read_recorded(
    path: Path, columns: Sequence[str], from_ns: int | None, to_ns: int | None
) -> "tuple[pyarrow.Table, int]":
    """Named columns of a file, rows with ``from_ns <= ts_ns < to_ns``, and the price's digits.

    Raises RecordingUnusable when the file, a column or the digits are missing.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        table = pq.read_table(path, columns=list(columns))
    except (ArrowException, OSError, KeyError) as error:
        raise RecordingUnusable(f"{path}: {error}") from error
    missing = set(columns) - set(table.column_names)
    digits = (table.schema.metadata or {}).get(b"digits", b"")
    if missing or not digits.isdigit():
        raise RecordingUnusable(f"{path}: missing {', '.join(sorted(missing)) or 'digits'}")
    if from_ns is not None:
        table = table.filter(pc.greater_equal(table["ts_ns"], from_ns))
    if to_ns is not None:
        table = table.filter(pc.less(table["ts_ns"], to_ns))
    return table, int(digits)


def open_recording(
    path: Path, symbol: str, from_ns: int | None = None, to_ns: int | None = None
) -> Recording:
    """Read the ticks of a file with ``from_ns <= ts_ns < to_ns``, in the file's order.

    The number of digits is in the schema's metadata. Prices may be points or floats.
    Raises RecordingUnusable when a column or the digits are missing.
    """
    table, digits = read_recorded(path, COLUMNS, from_ns, to_ns)
    columns = [table[name].to_numpy() for name in COLUMNS]
    prices = [
        read_prices(column, digits) if np.issubdtype(column.dtype, np.floating) else column
        for column in columns[1:]
    ]
    return Recording(make_chunk(symbol, columns[0], prices[0], prices[1]), digits)
