"""Pack batches as contracts.tick_packing does, whole chunks at a time.

What is the same for every batch of a chunk (steps, widths, narrow copies of the columns) is worked
out once for the chunk; a batch is then three slices. The texts are those of `pack_ticks`, to the
bit: a property test says so.
"""

from array import array

import numpy as np
from numpy.typing import NDArray

from contracts.tick_packing import UNIT, UNIT_CODE_MAX, PackedColumns, pack_ticks, seal
from edge_bridge.bridge.ticks import Int64s

PLAIN_TICKS = 64
"""So few ticks are packed sooner one by one than as columns."""
_WIDTHS = (1, 2, 4, 8)
_UNIT_NS = UNIT**UNIT_CODE_MAX
_LIMITS = np.array([1 << 7, 1 << 15, 1 << 31], dtype=np.int64)


class ChunkPacker:
    """Packs runs of a chunk's accepted ticks; `starts` are where the runs begin, ascending."""

    def __init__(self, ts_ns: Int64s, bid: Int64s, ask: Int64s, starts: NDArray[np.intp]) -> None:
        self._columns = ts_ns, bid, ask
        steps = _step(ts_ns, starts)
        self._coarse = not (steps % _UNIT_NS).any()
        if self._coarse:
            steps //= _UNIT_NS
        columns = steps, _step(bid, starts), ask - bid
        self._widths = list(zip(*(_measure(column, starts) for column in columns), strict=True))
        self._narrow = [
            {width: column.astype(f"<i{width}") for width in set(widths)}
            for column, widths in zip(columns, zip(*self._widths, strict=True), strict=True)
        ]

    def pack(self, run: int, start: int, stop: int) -> str:
        """Pack the run with this number, which is from ``start`` up to ``stop``."""
        ts_ns, bid, ask = self._columns
        if not self._coarse:  # finer than a terminal's times: the unit is each batch's own
            return pack_ticks(
                ts_ns[start:stop].tolist(), bid[start:stop].tolist(), ask[start:stop].tolist()
            )
        widths = self._widths[run]
        times, moves, spreads = self._narrow
        body = (
            times[widths[0]][start : stop - 1].tobytes()
            + moves[widths[1]][start : stop - 1].tobytes()
            + spreads[widths[2]][start:stop].tobytes()
        )
        return seal(
            PackedColumns(
                UNIT_CODE_MAX, widths, stop - start, int(ts_ns[start]), int(bid[start]), body
            )
        )


def pack_arrays(ts_ns: "array[int]", bid: "array[int]", ask: "array[int]") -> str:
    """Pack a batch that was collected bit by bit."""
    if len(ts_ns) <= PLAIN_TICKS:
        return pack_ticks(ts_ns, bid, ask)
    whole = (np.frombuffer(column, dtype=np.int64) for column in (ts_ns, bid, ask))
    packer = ChunkPacker(next(whole), next(whole), next(whole), np.zeros(1, np.intp))
    return packer.pack(0, 0, len(ts_ns))


def _step(column: Int64s, starts: NDArray[np.intp]) -> Int64s:
    """From each tick to the next; 0 where a run ends."""
    steps = np.zeros_like(column)
    np.subtract(column[1:], column[:-1], out=steps[:-1])
    steps[starts[1:] - 1] = 0
    return steps


def _measure(column: Int64s, starts: NDArray[np.intp]) -> list[int]:
    """The width of each run's values."""
    largest = np.maximum.reduceat(np.where(column < 0, ~column, column), starts)
    return [_WIDTHS[place] for place in np.searchsorted(_LIMITS, largest, side="right").tolist()]
