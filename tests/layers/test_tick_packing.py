"""Packed ticks come back to the bit, and what is no packed text is refused before it does harm."""

import base64
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.data_bridge import TickBatch
from contracts.registry import parse_envelope
from contracts.tick_packing import (
    HEADER,
    TEXT_MAX,
    TICKS_MAX,
    PackedTicksUnreadable,
    pack_ticks,
    unpack_ticks,
)

SAMPLES = Path(__file__).parents[2] / "events" / "samples" / "data_bridge"
COLUMN = st.integers(-(2**61), 2**61)


@given(st.lists(st.tuples(COLUMN, COLUMN, COLUMN), min_size=1, max_size=50))
def test_any_ticks_come_back_the_same(rows: list[tuple[int, int, int]]) -> None:
    ts_ns, bid, ask = (list(column) for column in zip(*rows, strict=True))
    assert unpack_ticks(pack_ticks(ts_ns, bid, ask)) == (ts_ns, bid, ask)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300), st.sampled_from((1, 1_000, 10**6)))
def test_real_looking_ticks_come_back_the_same_in_every_unit(steps: list[int], unit: int) -> None:
    ts_ns = [1_400_025_600 * 10**9 + sum(steps[:i]) * unit for i in range(len(steps))]
    bid = [137_000 + step % 7 - 3 for step in steps]
    ask = [low + 1 + step % 3 for low, step in zip(bid, steps, strict=True)]
    assert unpack_ticks(pack_ticks(ts_ns, bid, ask)) == (ts_ns, bid, ask)


def test_the_longest_batch_fits_into_the_text_that_is_allowed() -> None:
    far = [(-1) ** i * (2**61 - i) for i in range(TICKS_MAX)]
    text = pack_ticks(far, far, far)
    assert len(text) <= TEXT_MAX
    assert unpack_ticks(text).bid == far


@pytest.mark.parametrize(
    "columns", [([], [], []), ([1], [1, 2], [3]), ([1] * (TICKS_MAX + 1),) * 3, ([0, 2**64],) * 3]
)
def test_what_cannot_be_packed_is_refused(columns: tuple[list[int], list[int], list[int]]) -> None:
    with pytest.raises(ValueError, match=r"pack 1 to|64 bits"):
        pack_ticks(*columns)


def seal(header: bytes, body: bytes, *, after: bytes = b"") -> str:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(header + squeeze.compress(body) + squeeze.flush() + after).decode()


def make_header(version: int = 1, code: int = 2, width: int = 1, count: int = 3) -> bytes:
    return HEADER.pack(version, code, width, width, width, count, 10**18, 137_000)


BAD = {
    "not base64": "%%%",
    "no header": base64.b64encode(b"short").decode(),
    "another version": seal(make_header(version=2), bytes(7)),
    "an unknown unit": seal(make_header(code=3), bytes(7)),
    "an unknown width": seal(make_header(width=3), bytes(7)),
    "no ticks": seal(make_header(count=0), b""),
    "too many ticks": seal(make_header(count=TICKS_MAX + 1), bytes(3 * TICKS_MAX + 1)),
    "too little": seal(make_header(), bytes(6)),
    "too much": seal(make_header(), bytes(8)),
    "a bomb": seal(make_header(), bytes(40_000_000)),
    "something after": seal(make_header(), bytes(7), after=b"more"),
    "cut off": seal(make_header(count=600), bytes(range(256)) * 7 + bytes(6))[:-8],
    "not deflated": base64.b64encode(make_header() + b"\xff" * 20).decode(),
    "past 64 bits": seal(
        HEADER.pack(1, 0, 8, 8, 8, 2, 2**62, 1), (2**62).to_bytes(8, "little") * 4
    ),
    "too long": "A" * (TEXT_MAX + 4),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PackedTicksUnreadable):
        unpack_ticks(text)


def test_a_batch_is_packed_or_in_columns_and_not_both() -> None:
    sample = json.loads((SAMPLES / "TickBatch.v1.json").read_text(encoding="utf-8"))["data"]
    batch = TickBatch.model_validate(sample)
    assert batch.accepted == len(batch.columns().bid) == 3
    for changes in ({"ts_ns": [1], "bid": [1], "ask": [2]}, {"read": 4}, {"packed": "%%%"}):
        with pytest.raises(ValidationError):
            TickBatch.model_validate({**sample, **changes})


def test_a_batch_of_an_edge_that_does_not_pack_is_read_as_before() -> None:
    old = json.loads((SAMPLES / "TickBatch.v1.columns.json").read_text(encoding="utf-8"))
    new = json.loads((SAMPLES / "TickBatch.v1.json").read_text(encoding="utf-8"))
    batches = [parse_envelope("TickBatch", sample).data for sample in (old, new)]
    columns = [batch.columns() for batch in batches if isinstance(batch, TickBatch)]
    assert columns[0] == columns[1]
    assert len(columns) == 2
