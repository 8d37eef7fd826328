"""Identifiers: time-ordered UUIDs, so that indexes grow at one end and events sort by birth."""

import hashlib
import os
import time
from uuid import UUID

NIL = UUID(int=0)
"""Stands where a tenant would, in rows that belong to the platform as a whole."""

NAMESPACE = UUID("6f1c1d5e-6a55-4f3b-9d0a-6d1a5c0e7a10")
_BEGUN = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
"""Every derived id is a UUIDv5, a SHA-1 that begins with the namespace."""
_UUID5_CLEAR = ~(0xF << 76 | 0b11 << 62) & 2**128 - 1
_UUID5_MARK = 5 << 76 | 0b10 << 62


def uuid7(now_ms: int | None = None) -> UUID:
    """Make a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    rand = int.from_bytes(os.urandom(10), "big") >> 6
    value = (ms & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | (rand >> 62) << 64
    return UUID(int=value | 0b10 << 62 | rand & 0x3FFFFFFFFFFFFFFF)


def derived_id(*parts: object) -> UUID:
    """Make the same id from the same parts, wherever and however often it is asked for."""
    hashed = _BEGUN.copy()
    hashed.update("\x1f".join(map(str, parts)).encode())
    number = int.from_bytes(hashed.digest()[:16], "big")
    return UUID(int=number & _UUID5_CLEAR | _UUID5_MARK)
