"""Judge ticks: each is accepted or rejected for one reason, the first that applies.

A chunk is judged in blocks where its ticks do not depend on each other's verdicts, and tick by
tick where they do (after a price jump); both ways give the same verdicts, a property test says so.
"""

from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from contracts.data_bridge import TickRejection
from edge_bridge.bridge.band import Band, BandRules
from edge_bridge.bridge.ticks import POINTS_MAX, Int64s, TickChunk

REASONS: tuple[TickRejection, ...] = get_args(TickRejection)
ACCEPTED = 0
"""Verdicts are 0, or 1 + the index of the reason in REASONS."""
VERDICTS: dict[TickRejection, int] = {reason: i + 1 for i, reason in enumerate(REASONS)}
UNKNOWN_SYMBOL = VERDICTS["unknown_symbol"]
_NAN = VERDICTS["not_a_number"]
_ZERO = VERDICTS["zero"]
_CROSSED = VERDICTS["crossed"]
_STALE = VERDICTS["stale"]
_BACKWARD = VERDICTS["out_of_order"]
_DUPLICATE = VERDICTS["duplicate"]
_JUMP = VERDICTS["price_jump"]
TIME_MAX_NS = 2**63 - 1
SINGLY_AFTER_JUMP = 32
"""Ticks judged one by one after a jump: in a feed full of spikes, blocks would be begun in vain."""
BLOCK_AFTER_JUMP = 256
"""The first block after that; each next one is twice as long."""


@dataclass(frozen=True, slots=True)
class TickRules:
    """What a tick must keep to."""

    stale_after_ns: int = 10_000_000_000
    """A tick this much older than the newest known time is stale, not merely out of order."""
    band: BandRules = field(default_factory=BandRules)
    """A mid outside of this band around the recent ones is a jump."""
    jump_ticks: int = 5
    """So many jumped ticks in a row that agree with each other are the market's new level."""
    locked_allowed: bool = False
    """Whether bid = ask is a price (raw-spread accounts) or the dirt it is in most feeds."""


@dataclass(slots=True)
class TickMemory:
    """What the next verdict depends on; saved with the cursor."""

    last_ns: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)
    """Prices accepted at ``last_ns``."""
    band: Band = field(default_factory=Band)
    jump_run: int = 0
    jump_mid2: int = 0
    clock_ns: int = 0
    """The newest market time told."""
    floor_ns: int = 0
    """Start of the minute of that time: bars before it are closed, their ticks come too late."""


class TickValidator:
    """Judge the ticks of one symbol."""

    def __init__(self, rules: TickRules, memory: TickMemory | None = None) -> None:
        self.rules = rules
        self.memory = memory or TickMemory()

    def advance(self, clock_ns: int, floor_ns: int) -> None:
        """Tell the market time and the start of its minute."""
        memory = self.memory
        memory.clock_ns = max(memory.clock_ns, clock_ns)
        memory.floor_ns = max(memory.floor_ns, floor_ns)

    def rewind(self) -> None:
        """Forget the market time, but not which minutes it closed."""
        self.memory.clock_ns = self.memory.floor_ns

    def judge_tick(self, ts_ns: int, bid: int, ask: int, ceiling_ns: int = TIME_MAX_NS) -> int:
        """Judge one tick. ``ceiling_ns`` is the latest time it may claim."""
        memory = self.memory
        verdict = self._judge_price(bid, ask) or self._judge_time(ts_ns, ceiling_ns)
        if verdict != ACCEPTED:
            return verdict
        if ts_ns == memory.last_ns and (bid, ask) in memory.seen:
            return _DUPLICATE
        if self._is_jump(bid + ask):
            return _JUMP
        self._remember(ts_ns, bid, ask)
        return ACCEPTED

    def judge_chunk(self, chunk: TickChunk, ceiling_ns: int = TIME_MAX_NS) -> NDArray[np.uint8]:
        """Judge every tick of a chunk, in order."""
        ts, bid, ask = chunk.ts_ns, chunk.bid, chunk.ask
        verdicts = np.zeros(len(ts), dtype=np.uint8)
        start, length, singly = 0, len(ts), 0
        while start < len(ts):
            if self.memory.jump_run == 0 and singly == 0:
                stop = min(len(ts), start + length)
                start = self._judge_block(chunk.part(start, stop), verdicts, start, ceiling_ns)
                if start == stop:
                    length *= 2
                    continue
            verdict = self.judge_tick(int(ts[start]), int(bid[start]), int(ask[start]), ceiling_ns)
            verdicts[start] = verdict
            start += 1
            if verdict == _JUMP:
                length, singly = BLOCK_AFTER_JUMP, SINGLY_AFTER_JUMP
            elif singly:
                singly -= 1
        return verdicts

    def _judge_price(self, bid: int, ask: int) -> int:
        if abs(bid) >= POINTS_MAX or abs(ask) >= POINTS_MAX:
            return _NAN
        if bid <= 0 or ask <= 0:
            return _ZERO
        if bid > ask:
            return _CROSSED
        return _ZERO if bid == ask and not self.rules.locked_allowed else ACCEPTED

    def _judge_time(self, ts_ns: int, ceiling_ns: int) -> int:
        memory = self.memory
        newest = max(memory.clock_ns, memory.last_ns)
        if ts_ns < newest - self.rules.stale_after_ns:
            return _STALE
        if ts_ns < memory.last_ns or ts_ns > ceiling_ns:
            return _BACKWARD
        return _STALE if ts_ns < memory.floor_ns else ACCEPTED

    def _is_jump(self, mid2: int) -> bool:
        """Compare with the recent mids; a run of jumps that agree becomes the level."""
        memory, rules = self.memory, self.rules
        if memory.band.holds(mid2):
            return False
        agrees = memory.jump_run > 0 and not _far(mid2, memory.jump_mid2, rules.band.floor_bp)
        memory.jump_run = memory.jump_run + 1 if agrees else 1
        memory.jump_mid2 = mid2
        return memory.jump_run < rules.jump_ticks

    def _remember(self, ts_ns: int, bid: int, ask: int) -> None:
        memory = self.memory
        if ts_ns != memory.last_ns:
            memory.seen.clear()
        if memory.jump_run and not memory.band.holds(bid + ask):
            memory.band.restart(bid + ask, self.rules.band)
        else:
            memory.band.take(bid + ask, self.rules.band)
        memory.last_ns, memory.jump_run = ts_ns, 0
        memory.seen.append((bid, ask))

    def _judge_block(
        self, block: TickChunk, verdicts: NDArray[np.uint8], start: int, ceiling_ns: int
    ) -> int:
        """Judge a block up to its first jump, all at once; return where in the chunk it stopped."""
        memory, rules = self.memory, self.rules
        ts, bid, ask = block.ts_ns, block.bid, block.ask
        codes = _judge_prices(bid, ask, rules.locked_allowed)
        sound = np.flatnonzero(codes == ACCEPTED)
        times = ts[sound]
        backward = times > ceiling_ns
        # A time above the ceiling is rejected, so it must not become the newest either.
        newest = np.maximum.accumulate(
            np.concatenate(([memory.last_ns], np.where(backward, memory.last_ns, times)))
        )[:-1]
        backward |= times < newest
        oldest = np.maximum(newest, memory.clock_ns) - rules.stale_after_ns
        stale = (times < oldest) | ((times < memory.floor_ns) & ~backward)
        codes[sound[backward]] = _BACKWARD
        codes[sound[stale]] = _STALE
        timely = sound[~(backward | stale)]
        repeated = self._find_duplicates(ts[timely], bid[timely], ask[timely])
        codes[timely[repeated]] = _DUPLICATE
        kept = timely[~repeated]
        taken = memory.band.take_block(bid[kept] + ask[kept], rules.band)
        stop = int(kept[taken]) if taken < len(kept) else len(ts)
        verdicts[start : start + stop] = codes[:stop]
        kept = kept[:taken]
        if len(kept):
            last_ns = int(ts[kept[-1]])
            if last_ns != memory.last_ns:
                memory.seen.clear()
                memory.last_ns = last_ns
            same = kept[int(np.searchsorted(ts[kept], last_ns)) :]
            memory.seen.extend(zip(bid[same].tolist(), ask[same].tolist(), strict=True))
        return start + stop

    def _find_duplicates(self, ts: Int64s, bid: Int64s, ask: Int64s) -> NDArray[np.bool_]:
        """Mark ticks whose time and prices came before; only equal times are looked at."""
        found = np.zeros(len(ts), dtype=np.bool_)
        if not len(ts):
            return found
        equal = np.empty(len(ts), dtype=np.bool_)
        equal[0] = ts[0] == self.memory.last_ns
        np.equal(ts[1:], ts[:-1], out=equal[1:])
        seen = set(self.memory.seen)
        previous = -1
        for i in np.flatnonzero(equal).tolist():
            if i != previous + 1 and i > 0:
                seen = {(int(bid[i - 1]), int(ask[i - 1]))}
            price = (int(bid[i]), int(ask[i]))
            found[i] = price in seen
            seen.add(price)
            previous = i
        return found


def _far(mid2: int, from_mid2: int, jump_bp: int) -> bool:
    return abs(mid2 - from_mid2) * 10_000 > from_mid2 * jump_bp


def _judge_prices(bid: Int64s, ask: Int64s, locked_allowed: bool) -> NDArray[np.uint8]:
    codes = np.zeros(len(bid), dtype=np.uint8)
    if not locked_allowed:
        codes[bid == ask] = _ZERO
    codes[bid > ask] = _CROSSED
    codes[(bid <= 0) | (ask <= 0)] = _ZERO
    too_large = (bid >= POINTS_MAX) | (ask >= POINTS_MAX)
    too_small = (bid <= -POINTS_MAX) | (ask <= -POINTS_MAX)  # NOT_A_NUMBER is among these
    codes[too_large | too_small] = _NAN
    return codes


def count_reasons(verdicts: NDArray[np.uint8]) -> dict[TickRejection, int]:
    """Count the rejections of a run of verdicts by reason; reasons with none are left out."""
    counts = np.bincount(verdicts, minlength=len(REASONS) + 1)[1:].tolist()
    return {reason: count for reason, count in zip(REASONS, counts, strict=True) if count}
