"""Ticks as one short text: how the edge writes a batch and the room reads it, exact to the bit.

The text is base64 of a header and raw deflate. The header (`HEADER`, little endian) says version,
unit of the times (1000**code ns), the byte widths of three columns, how many ticks, the first time
and the first bid. Deflated are the columns one after another, signed and little endian: steps of
the times in that unit, steps of the bids, and the distance of every ask to its bid. Every width is
the smallest that holds its column, the unit the largest that divides every step.
"""

import base64
import binascii
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

VERSION = 1
TICKS_MAX = 2_000
"""As many as a batch may hold; a text that claims more is refused before it is inflated."""
UNIT = 1_000
UNIT_CODE_MAX = 2
HEADER = struct.Struct("<BBBBBHqq")
TEXT_MAX = 70_000
"""More characters than the longest text of TICKS_MAX ticks has: 24 bytes each, not deflated."""
INT64_MAX = 2**63 - 1
_TYPECODES = {1: "b", 2: "h", 4: "i", 8: "q"}


class PackedTicksUnreadable(ValueError):
    """The text is not of this form, of a version unknown here, or holds something else than it
    says. Keep the message: a newer reader may know it."""


class PackedColumns(NamedTuple):
    """What the header says and the three columns as bytes, before they are deflated."""

    unit_code: int
    widths: tuple[int, int, int]
    ticks: int
    first_ts_ns: int
    first_bid: int
    body: bytes


class Ticks(NamedTuple):
    """Columns of one length."""

    ts_ns: list[int]
    bid: list[int]
    ask: list[int]


def pack_ticks(ts_ns: Sequence[int], bid: Sequence[int], ask: Sequence[int]) -> str:
    """Pack 1 to TICKS_MAX ticks. Raises ValueError when a step does not fit into 64 bits."""
    if not len(ts_ns) == len(bid) == len(ask) or not 0 < len(ts_ns) <= TICKS_MAX:
        raise ValueError(f"pack 1 to {TICKS_MAX} ticks, columns of one length")
    steps = [later - earlier for earlier, later in pairwise(ts_ns)]
    code = find_unit_code(steps)
    columns = (
        [step // UNIT**code for step in steps],
        [later - earlier for earlier, later in pairwise(bid)],
        [high - low for low, high in zip(bid, ask, strict=True)],
    )
    widths = tuple(find_width(column) for column in columns)
    body = b"".join(_write(column, width) for column, width in zip(columns, widths, strict=True))
    return seal(PackedColumns(code, (widths[0], widths[1], widths[2]), len(ts_ns), ts_ns[0],
                              bid[0], body))  # fmt: skip


def find_unit_code(steps: Sequence[int]) -> int:
    """The largest unit that divides every step; of no steps, the largest there is."""
    for code in range(UNIT_CODE_MAX, 0, -1):
        if not any(step % UNIT**code for step in steps):
            return code
    return 0


def find_width(column: Iterable[int]) -> int:
    """Bytes that hold every value of a column, signed. Raises ValueError past 64 bits."""
    largest = max((value if value >= 0 else ~value for value in column), default=0)
    for width in _TYPECODES:
        if largest < 1 << (8 * width - 1):
            return width
    raise ValueError("a step between two ticks does not fit into 64 bits")


def seal(columns: PackedColumns) -> str:
    """Deflate columns and put the header before them. Raises ValueError past 64 bits."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -12, 4)
    try:
        header = HEADER.pack(VERSION, columns.unit_code, *columns.widths, *columns[2:5])
    except struct.error as error:
        raise ValueError("a tick does not fit into 64 bits") from error
    deflated = squeeze.compress(columns.body) + squeeze.flush()
    return binascii.b2a_base64(header + deflated, newline=False).decode("ascii")


def unpack_ticks(text: str) -> Ticks:
    """Read ticks; never inflates more than the header's own count needs.

    Raises PackedTicksUnreadable.
    """
    if len(text) > TEXT_MAX:
        raise PackedTicksUnreadable(f"longer than {TEXT_MAX} characters")
    try:
        data = base64.b64decode(text, validate=True)
        version, code, *widths, count, first_ts_ns, first_bid = HEADER.unpack_from(data)
    except (ValueError, struct.error) as error:
        raise PackedTicksUnreadable("no header in base64") from error
    if version != VERSION:
        raise PackedTicksUnreadable(f"version {version} is unknown here")
    if code > UNIT_CODE_MAX or not set(widths) <= _TYPECODES.keys() or not 0 < count <= TICKS_MAX:
        raise PackedTicksUnreadable("the header is not one")
    sizes = [(count - 1) * widths[0], (count - 1) * widths[1], count * widths[2]]
    body = _inflate(data[HEADER.size :], sum(sizes))
    steps, moves = _read(body[: sizes[0]], widths[0]), _read(body[sizes[0] : -sizes[2]], widths[1])
    spreads = _read(body[-sizes[2] :], widths[2])
    unit = UNIT**code
    ts_ns = list(accumulate((step * unit for step in steps), initial=first_ts_ns))
    bid = list(accumulate(moves, initial=first_bid))
    ask = [low + spread for low, spread in zip(bid, spreads, strict=True)]
    if any(max(column) > INT64_MAX or min(column) < ~INT64_MAX for column in (ts_ns, bid, ask)):
        raise PackedTicksUnreadable("a value does not fit into 64 bits")
    return Ticks(ts_ns, bid, ask)


def _inflate(data: bytes, size: int) -> bytes:
    inflate = zlib.decompressobj(-15)
    try:
        body = inflate.decompress(data, size + 1)
    except zlib.error as error:
        raise PackedTicksUnreadable("the columns are not deflated") from error
    if len(body) != size or not inflate.eof or inflate.unused_data:
        raise PackedTicksUnreadable("the columns are not as long as the header says")
    return body


def _write(column: Sequence[int], width: int) -> bytes:
    values = array(_TYPECODES[width], column)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _read(data: bytes, width: int) -> "array[int]":
    values = array(_TYPECODES[width], data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
