"""Know what was read of a symbol, notice that ticks are missing, and say what to ask for.

While a gap is open the symbol is held: its live ticks are left unread and its clock stands still,
for the terminal keeps them all. Its answer begins at the newest tick read and reaches past the
newest one left unread, so the missing ticks go in first, in order, each once, and the bars come out
as if nothing had been missing. Pure: `feed.py` asks and feeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_bridge.bridge.hours import ForexWeek, MarketHours
from edge_bridge.bridge.ticks import TickChunk, make_chunk
from edge_bridge.values import TickColumns

S = 1_000_000_000
NEVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class GapRules:
    """What a gap is, and how patiently it is asked for."""

    quiet_ns: int = 1 * S
    """A symbol silent for longer is asked for before the clock closes its minute."""
    silence_ns: int = 5 * S
    """A live tick after a longer silence waits until the time before it was asked for."""
    ahead_ns: int = 60 * S
    """A tick further in the future is no sign of time."""
    span_ns: int = 3_600 * S
    """Asked for at a time."""
    lookback_ns: int = 7 * 86_400 * S
    """What is missing from before is not asked for."""
    attempts_max: int = 8
    """After so many questions without an answer the live ticks go on without the missing ones."""
    pause_first_ns: int = S // 2
    pause_max_ns: int = 30 * S


@dataclass(slots=True)
class Gap:
    """Ticks of a symbol are missing, or may be."""

    from_ns: int
    asked_ns: int
    """The terminal has told everything before."""
    to_ns: int
    ask_at_ns: int
    unread: int = 0
    """Live ticks left to the terminal's history."""
    unread_ns: int = 0
    """The newest of them: an answer that does not reach it is none."""
    attempts: int = 0
    backfilled: int = 0
    cut: bool = False
    """It begins further back than is asked for."""

    @property
    def complete(self) -> bool:
        """Whether the terminal told all of it."""
        return not (self.attempts or self.cut)

    @property
    def missing(self) -> int:
        """Ticks that only the terminal's history had."""
        return max(0, self.backfilled - self.unread)


@dataclass(slots=True)
class Watched:
    """What was read of a symbol."""

    last_ns: int = 0
    """The newest tick read; 0 before any."""
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Prices read at that time."""
    filled_ns: int = 0
    """Up to here ticks came from the terminal's history; live ones from before come again."""
    asked_ns: int = 0
    """The terminal was asked up to here, so the clock may close minutes up to here."""
    suspect: bool = False
    """Ticks were missing when it was last asked: the next live ones wait for another answer."""
    gap: Gap | None = None


class GapWatch:
    """The symbols of one terminal."""

    def __init__(self, rules: GapRules | None = None, hours: MarketHours | None = None) -> None:
        self.rules, self._hours = rules or GapRules(), hours or ForexWeek()
        self._watched: dict[str, Watched] = {}

    @property
    def held(self) -> set[str]:
        """Symbols whose ticks are awaited from the terminal's history."""
        return {symbol for symbol, each in self._watched.items() if each.gap is not None}

    def open_gap(self, symbol: str, now_ns: int, ask_at_ns: int) -> None:
        """Hold a symbol from its newest tick on; one that never had a tick misses none."""
        each = self._watched[symbol]
        if each.last_ns and each.gap is None:
            each.gap = Gap(each.last_ns, each.last_ns, now_ns, ask_at_ns)
        if each.gap is not None:
            each.gap.ask_at_ns = ask_at_ns

    def open_all(self, now_ns: int, ask_at_ns: int) -> None:
        """Hold every symbol: nothing comes, or nothing can be taken."""
        for symbol in self._watched:
            self.open_gap(symbol, now_ns, ask_at_ns)

    def admit(self, chunk: TickChunk, now_ns: int, *, taking: bool = True) -> TickChunk | None:
        """What is to be taken of a live chunk; None when it is left to the terminal's history."""
        each = self._watched.setdefault(chunk.symbol, Watched())
        if not len(chunk):
            return chunk
        first_ns = int(chunk.ts_ns[0])
        if each.gap is None:
            if not taking:
                each.last_ns = each.last_ns or first_ns - 1
                self.open_gap(chunk.symbol, now_ns, NEVER_NS)
            elif each.last_ns and (
                each.suspect or self._is_silent(each.last_ns, first_ns, self.rules.silence_ns)
            ):
                self.open_gap(chunk.symbol, now_ns, now_ns)
        if each.gap is not None:
            each.gap.unread += len(chunk)
            each.gap.unread_ns = max(each.gap.unread_ns, self._find_newest(chunk, now_ns))
            return None
        return self._drop_known(each, chunk) if first_ns <= each.filled_ns else chunk

    def note_read(self, chunk: TickChunk, now_ns: int) -> None:
        """Remember the newest tick that was taken."""
        each = self._watched.setdefault(chunk.symbol, Watched())
        newest_ns = self._find_newest(chunk, now_ns)
        if not newest_ns or newest_ns < each.last_ns:
            return
        if newest_ns > each.last_ns:
            each.last_ns = newest_ns
            each.seen.clear()
        same = np.flatnonzero(chunk.ts_ns == newest_ns)
        each.seen.update(zip(chunk.bid[same].tolist(), chunk.ask[same].tolist(), strict=True))

    def find_quiet(self, now_ns: int) -> list[str]:
        """Symbols to be asked for before the clock may close their minutes."""
        quiet_ns = self.rules.quiet_ns
        return [
            symbol
            for symbol, each in self._watched.items()
            if each.gap is None
            and each.last_ns
            and self._is_silent(max(each.last_ns, each.asked_ns), now_ns, quiet_ns)
        ]

    def find_due(self, now_ns: int) -> list[tuple[str, int, int]]:
        """Questions to ask now: symbol, from when, up to when (not included)."""
        due = []
        for symbol, each in self._watched.items():
            gap = each.gap
            if gap is not None and gap.ask_at_ns <= now_ns:
                gap.to_ns = max(gap.to_ns, now_ns, gap.unread_ns)
                oldest_ns = gap.to_ns - self.rules.lookback_ns
                gap.cut = gap.cut or max(gap.asked_ns, each.asked_ns) < oldest_ns
                gap.asked_ns = max(gap.asked_ns, oldest_ns)
                to_ns = min(gap.to_ns + 1, gap.asked_ns + self.rules.span_ns)
                due.append((symbol, gap.asked_ns, to_ns))
        return due

    def note_answer(self, symbol: str, columns: TickColumns, to_ns: int) -> TickChunk:
        """The ticks of an answer that were not read yet, in order; feed them before going on."""
        each, gap = self._find_gap(symbol)
        chunk = make_chunk(symbol, columns.ts_ns, columns.bid, columns.ask)
        fresh = self._drop_known(each, chunk)
        gap.attempts, gap.asked_ns = 0, max(gap.asked_ns, to_ns)
        gap.backfilled += len(fresh)
        if len(chunk):
            each.filled_ns = max(each.filled_ns, int(chunk.ts_ns[-1]))
        each.asked_ns = max(each.asked_ns, to_ns - 1)
        return fresh

    def close_if_filled(self, symbol: str, now_ns: int) -> Gap | None:
        """The gap when the answers reached its end and the symbol is let go; else None."""
        each, gap = self._find_gap(symbol)
        if gap.asked_ns <= gap.to_ns:
            return None
        if each.last_ns < gap.unread_ns:  # the terminal has given later ticks than it tells of
            gap.asked_ns = each.last_ns
            return self.note_silence(symbol, now_ns)
        each.gap, each.suspect = None, gap.missing > 0
        return gap

    def note_silence(self, symbol: str, now_ns: int) -> Gap | None:
        """The terminal did not answer; the gap when it is given up, None while it is not."""
        each, gap = self._find_gap(symbol)
        gap.attempts += 1
        if gap.attempts < self.rules.attempts_max:
            pause = self.rules.pause_first_ns << min(gap.attempts - 1, 16)
            gap.ask_at_ns = now_ns + min(pause, self.rules.pause_max_ns)
            return None
        each.gap, each.suspect = None, False
        each.last_ns = max(each.last_ns, now_ns, gap.unread_ns)
        each.seen.clear()
        return gap

    def find_gap(self, symbol: str) -> Gap | None:
        """The open gap of a symbol."""
        return self._watched[symbol].gap

    def dump(self) -> dict[str, list[object]]:
        """What was read, for the cursor."""
        return {symbol: [each.last_ns, sorted(each.seen)] for symbol, each in self._watched.items()}

    def load(self, saved: Mapping[str, Any], now_ns: int) -> None:
        """Go on where a saved watch stopped: what came since is missing."""
        for symbol, (last_ns, seen) in saved.items():
            self._watched[symbol] = Watched(last_ns, {(bid, ask) for bid, ask in seen})
        self.open_all(now_ns, now_ns)

    def _find_gap(self, symbol: str) -> tuple[Watched, Gap]:
        each = self._watched[symbol]
        assert each.gap is not None  # nobody asks about a symbol that is not held
        return each, each.gap

    def _is_silent(self, since_ns: int, time_ns: int, bound_ns: int) -> bool:
        if time_ns - since_ns <= bound_ns:
            return False
        return self._hours.open_ns(since_ns, time_ns) > bound_ns

    def _find_newest(self, chunk: TickChunk, now_ns: int) -> int:
        """The newest time that can be true; 0 when there is none."""
        sane = chunk.ts_ns[chunk.ts_ns <= now_ns + self.rules.ahead_ns]
        return int(sane.max()) if len(sane) else 0

    @staticmethod
    def _drop_known(each: Watched, chunk: TickChunk) -> TickChunk:
        ts_ns = chunk.ts_ns
        fresh = ts_ns > each.last_ns
        for place in np.flatnonzero(ts_ns == each.last_ns).tolist():
            fresh[place] = (int(chunk.bid[place]), int(chunk.ask[place])) not in each.seen
        if fresh.all():
            return chunk
        return TickChunk(chunk.symbol, ts_ns[fresh], chunk.bid[fresh], chunk.ask[fresh])
