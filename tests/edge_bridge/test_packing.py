"""The edge packs whole chunks at once, and writes what the contract's own packing writes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tick_packing import pack_ticks, unpack_ticks
from edge_bridge.bridge.packing import ChunkPacker

STEPS = st.sampled_from((0, 1, 127, 128, 1_000, 32_768, 1_000_000, 250_000_000, 5 * 10**12))
MOVES = st.one_of(st.integers(-130, 130), st.integers(-(2**40), 2**40))


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(STEPS, MOVES, MOVES), min_size=1, max_size=60),
    milliseconds=st.booleans(),
    cuts=st.sets(st.integers(1, 59), max_size=5),
)
def test_every_run_of_a_chunk_is_packed_as_if_alone(
    rows: list[tuple[int, int, int]], milliseconds: bool, cuts: set[int]
) -> None:
    unit = 10**6 if milliseconds else 1
    steps = [step // unit * unit if milliseconds else step for step, _, _ in rows]
    ts = np.cumsum(np.array([1_400_000_000 * 10**9, *steps[1:]], dtype=np.int64))
    bid = np.array([move for _, move, _ in rows], dtype=np.int64)
    ask = np.array([move for _, _, move in rows], dtype=np.int64)
    starts = np.array([0, *sorted(cut for cut in cuts if cut < len(rows))], dtype=np.intp)
    packer = ChunkPacker(ts, bid, ask, starts)
    for run, (start, stop) in enumerate(
        zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True)
    ):
        columns = ts[start:stop].tolist(), bid[start:stop].tolist(), ask[start:stop].tolist()
        text = packer.pack(run, start, stop)
        assert text == pack_ticks(*columns)
        assert unpack_ticks(text) == columns
