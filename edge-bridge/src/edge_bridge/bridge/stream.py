"""One symbol's way through the bridge: verdicts, the forming bar, the batch being filled.

A chunk and its ticks one by one give exactly the same batches and bars: a batch ends with its
thousandth tick or at the close of a bar, whichever comes first, and counts every tick read.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.data_bridge import Bar, TickRejection
from edge_bridge.bridge.bars import MINUTE_NS, BarBuilder, FormingBar, first_minute, split_minutes
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.bridge.validation import (
    ACCEPTED,
    REASONS,
    TIME_MAX_NS,
    UNKNOWN_SYMBOL,
    TickMemory,
    TickRules,
    TickValidator,
    count_reasons,
)

BATCH_TICKS = 1_000
Places = NDArray[np.intp]


@dataclass(slots=True)
class Batch:
    """Accepted ticks that belong together, and how many were read to get them."""

    first_index: int
    ts_ns: list[int] = field(default_factory=list)
    bid: list[int] = field(default_factory=list)
    ask: list[int] = field(default_factory=list)
    rejected: Counter[TickRejection] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Ticks read: the accepted and the rejected."""
        return len(self.ts_ns) + self.rejected.total()


@dataclass(frozen=True, slots=True)
class ClosedBar:
    """A bar that is over, with the bars before it."""

    bar: Bar
    history: tuple[Bar, ...]


Output = Batch | ClosedBar


class SymbolStream:
    """Ticks of one symbol in, batches and closed bars out."""

    def __init__(self, symbol: str, rules: TickRules, digits: int, *, known: bool = True) -> None:
        self.symbol, self.digits, self.known = symbol, digits, known
        self.validator = TickValidator(rules)
        self.builder = BarBuilder([])
        self.batch = Batch(0)
        self.accepted = 0
        self.rejected: Counter[TickRejection] = Counter()
        self.places: Places = np.empty(0, np.intp)
        """Where the accepted ticks of the last chunk are in it."""

    def take_tick(
        self, ts_ns: int, bid: int, ask: int, ceiling_ns: int = TIME_MAX_NS
    ) -> list[Output]:
        """Take one tick."""
        verdict = UNKNOWN_SYMBOL
        if self.known:
            verdict = self.validator.judge_tick(ts_ns, bid, ask, ceiling_ns)
        if verdict != ACCEPTED:
            reason = REASONS[verdict - 1]
            self.batch.rejected[reason] += 1
            self.rejected[reason] += 1
            return []
        outputs = self._close_with(first_minute(ts_ns, bid, ask))
        batch = self.batch
        batch.ts_ns.append(ts_ns)
        batch.bid.append(bid)
        batch.ask.append(ask)
        self.accepted += 1
        if len(batch.ts_ns) == BATCH_TICKS:
            outputs.append(self._take_batch())
        return outputs

    def take_chunk(self, chunk: TickChunk, ceiling_ns: int = TIME_MAX_NS) -> list[Output]:
        """Take many ticks at once."""
        if self.known:
            verdicts = self.validator.judge_chunk(chunk, ceiling_ns)
        else:
            verdicts = np.full(len(chunk), UNKNOWN_SYMBOL, dtype=np.uint8)
        places = self.places = np.flatnonzero(verdicts == ACCEPTED)
        clean = len(places) == len(chunk)
        columns = chunk.ts_ns, chunk.bid, chunk.ask
        ts, bid, ask = columns if clean else (column[places] for column in columns)
        values = ts.tolist(), bid.tolist(), ask.tolist()
        minutes = split_minutes(ts, bid, ask)
        outputs: list[Output] = []
        read_to = 0
        for number, (start, minute) in enumerate(minutes):
            stop = minutes[number + 1][0] if number + 1 < len(minutes) else len(ts)
            first_place = int(places[start])
            self._count(verdicts, read_to, first_place, clean)
            outputs += self._close_with(minute)
            read_to = first_place
            filled = start
            while filled < stop:
                take = min(stop, filled + BATCH_TICKS - len(self.batch.ts_ns))
                after = int(places[take - 1]) + 1
                self._count(verdicts, read_to, after, clean)
                read_to = after
                self._fill(values, filled, take)
                if len(self.batch.ts_ns) == BATCH_TICKS:
                    outputs.append(self._take_batch())
                filled = take
        self._count(verdicts, read_to, len(chunk), clean)
        return outputs

    def advance(self, clock_ns: int) -> list[Output]:
        """Let the market clock pass: a bar whose minute is over closes without a later tick."""
        end_ns = self.builder.end_ns()
        floor_ns = clock_ns - clock_ns % MINUTE_NS
        new_minute = floor_ns > self.validator.memory.floor_ns
        self.validator.advance(clock_ns, floor_ns)
        if end_ns is not None and clock_ns >= end_ns:
            return self._close()
        return self.flush() if new_minute else []

    def flush(self) -> list[Output]:
        """Give out what the batch holds, at the end of the data or of the session."""
        return [self._take_batch()] if self.batch.read else []

    def _close_with(self, minute: FormingBar) -> list[Output]:
        forming = self.builder.forming
        outputs: list[Output] = []
        if forming is not None and forming.open_ns != minute.open_ns:
            outputs = self._close()
        self.builder.add(minute)
        return outputs

    def _close(self) -> list[Output]:
        outputs = self.flush()
        closed = self.builder.close()
        if closed is not None:
            outputs.append(ClosedBar(*closed))
        return outputs

    def _fill(self, values: tuple[list[int], ...], start: int, stop: int) -> None:
        batch = self.batch
        batch.ts_ns += values[0][start:stop]
        batch.bid += values[1][start:stop]
        batch.ask += values[2][start:stop]
        self.accepted += stop - start

    def _count(self, verdicts: NDArray[np.uint8], start: int, stop: int, clean: bool) -> None:
        if clean or stop <= start:
            return
        counts = count_reasons(verdicts[start:stop])
        self.batch.rejected.update(counts)
        self.rejected.update(counts)

    def _take_batch(self) -> Batch:
        batch = self.batch
        self.batch = Batch(self.accepted)
        return batch

    def dump_state(self) -> dict[str, Any]:
        """Everything the next tick's outcome depends on, but the history of bars."""
        forming = self.builder.forming
        return {
            "digits": self.digits,
            "known": self.known,
            "memory": asdict(self.validator.memory),
            "forming": None if forming is None else asdict(forming),
            "batch": {**asdict(self.batch), "rejected": dict(sorted(self.batch.rejected.items()))},
            "accepted": self.accepted,
            "rejected": dict(sorted(self.rejected.items())),
        }

    @classmethod
    def load_state(
        cls, symbol: str, rules: TickRules, state: dict[str, Any], history: list[Bar]
    ) -> "SymbolStream":
        """Go on where a saved stream stopped."""
        stream = cls(symbol, rules, state["digits"], known=state["known"])
        memory = dict(state["memory"])
        memory["seen"] = [tuple(price) for price in memory["seen"]]
        stream.validator.memory = TickMemory(**memory)
        forming = state["forming"]
        stream.builder = BarBuilder(history, FormingBar(**forming) if forming else None)
        batch = state["batch"]
        stream.batch = Batch(**{**batch, "rejected": Counter(batch["rejected"])})
        stream.accepted = state["accepted"]
        stream.rejected = Counter(state["rejected"])
        return stream
