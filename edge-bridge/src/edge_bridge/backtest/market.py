"""A recording of ticks as the market of a backtest: judged as the bridge judges, fed in runs.

The verdicts are those of the paper replay, which plays minute by minute. Where no accepted tick is
older than a tick before it, the minutes cannot matter, and the whole file is judged at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.data_bridge import TickRejection
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.backtest.floor import feed_ticks, takes_chunks
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.bridge.recording import Recording
from edge_bridge.bridge.ticks import Int64s, TickChunk
from edge_bridge.bridge.validation import ACCEPTED, TickRules, TickValidator, count_reasons
from edge_bridge.ports import Position, Quote


@dataclass(frozen=True, slots=True)
class MarketView:
    """What a signal source may look at: values in the order in which they become known."""

    symbol: str
    digits: int
    ts_ns: Int64s
    bid: Int64s
    ask: Int64s
    places: Int64s
    """How much of the recording is played when a value is known."""
    known_ns: Int64s
    """The market time at which it is known: a tick's own, a bar's end."""
    clock: Sequence[int]
    """Market time of each row of the recording; never goes back."""


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of the recording: read, accepted, rejected by reason."""

    read: int
    accepted: int
    rejected: dict[str, int]


class Market(Protocol):
    """What the backtest plays."""

    symbol: str
    digits: int
    clock: list[int]
    view: MarketView
    count: Count
    divisible: bool
    """Whether time can stop between two rows of one minute."""
    last: Quote | None

    def play(
        self, terminal: SimulatedTerminal, start: int, stop: int, held: Sequence[Position]
    ) -> None:
        """Give a terminal the rows from ``start`` up to ``stop``; ``held`` are its positions."""

    def quotes(self) -> tuple[Int64s, Int64s, Int64s]:
        """Time, bid and ask of everything played."""


class TickMarket:
    """Recorded ticks."""

    divisible = True

    def __init__(self, recording: Recording, rules: TickRules | None = None) -> None:
        chunk = recording.chunk
        self.symbol, self.digits = chunk.symbol, recording.digits
        clock = np.maximum.accumulate(chunk.ts_ns) if len(chunk) else chunk.ts_ns
        verdicts = judge(chunk, clock, rules or TickRules())
        taken = verdicts == ACCEPTED
        places = np.flatnonzero(taken)
        clean = len(places) == len(chunk)
        self._columns = (
            (chunk.ts_ns, chunk.bid, chunk.ask)
            if clean
            else (chunk.ts_ns[places], chunk.bid[places], chunk.ask[places])
        )
        self._rows = [column.tolist() for column in self._columns]
        self.clock: list[int] = self._rows[0] if clean else clock.tolist()
        self._before = None if clean else [0, *np.cumsum(taken).tolist()]
        ts_ns, bid, ask = self._columns
        self.view = MarketView(
            self.symbol, self.digits, ts_ns, bid, ask, places + 1, ts_ns, self.clock
        )
        rejected: dict[TickRejection, int] = {} if clean else count_reasons(verdicts)
        self.count = Count(len(chunk), len(places), {str(key): n for key, n in rejected.items()})
        self.last: Quote | None = None

    def play(
        self, terminal: SimulatedTerminal, start: int, stop: int, held: Sequence[Position]
    ) -> None:
        """Give a terminal the accepted ticks among the rows from ``start`` up to ``stop``."""
        del held  # ticks come as they were recorded, whatever is open
        if self._before is not None:
            start, stop = self._before[start], self._before[stop]
        if start >= stop:
            return
        ts_ns, bid, ask = self._rows
        columns = self._columns if takes_chunks(stop - start) else self._rows
        part = (columns[0][start:stop], columns[1][start:stop], columns[2][start:stop])
        feed_ticks(terminal, self.symbol, start, part)
        self.last = Quote(self.symbol, bid[stop - 1], ask[stop - 1], ts_ns[stop - 1])

    def quotes(self) -> tuple[Int64s, Int64s, Int64s]:
        """Time, bid and ask of the accepted ticks."""
        return self._columns


def judge(chunk: TickChunk, clock: Int64s, rules: TickRules) -> NDArray[np.uint8]:
    """Judge every tick as the paper replay would; ``clock`` is the running newest time."""
    verdicts = TickValidator(rules).judge_chunk(chunk)
    late = (chunk.ts_ns < clock) & (verdicts == ACCEPTED)
    return _judge_by_minutes(chunk, clock, rules) if late.any() else verdicts


def _judge_by_minutes(chunk: TickChunk, clock: Int64s, rules: TickRules) -> NDArray[np.uint8]:
    """Tell the validator the time after each minute: a rejected tick may have moved the clock."""
    validator = TickValidator(rules)
    verdicts = np.empty(len(chunk), dtype=np.uint8)
    minutes = clock // MINUTE_NS
    cuts = np.concatenate(([0], np.flatnonzero(minutes[1:] != minutes[:-1]) + 1, [len(chunk)]))
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        verdicts[start:stop] = validator.judge_chunk(chunk.part(start, stop))
        end_ns = (int(minutes[start]) + 1) * MINUTE_NS
        validator.advance(end_ns, end_ns)
    return verdicts
