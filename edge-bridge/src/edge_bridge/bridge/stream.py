"""One symbol's way through the bridge: verdicts, the forming bars, the batch being filled.

A chunk and its ticks one by one give exactly the same batches and bars: a batch ends with its
thousandth tick or at the close of a minute, whichever comes first, and counts every tick read.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.data_bridge import TickRejection
from edge_bridge.bridge.band import Band
from edge_bridge.bridge.bars import (
    MINUTE_NS,
    BarBuilder,
    FormingBar,
    first_minute,
    split_minutes,
)
from edge_bridge.bridge.outputs import Batch, Filling, HigherBar, Output
from edge_bridge.bridge.packing import ChunkPacker, pack_arrays
from edge_bridge.bridge.ticks import Int64s, TickChunk
from edge_bridge.bridge.timeframes import BrokerTime, HigherBars
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
from edge_bridge.values import Bar, Timeframe

BATCH_TICKS = 1_000
SINGLY_TICKS = 16
"""A chunk of so few ticks is taken sooner one by one than as columns."""
Places = NDArray[np.intp]
Columns = tuple[Int64s, Int64s, Int64s]


class SymbolStream:
    """Ticks of one symbol in, batches and closed bars out."""

    def __init__(
        self, symbol: str, rules: TickRules, digits: int, clock: BrokerTime, *, known: bool = True
    ) -> None:
        self.symbol, self.digits, self.known = symbol, digits, known
        self.validator = TickValidator(rules)
        self.builder = BarBuilder()
        self.higher = HigherBars(clock)
        self.filling = Filling(0)
        self.accepted = 0
        self.rejected: Counter[TickRejection] = Counter()
        self.changed = False
        """Whether the state is another than the one last saved."""
        self.places: Places = np.empty(0, np.intp)
        """Where the accepted ticks of the last chunk are in it."""

    def take_tick(
        self, ts_ns: int, bid: int, ask: int, ceiling_ns: int = TIME_MAX_NS
    ) -> list[Output]:
        """Take one tick."""
        self.changed = True
        verdict = UNKNOWN_SYMBOL
        if self.known:
            verdict = self.validator.judge_tick(ts_ns, bid, ask, ceiling_ns)
        filling = self.filling
        if verdict != ACCEPTED:
            reason = REASONS[verdict - 1]
            filling.rejected[reason] += 1
            self.rejected[reason] += 1
            return []
        outputs: list[Output] = []
        forming = self.builder.forming
        if forming is not None and forming.open_ns <= ts_ns < forming.open_ns + MINUTE_NS:
            forming.add(bid, ask)
        else:
            self._begin_minute(first_minute(ts_ns, bid, ask), outputs)
            filling = self.filling
        filling.ts_ns.append(ts_ns)
        filling.bid.append(bid)
        filling.ask.append(ask)
        self.accepted += 1
        if len(filling.ts_ns) == BATCH_TICKS:
            outputs.append(self._take_batch())
        return outputs

    def take_chunk(self, chunk: TickChunk, ceiling_ns: int = TIME_MAX_NS) -> list[Output]:
        """Take many ticks at once."""
        if len(chunk) <= SINGLY_TICKS:
            return self._take_singly(chunk, ceiling_ns)
        self.changed = True
        if self.known:
            verdicts = self.validator.judge_chunk(chunk, ceiling_ns)
        else:
            verdicts = np.full(len(chunk), UNKNOWN_SYMBOL, dtype=np.uint8)
        places = self.places = np.flatnonzero(verdicts == ACCEPTED)
        clean = len(places) == len(chunk)
        outputs: list[Output] = []
        read_to = 0
        if len(places):
            columns = chunk.ts_ns, chunk.bid, chunk.ask
            if not clean:
                columns = columns[0][places], columns[1][places], columns[2][places]
            read_to = self._take_columns(columns, places, None if clean else verdicts, outputs)
        if not clean:
            self._count(verdicts[read_to:])
        return outputs

    def _take_singly(self, chunk: TickChunk, ceiling_ns: int) -> list[Output]:
        outputs: list[Output] = []
        places: list[int] = []
        columns = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
        for place, tick in enumerate(zip(*columns, strict=True)):
            before = self.accepted
            outputs += self.take_tick(*tick, ceiling_ns)
            if self.accepted > before:
                places.append(place)
        self.places = np.array(places, dtype=np.intp)
        return outputs

    def _take_columns(
        self,
        columns: Columns,
        places: Places,
        verdicts: NDArray[np.uint8] | None,
        outputs: list[Output],
    ) -> int:
        """Take accepted ticks, minute by minute; return up to where rejections are counted."""
        starts, minutes = split_minutes(*columns)
        firsts = starts.tolist()
        packer = ChunkPacker(*columns, starts) if len(firsts) > 1 else None
        read_to = 0

        def count_to(place: int, accepted: int) -> None:
            nonlocal read_to
            if verdicts is not None:
                if place - read_to > accepted:
                    self._count(verdicts[read_to:place])
                read_to = place

        for run, (start, stop) in enumerate(
            zip(firsts, [*firsts[1:], len(columns[0])], strict=True)
        ):
            count_to(int(places[start]), 0)
            self._begin_minute(minutes[run], outputs)
            whole = stop < len(columns[0]) and stop - start < BATCH_TICKS
            if packer is not None and whole and not self.filling.ts_ns:
                # It begins and ends with the minute, and takes the rejections up to the next.
                count_to(int(places[stop]), stop - start)
                self.accepted += stop - start
                text = packer.pack(run, start, stop)
                outputs.append(self._make_batch(stop - start, text))
                continue
            filled = start
            while filled < stop:
                take = min(stop, filled + BATCH_TICKS - len(self.filling.ts_ns))
                count_to(int(places[take - 1]) + 1, take - filled)
                self._fill(columns, filled, take)
                if len(self.filling.ts_ns) == BATCH_TICKS:
                    outputs.append(self._take_batch())
                filled = take
        return read_to

    def advance(self, clock_ns: int) -> list[Output]:
        """Let the market clock pass: a bar whose time is over closes without a later tick."""
        end_ns = self.builder.end_ns()
        floor_ns = clock_ns - clock_ns % MINUTE_NS
        memory = self.validator.memory
        new_minute = floor_ns > memory.floor_ns
        self.changed = self.changed or new_minute  # the clock itself is saved by the bridge
        self.validator.advance(clock_ns, floor_ns)
        outputs: list[Output] = []
        if end_ns is not None and clock_ns >= end_ns:
            self._close_minute(clock_ns, outputs)
            return outputs
        if new_minute:
            outputs += self.flush()
        if clock_ns >= self.higher.next_end_ns:
            outputs += [HigherBar(*closed) for closed in self.higher.pass_time(clock_ns)]
        return outputs

    def flush(self) -> list[Output]:
        """Give out what the batch holds, at the end of the data or of the session."""
        if not (self.filling.ts_ns or self.filling.rejected):
            return []
        return [self._take_batch()]

    def show_forming(self) -> dict[Timeframe, Bar]:
        """The bars that still take ticks, as they are now."""
        return self.higher.show(self.builder.forming)

    def _begin_minute(self, minute: FormingBar, outputs: list[Output]) -> None:
        forming = self.builder.forming
        if forming is not None and forming.open_ns != minute.open_ns:
            self._close_minute(minute.open_ns, outputs)
        elif minute.open_ns >= self.higher.next_end_ns:
            outputs += [HigherBar(*closed) for closed in self.higher.pass_time(minute.open_ns)]
        self.builder.add(minute)

    def _close_minute(self, now_ns: int, outputs: list[Output]) -> None:
        outputs += self.flush()
        forming = self.builder.forming
        closed = self.builder.close()
        if forming is not None and closed is not None:
            outputs.append(closed)
            outputs += [HigherBar(*each) for each in self.higher.add(forming, now_ns)]

    def _fill(self, columns: Columns, start: int, stop: int) -> None:
        filling = self.filling
        for kept, column in zip((filling.ts_ns, filling.bid, filling.ask), columns, strict=True):
            kept.frombytes(column[start:stop].tobytes())
        self.accepted += stop - start

    def _count(self, verdicts: NDArray[np.uint8]) -> None:
        if len(verdicts):
            counts = count_reasons(verdicts)
            self.filling.rejected.update(counts)
            self.rejected.update(counts)

    def _take_batch(self) -> Batch:
        filling = self.filling
        count = len(filling.ts_ns)
        text = pack_arrays(filling.ts_ns, filling.bid, filling.ask) if count else None
        return self._make_batch(count, text)

    def _make_batch(self, ticks: int, packed: str | None) -> Batch:
        filling = self.filling
        self.filling = Filling(self.accepted)
        return Batch(filling.first_index, ticks, packed, dict(filling.rejected))

    def dump_state(self) -> dict[str, Any]:
        """Everything the next tick's outcome depends on, but the history of bars, for orjson."""
        filling = self.filling
        return {
            "digits": self.digits,
            "known": self.known,
            "memory": self.validator.memory,
            "forming": self.builder.forming,
            "higher": self.higher.dump(),
            "batch": {
                "first_index": filling.first_index,
                "ts_ns": filling.ts_ns.tolist(),
                "bid": filling.bid.tolist(),
                "ask": filling.ask.tolist(),
                "rejected": dict(sorted(filling.rejected.items())),
            },
            "accepted": self.accepted,
            "rejected": dict(sorted(self.rejected.items())),
        }

    def load_state(self, state: dict[str, Any], history: Iterable[tuple[int, str]]) -> None:
        """Go on where a saved stream stopped; of the bars, when each opened and its text."""
        memory = dict(state["memory"])
        memory["seen"] = [tuple(price) for price in memory["seen"]]
        memory["band"] = Band(**memory["band"]) if "band" in memory else Band()
        memory.pop("last_mid2", None)  # states of earlier releases
        self.validator.memory = TickMemory(**memory)
        forming, batch = state["forming"], state["batch"]
        self.builder = BarBuilder(history, FormingBar(**forming) if forming else None)
        self.higher.load(state.get("higher", ()))
        ts_ns, bid, ask = (array("q", batch[name]) for name in ("ts_ns", "bid", "ask"))
        self.filling = Filling(batch["first_index"], ts_ns, bid, ask, Counter(batch["rejected"]))
        self.accepted = state["accepted"]
        self.rejected = Counter(state["rejected"])
