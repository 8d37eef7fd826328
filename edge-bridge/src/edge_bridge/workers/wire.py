"""Frames between host and worker: a header of fixed size, then JSON or tick columns.

Both ends run the same code, so a frame of another version, of an unknown kind or beyond the bounds
is no message but a broken wire. Ticks travel as columns of 64-bit integers.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import orjson

from edge_bridge.values import TickColumns

VERSION = 1
PAYLOAD_BYTES_MAX = 4 * 1024 * 1024
TICKS_A_FRAME_MAX = 8_192
ID_MAX = 2**63 - 1
_HEADER = struct.Struct("<IBBQ")
_COLUMNS = struct.Struct("<BIq")
HEADER_BYTES = _HEADER.size


class Kind(IntEnum):
    """What a frame is."""

    OPEN = 1
    """Host: which terminal to open; the first frame it sends."""
    REQUEST = 2
    """Host: execute an action; the frame's number is the request's."""
    ASK = 3
    """Host: read something; answered under the frame's number."""
    MARKET = 4
    """Host: ticks for a simulated terminal; numbered by the host."""
    WATCH = 5
    """Host: keep a symbol's quote and rules in the state."""
    CREDIT = 6
    """Host: so many more ticks may be sent."""
    STOP = 7
    HELLO = 16
    """Worker: the key it was started with; its first frame."""
    READY = 17
    STATE = 18
    """Worker: what changed since the last state; also its sign of life."""
    ANSWER = 19
    TICKS = 20
    """Worker: ticks, of the feed (number 0) or of an answer."""
    LOST = 21
    FAILED = 22


class WireBroken(Exception):
    """What came is not this protocol: version, kind, size or content."""


class Frame(NamedTuple):
    """One message as it travels."""

    kind: Kind
    number: int
    payload: bytes


class Ticks(NamedTuple):
    """Ticks of one symbol; `first_seq` counts them."""

    symbol: str
    first_seq: int
    columns: TickColumns


def pack(kind: Kind, number: int = 0, payload: bytes = b"") -> bytes:
    """Write a frame. Raises WireBroken when the payload is too large."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireBroken(f"{kind.name} of {len(payload)} bytes; ask for less at once")
    return _HEADER.pack(len(payload), VERSION, kind, number) + payload


def pack_json(kind: Kind, number: int, content: Any) -> bytes:
    """Write a frame of plain lists, texts and numbers."""
    return pack(kind, number, orjson.dumps(content))


def read_json(payload: bytes) -> Any:
    """Read what `pack_json` wrote."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise WireBroken(f"unreadable content: {error}") from error


def pack_ticks(kind: Kind, number: int, ticks: Ticks) -> bytes:
    """Write at most `TICKS_A_FRAME_MAX` ticks."""
    columns = ticks.columns
    count = len(columns.ts_ns)
    if not count == len(columns.bid) == len(columns.ask) or count > TICKS_A_FRAME_MAX:
        raise WireBroken(f"{count} ticks in one frame, or columns of different lengths")
    name = ticks.symbol.encode()
    parts = [_COLUMNS.pack(len(name), count, ticks.first_seq), name]
    parts += [_to_bytes(each) for each in (columns.ts_ns, columns.bid, columns.ask)]
    return pack(kind, number, b"".join(parts))


def read_ticks(payload: bytes) -> Ticks:
    """Read what `pack_ticks` wrote."""
    try:
        length, count, first_seq = _COLUMNS.unpack_from(payload)
    except struct.error as error:
        raise WireBroken("ticks without a head") from error
    begin = _COLUMNS.size + length
    if count > TICKS_A_FRAME_MAX or len(payload) != begin + 24 * count:
        raise WireBroken("ticks of another length than told")
    symbol = payload[_COLUMNS.size : begin].decode(errors="replace")
    size = 8 * count
    ts_ns, bid, ask = (
        _from_bytes(payload[begin + size * place : begin + size * (place + 1)])
        for place in range(3)
    )
    return Ticks(symbol, first_seq, TickColumns(ts_ns, bid, ask))


def cut_ticks(ticks: Ticks, rows: int = TICKS_A_FRAME_MAX) -> Iterator[Ticks]:
    """Cut ticks into pieces of at most so many."""
    columns = ticks.columns
    for start in range(0, len(columns.ts_ns), rows):
        part = slice(start, start + rows)
        yield Ticks(
            ticks.symbol,
            ticks.first_seq + start,
            TickColumns(columns.ts_ns[part], columns.bid[part], columns.ask[part]),
        )


def _to_bytes(column: Any) -> bytes:
    values = array("q", column)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _from_bytes(data: bytes) -> "array[int]":
    values = array("q")
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


class FrameReader:
    """Cut a stream of bytes into frames; at most one unfinished frame is kept."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def read(self, data: bytes) -> list[Frame]:
        """Take bytes; give the frames that are now complete."""
        rest = self._rest
        rest += data
        frames: list[Frame] = []
        place = 0
        while len(rest) - place >= HEADER_BYTES:
            length, version, kind, number = _HEADER.unpack_from(rest, place)
            if version != VERSION or length > PAYLOAD_BYTES_MAX:
                raise WireBroken(f"a frame of version {version} and {length} bytes")
            end = place + HEADER_BYTES + length
            if len(rest) < end:
                break
            try:
                frames.append(Frame(Kind(kind), number, bytes(rest[place + HEADER_BYTES : end])))
            except ValueError as error:
                raise WireBroken(f"a frame of unknown kind {kind}") from error
            place = end
        del rest[:place]
        return frames
