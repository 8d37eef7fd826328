"""Play a recording through bridge and engine as a market would: minute by minute, in order.

Market time stands still at each bar's close until the bar's decision is in (pace `decisions`), so
that decisions meet the prices they would meet live, however fast the replay is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.bridge.market import MarketBridge, MinuteClosed
from edge_bridge.bridge.recording import Recording
from edge_bridge.engine.engine import Engine
from edge_bridge.floor import PaperFloor
from edge_bridge.link.inbox import Inbox
from edge_bridge.link.publisher import Publisher
from edge_bridge.ports import Quote

Pace = Literal["decisions", "none"]
STEP_TICKS = 4_096
WAIT_SLICE_S = 0.25


@dataclass(slots=True)
class Tally:
    """What this process saw; the journal counts across restarts."""

    signals: int = 0
    withheld: int = 0
    pacing_timeouts: int = 0
    backpressure_waits: int = 0


class Replay:
    """One recording on its way through the edge."""

    def __init__(
        self,
        recording: Recording,
        bridge: MarketBridge,
        engine: Engine,
        floor: PaperFloor,
        link: tuple[Inbox, Publisher],
    ) -> None:
        self._chunk = recording.chunk
        # The market's clock never goes back, even where a recording does.
        self._clock = np.maximum.accumulate(recording.chunk.ts_ns)
        self._bridge, self._engine, self._floor = bridge, engine, floor
        self._inbox, self._publisher = link
        self.tally = Tally()
        self.position = int(bridge.cursor.get("next", 0))
        self.clock_ns = int(bridge.cursor.get("clock", 0))
        self.should_stop: Callable[[], bool] = lambda: False

    @property
    def total(self) -> int:
        """Ticks of the recording."""
        return len(self._chunk)

    def run(self, pace: Pace, *, rows_max: int, decision_wait_s: float, end_ns: int | None) -> None:
        """Play from the cursor to the end, or until told to stop."""
        while self.position < self.total and not self.should_stop():
            closed = self._step()
            if pace == "decisions" and closed:
                self.await_decisions({bar.bar_id for bar in closed}, decision_wait_s)
            self.handle_waiting()
            if not self._publisher.wait_below(rows_max, 0):
                self.tally.backpressure_waits += 1
                while not self._publisher.wait_below(rows_max, WAIT_SLICE_S):
                    self.handle_waiting()
                    if self.should_stop():
                        break
        if self.position >= self.total and end_ns is not None and end_ns > self.clock_ns:
            closed = self._pass_time(end_ns, [])
            if pace == "decisions":
                self.await_decisions({bar.bar_id for bar in closed}, decision_wait_s)

    def _step(self) -> list[MinuteClosed]:
        """Play up to the end of the next tick's minute, or to what the engine has due before."""
        next_ns = int(self._clock[self.position])
        until_ns = next_ns - next_ns % MINUTE_NS + MINUTE_NS
        due_ns = self._engine.next_due_ns()
        if self.clock_ns < due_ns < until_ns:
            until_ns = due_ns
        stop = int(np.searchsorted(self._clock, until_ns, side="left"))
        stop = max(self.position, min(stop, self.position + STEP_TICKS))
        part = self._chunk.part(self.position, stop)
        closed: list[MinuteClosed] = []
        if len(part):
            closed = self._bridge.ingest(part)
            places = self._bridge.find_accepted(part.symbol).tolist()
            self._floor.feed(self.position, part, places)
        self.position = stop
        more_before = stop < self.total and int(self._clock[stop]) < until_ns
        if more_before or stop == self.total:
            return self._pass_time(int(self._clock[stop - 1]) if stop else 0, closed)
        return self._pass_time(until_ns, closed)

    def _pass_time(self, clock_ns: int, closed: list[MinuteClosed]) -> list[MinuteClosed]:
        """Move the market clock, make the step durable, let the engine look."""
        self.clock_ns = max(self.clock_ns, clock_ns)
        bars = closed + self._bridge.advance(self.clock_ns)
        awaited = [str(bar.bar_id) for bar in bars] or self._bridge.cursor.get("awaited", [])
        self._bridge.commit(self.make_cursor(awaited))
        self._engine.advance(self.clock_ns, self._quotes())
        return bars

    def make_cursor(self, awaited: list[str]) -> dict[str, object]:
        """Where to go on after a restart; `awaited` are the newest bars that wait for decisions."""
        known = {
            key: self._bridge.cursor[key] for key in ("recording",) if key in self._bridge.cursor
        }
        return {
            **known,
            "next": self.position,
            "clock": self.clock_ns,
            "last": self._floor.last,
            "awaited": awaited,
        }

    def _quotes(self) -> list[Quote]:
        last = self._floor.last
        return [] if last is None else [Quote(self._chunk.symbol, last[2], last[3], last[1])]

    def settle_start(self) -> None:
        """Tell the engine the market's last state, before anything new is played."""
        if self.clock_ns:
            self._engine.advance(self.clock_ns, self._quotes())

    def await_decisions(self, bars: set[UUID], wait_s: float) -> None:
        """Handle messages until every bar is decided; a bar that takes too long is counted."""
        deadline = time.monotonic() + wait_s
        self._inbox.expect(True)
        while bars and not self.should_stop():
            left = deadline - time.monotonic()
            if left <= 0:
                self.tally.pacing_timeouts += len(bars)
                break
            decided = self.handle_next(min(left, WAIT_SLICE_S))
            if decided is not None:
                bars.discard(decided)
        self._inbox.expect(False)

    def handle_waiting(self) -> None:
        """Handle every message that is here."""
        while self.handle_next(0) is not None:
            pass

    def handle_next(self, wait_s: float) -> UUID | None:
        """Handle one message; return the bar it decided, or its own id. None when none came."""
        envelope = self._inbox.take(wait_s)
        if envelope is None:
            return None
        self._engine.handle(envelope)
        self._inbox.note_handled()
        match envelope.data:
            case SignalIssued():
                self.tally.signals += 1
                return envelope.data.bar_id
            case SignalWithheld():
                self.tally.withheld += 1
                return envelope.data.bar_id
            case _:
                return envelope.meta.event_id
