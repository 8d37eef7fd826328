"""Live ticks into the bridge: gaps filled first, pauses kept, and everything committed.

One thread calls `take` with what the terminal gave and `pump` a few times a second. Nothing here
waits; the bars it closed are `MarketBridge.take_bars`. While the outbox or the disk is full, or the
terminal is away, no tick is taken; the terminal keeps them, and what was missed is asked for and
fed before the live ones go on.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from contracts.data_bridge import TickGapDetected
from edge_bridge.bridge.gaps import NEVER_NS, Gap, GapRules, GapWatch, S
from edge_bridge.bridge.hours import MarketHours
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.symbols import SymbolMap
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.link.outbox import OutboxGuard
from edge_bridge.ports import StorageFull, SymbolUnknown, TerminalUnavailable, TickColumns
from edge_bridge.times import instant

QUESTIONS_MAX = 50
"""Asked in one pump, so that a long backfill lets other work in between."""
MINUTE_NS = 60 * S
RETRY_FIRST_NS = S // 4
RETRY_MAX_NS = 10 * S
TERMINAL, OUTBOX, DISK = "terminal", "outbox", "disk"

_log = logging.getLogger(__name__)


class TickHistory(Protocol):
    """The part of a terminal that remembers."""

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Ticks with ``from_ns <= time < to_ns``, oldest first. Raises TerminalUnavailable."""


class LiveFeed:
    """One terminal's ticks on their way into the bridge."""

    def __init__(
        self,
        bridge: MarketBridge,
        history: TickHistory,
        guard: OutboxGuard,
        *,
        symbols: SymbolMap | None = None,
        rules: GapRules | None = None,
        hours: MarketHours | None = None,
    ) -> None:
        self._bridge, self._history, self._guard = bridge, history, guard
        self._symbols = symbols or SymbolMap()
        self._watch = GapWatch(rules, hours)
        self._pauses: set[str] = set()
        self.on_accepted: Callable[[TickChunk, int], None] = lambda _chunk, _first: None
        """Called with accepted ticks of one symbol and the running number of the first."""
        self._minute = 0
        self._retry_ns, self._failures = 0, 0

    @property
    def pauses(self) -> frozenset[str]:
        """Why no ticks are taken now: terminal, outbox, disk; empty while they are."""
        return frozenset(self._pauses)

    @property
    def held(self) -> set[str]:
        """Symbols that wait for the terminal's history."""
        return self._watch.held

    def start(self, now_ns: int) -> None:
        """Go on after an earlier process: what came meanwhile is missing."""
        self._watch.load(self._bridge.cursor.get("read", {}), now_ns)

    def take(self, chunk: TickChunk, now_ns: int) -> None:
        """Take live ticks, under the broker's name."""
        ours = self._symbols.to_ours(chunk.symbol)
        if ours is None:  # marked, so that a name which looks like ours is not taken for it
            unknown = TickChunk(f"?{chunk.symbol}"[:29], chunk.ts_ns, chunk.bid, chunk.ask)
            self._bridge.ingest(unknown)
            return
        named = TickChunk(ours, chunk.ts_ns, chunk.bid, chunk.ask)
        admitted = self._watch.admit(named, now_ns, taking=not self._pauses)
        if admitted is not None and len(admitted):
            self._feed(admitted, now_ns)

    def note_disconnect(self, now_ns: int) -> None:
        """The terminal is away: hold everything until it is back."""
        self._pause(TERMINAL, now_ns)

    def note_reconnect(self, now_ns: int) -> None:
        """The terminal is back: ask what was missed, also when it was not known to be away."""
        self._pauses.discard(TERMINAL)
        if not self._pauses:
            self._watch.open_all(now_ns, now_ns)

    def pump(self, now_ns: int) -> None:
        """Fill gaps, let the clock pass, commit."""
        if self._guard.takes_ticks():
            self._resume(OUTBOX, now_ns)
        else:
            self._pause(OUTBOX, now_ns)
        if not self._pauses:
            if now_ns // MINUTE_NS > self._minute:
                for symbol in self._watch.find_quiet(now_ns):
                    self._watch.open_gap(symbol, now_ns, now_ns)
            self._minute = now_ns // MINUTE_NS
            self._ask(now_ns)
        self._bridge.advance(now_ns, self._watch.held)
        self.commit(now_ns)

    def commit(self, now_ns: int) -> bool:
        """Make durable what was taken; False while the disk is full, and tried again later."""
        if now_ns < self._retry_ns:
            return False
        alarm = self._guard.check(instant(now_ns))
        if alarm is not None:
            self._bridge.add_event(alarm)
        try:
            self._bridge.commit({**self._bridge.cursor, "read": self._watch.dump()})
        except StorageFull as error:
            self._failures += 1
            pause_ns = min(RETRY_FIRST_NS << min(self._failures - 1, 16), RETRY_MAX_NS)
            self._retry_ns = now_ns + pause_ns
            _log.error("no ticks are taken, again in %.2f s: %s", pause_ns / S, error)
            self._pause(DISK, now_ns)
            return False
        self._retry_ns, self._failures = 0, 0
        self._resume(DISK, now_ns)
        return True

    def _ask(self, now_ns: int) -> None:
        """Ask what is due, span by span."""
        asked = 0
        while asked < QUESTIONS_MAX and not self._pauses:
            due = self._watch.find_due(now_ns)
            if not due:
                return
            for symbol, from_ns, to_ns in due:
                asked += 1
                self._ask_once(symbol, from_ns, to_ns, now_ns)
            if not self._guard.takes_ticks():
                self._pause(OUTBOX, now_ns)
            elif len(due) < asked:  # a long backfill: its outputs must not pile up in memory
                self.commit(now_ns)

    def _ask_once(self, symbol: str, from_ns: int, to_ns: int, now_ns: int) -> None:
        theirs = self._symbols.to_broker(symbol) or symbol
        try:
            columns = self._history.ticks_between(theirs, from_ns, to_ns)
        except (TerminalUnavailable, SymbolUnknown) as error:
            _log.warning("%s: no ticks since %s: %s", symbol, instant(from_ns), error)
            gap = self._watch.find_gap(symbol)
            if gap is not None and gap.attempts == 0:
                self._tell(symbol, gap, complete=False)
            given_up = self._watch.note_silence(symbol, now_ns)
            if given_up is not None:
                _log.error("%s goes on without the ticks since %s", symbol, instant(from_ns))
            return
        fresh = self._watch.note_answer(symbol, columns, to_ns)
        if len(fresh):
            self._bridge.rewind(symbol)
            self._feed(fresh, now_ns)
        closed = self._watch.close_if_filled(symbol, now_ns)
        if closed is not None and (closed.missing or not closed.complete):
            self._tell(symbol, closed, complete=closed.complete)

    def _tell(self, symbol: str, gap: Gap, *, complete: bool) -> None:
        self._bridge.add_event(
            TickGapDetected(
                stream=self._bridge.stream,
                symbol=symbol,
                from_at=instant(gap.from_ns),
                to_at=instant(gap.to_ns),
                backfilled=gap.missing,
                complete=complete,
            )
        )

    def _feed(self, chunk: TickChunk, now_ns: int) -> None:
        ceiling_ns = now_ns + self._watch.rules.ahead_ns
        self._bridge.ingest(chunk, ceiling_ns)
        self._watch.note_read(chunk, now_ns)
        places = self._bridge.find_accepted(chunk.symbol)
        if len(places):
            accepted = TickChunk(
                chunk.symbol, chunk.ts_ns[places], chunk.bid[places], chunk.ask[places]
            )
            first = self._bridge.count_accepted(chunk.symbol) - len(places)
            self.on_accepted(accepted, first)

    def _pause(self, reason: str, now_ns: int) -> None:
        if reason not in self._pauses:
            self._pauses.add(reason)
            _log.warning("ticks are left to the terminal: %s", reason)
        self._watch.open_all(now_ns, NEVER_NS)

    def _resume(self, reason: str, now_ns: int) -> None:
        if reason in self._pauses:
            self._pauses.discard(reason)
            if not self._pauses:
                self._watch.open_all(now_ns, now_ns)
