"""A robust band around recent mids: a price outside of it is a spike until others agree.

Centre and width are the median of the last accepted mids and a multiple of their median distance
from it, so half of them could be wrong without moving it; a floor in basis points keeps a quiet
market from closing in on itself. Both are worked out again after every `EVERY` accepted ticks, the
same from a block as from ticks one by one. Mids are doubled (bid + ask), to stay whole numbers.
"""

from dataclasses import dataclass, field

import numpy as np

from edge_bridge.bridge.ticks import Int64s

WINDOW = 64
EVERY = 16
_MIDDLE = (WINDOW - 1) // 2
_PLACES = np.arange(WINDOW)


@dataclass(frozen=True, slots=True)
class BandRules:
    """How wide the band is."""

    floor_bp: int = 50
    """It reaches at least so far to each side, in basis points of its centre."""
    deviations: int = 12
    """Or so many median absolute deviations. Within a steady trend the newest mid is about three
    from the centre; 12 leaves room for a market that speeds up."""


@dataclass(slots=True)
class Band:
    """The band and the mids it rests on; saved with the cursor."""

    recent: list[int] = field(default_factory=list)
    """The last accepted mids, WINDOW at most."""
    since: int = 0
    """Mids taken since the band was worked out."""
    centre: int = 0
    """0 before any price."""
    width: int = 0

    def holds(self, mid2: int) -> bool:
        """Whether a mid is inside; before any price everything is."""
        return self.centre == 0 or abs(mid2 - self.centre) <= self.width

    def take(self, mid2: int, rules: BandRules) -> None:
        """Take an accepted mid."""
        recent = self.recent
        recent.append(mid2)
        if len(recent) > WINDOW:
            del recent[0]
        self.since += 1
        if self.centre == 0:
            self.restart(mid2, rules)
        elif self.since == EVERY:
            self.since = 0
            self.centre, self.width = _measure(recent, rules)

    def restart(self, mid2: int, rules: BandRules) -> None:
        """Forget what was: this mid is the level now."""
        self.recent, self.since = [mid2], 0
        self.centre, self.width = mid2, mid2 * rules.floor_bp // 10_000

    def take_block(self, mids: Int64s, rules: BandRules) -> int:
        """Take mids up to the first outside of the band; return how many that were."""
        first = 0
        if self.centre == 0 and len(mids):
            self.take(int(mids[0]), rules)
            first = 1
        fresh = mids[first:]
        if not len(fresh):
            return first
        known = len(self.recent)
        whole = np.concatenate((np.array(self.recent, dtype=np.int64), fresh))
        # After so many of `whole` the band is worked out again.
        turns = np.arange(known + EVERY - self.since, len(whole) + 1, EVERY)
        centres, widths = self._measure_turns(whole, turns, rules)
        band = (np.arange(len(fresh)) + self.since) // EVERY
        outside = np.abs(fresh - centres[band]) > widths[band]
        taken = int(outside.argmax())
        if not outside[taken]:
            taken = len(fresh)
        last = (self.since + taken) // EVERY
        self.centre, self.width = int(centres[last]), int(widths[last])
        self.since = (self.since + taken) % EVERY
        self.recent = whole[max(0, known + taken - WINDOW) : known + taken].tolist()
        return first + taken

    def _measure_turns(
        self, whole: Int64s, turns: Int64s, rules: BandRules
    ) -> tuple[Int64s, Int64s]:
        """The band now and after each turn."""
        young = turns[turns < WINDOW].tolist()  # at most WINDOW / EVERY, right after a start
        bands = [(self.centre, self.width)]
        bands += [_measure(whole[:turn].tolist(), rules) for turn in young]
        centres, widths = (np.array(column, dtype=np.int64) for column in zip(*bands, strict=True))
        full = turns[len(young) :]
        if not len(full):
            return centres, widths
        base = int(whole[0])  # distances from it fit into half the bytes, which halves the sorting
        small = whole - base
        narrow = small.astype(np.int32) if int(np.abs(small).max()) < 2**30 else small
        windows = narrow[(full - WINDOW)[:, None] + _PLACES]
        centre = np.partition(windows, _MIDDLE, axis=1)[:, _MIDDLE]
        away = np.abs(windows - centre[:, None])
        middle = centre.astype(np.int64) + base
        away.partition(_MIDDLE, axis=1)
        spread = away[:, _MIDDLE].astype(np.int64) * rules.deviations
        width = np.maximum(middle * rules.floor_bp // 10_000, spread)
        return np.concatenate((centres, middle)), np.concatenate((widths, width))


def _measure(mids: list[int], rules: BandRules) -> tuple[int, int]:
    """Centre and width over some mids; of two middle ones the lower counts."""
    middle = (len(mids) - 1) // 2
    centre = sorted(mids)[middle]
    away = sorted([abs(mid - centre) for mid in mids])[middle]
    return centre, max(centre * rules.floor_bp // 10_000, away * rules.deviations)
