"""The market-data bridge: ticks of all symbols in, messages for queue and bus out.

Outputs, the state they left behind and the source's cursor are written in one transaction, so a
crash at any instant repeats nothing and loses nothing: the source goes on at the saved cursor.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import orjson

from contracts.envelope import Envelope, Event
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.bridge.bars import ClosedMinute
from edge_bridge.bridge.messages import SymbolWriter, write_instant
from edge_bridge.bridge.outputs import Batch, HigherBar, Output
from edge_bridge.bridge.stream import Places, SymbolStream
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.bridge.timeframes import BrokerTime, TimeframeBar
from edge_bridge.bridge.validation import TIME_MAX_NS, TickRules
from edge_bridge.link.outbox import WrittenMessage
from edge_bridge.times import WallClock
from edge_bridge.values import Bar, Timeframe

Record = tuple[str, str, str | None]
"""One remembered value: kind, key and value; None forgets it."""

STREAM_KIND = "stream"
BAR_KIND = "bar"
BRIDGE_KIND = "bridge"
UNKNOWN_SYMBOLS_MAX = 100
"""So many unlisted names are counted apart; more share one count, so a feed cannot flood us."""
OTHER_SYMBOLS = "*"
CLOSED_KEPT = 10_000
"""Closed bars kept for whoever takes them; nobody need take them."""


class MinuteClosed(NamedTuple):
    """A minute that is over: BarClosed of this id is on its way to the bus."""

    symbol: str
    bar_id: UUID
    bar: Bar


class BridgeJournal(Protocol):
    """Where outputs and state go together."""

    def write(
        self,
        *,
        events: Sequence[Envelope | WrittenMessage],
        batches: Sequence[Envelope | WrittenMessage],
        records: list[Record],
    ) -> None:
        """Write all of it, or nothing. Raises StorageFull."""

    def load(self, kind: str) -> dict[str, str]:
        """Read the records of a kind by key."""


class MarketBridge:
    """Validate, build, batch; `commit` makes durable what the calls before it made."""

    def __init__(
        self,
        stream: str,
        digits: Mapping[str, int],
        journal: BridgeJournal,
        clock: WallClock,
        *,
        rules: TickRules | None = None,
        broker_time: BrokerTime | None = None,
    ) -> None:
        self._journal, self._clock, self._rules = journal, clock, rules or TickRules()
        self._broker_time = broker_time or BrokerClock()
        saved = orjson.loads(journal.load(BRIDGE_KIND).get("state", "null"))
        self.stream: str = saved["stream"] if saved else stream
        self.cursor: dict[str, Any] = saved["cursor"] if saved else {}
        self._sequence: int = saved["sequence"] if saved else 0
        self.bars_closed: int = saved["bars"] if saved else 0
        self._streams: dict[str, SymbolStream] = {}
        self._writers: dict[str, SymbolWriter] = {}
        for symbol, count in digits.items():
            self._open_stream(symbol, count)
        self._load_streams(saved.get("clocks", {}) if saved else {})
        self._events: list[Envelope | WrittenMessage] = []
        self._batches: list[WrittenMessage] = []
        self._bar_records: list[Record] = []
        self._closed: deque[TimeframeBar] = deque(maxlen=CLOSED_KEPT)

    def _open_stream(self, symbol: str, digits: int, *, known: bool = True) -> SymbolStream:
        stream = SymbolStream(symbol, self._rules, digits, self._broker_time, known=known)
        self._streams[symbol] = stream
        self._writers[symbol] = SymbolWriter(self.stream, symbol, digits)
        return stream

    def _load_streams(self, clocks: Mapping[str, int]) -> None:
        for symbol, text in self._journal.load(STREAM_KIND).items():
            state, bars = orjson.loads(text), self._journal.load(f"{BAR_KIND}/{symbol}")
            history = [(int(key), bars[key]) for key in sorted(bars)]
            stream = self._open_stream(symbol, state["digits"], known=state["known"])
            stream.load_state(state, history)
            stream.validator.advance(clocks.get(symbol, 0), 0)

    def ingest(self, chunk: TickChunk, ceiling_ns: int = TIME_MAX_NS) -> list[MinuteClosed]:
        """Take a chunk; return the minutes it closed."""
        stream = self._find_stream(chunk.symbol)
        return self._collect(stream, stream.take_chunk(chunk, ceiling_ns))

    def find_accepted(self, symbol: str) -> Places:
        """Where the accepted ticks of the symbol's last chunk are in it."""
        return self._find_stream(symbol).places

    def ingest_tick(
        self, symbol: str, ts_ns: int, bid: int, ask: int, ceiling_ns: int = TIME_MAX_NS
    ) -> list[MinuteClosed]:
        """Take one tick; return the minute it closed, if any."""
        stream = self._find_stream(symbol)
        return self._collect(stream, stream.take_tick(ts_ns, bid, ask, ceiling_ns))

    def advance(self, clock_ns: int, held: Collection[str] = ()) -> list[MinuteClosed]:
        """Let the market clock pass; return the minutes that this closed.

        Time stands still for the symbols held: ticks of theirs are known to be still to come.
        """
        closed: list[MinuteClosed] = []
        for stream in self._streams.values():
            if stream.symbol not in held:
                closed += self._collect(stream, stream.advance(clock_ns))
        return closed

    def rewind(self, symbol: str) -> None:
        """Judge the next ticks of a symbol as of their own time: they come late, after a gap."""
        self._find_stream(symbol).validator.rewind()

    def flush(self) -> None:
        """Give out the batches as they are; the forming bars stay forming."""
        for stream in self._streams.values():
            self._collect(stream, stream.flush())

    def add_event(self, event: Event) -> None:
        """Publish a fact about the data, such as a gap, with the next commit."""
        self._events.append(Envelope.wrap(event, tenant_id=None, now=self._clock.now()))

    def commit(self, cursor: dict[str, Any]) -> None:
        """Make everything since the last commit durable, with the source's position.

        Raises StorageFull: then nothing was written, all of it waits here, and commit may be called
        again.
        """
        changed = [stream for stream in self._streams.values() if stream.changed]
        records = self._bar_records + [
            (STREAM_KIND, stream.symbol, _dump(stream.dump_state())) for stream in changed
        ]
        state = {
            "stream": self.stream,
            "cursor": cursor,
            "sequence": self._sequence,
            "bars": self.bars_closed,
            "clocks": {
                stream.symbol: stream.validator.memory.clock_ns for stream in self._streams.values()
            },
        }
        records.append((BRIDGE_KIND, "state", _dump(state)))
        self._journal.write(events=self._events, batches=self._batches, records=records)
        self.cursor = cursor
        self._events, self._batches, self._bar_records = [], [], []
        for stream in changed:
            stream.changed = False

    def take_bars(self) -> list[TimeframeBar]:
        """The bars of every timeframe closed since the last call, in the order they closed."""
        taken = list(self._closed)
        self._closed.clear()
        return taken

    def forming_bars(self, symbol: str) -> dict[Timeframe, Bar]:
        """A symbol's bars that still take ticks, as they are now; none of an unknown symbol."""
        stream = self._streams.get(symbol)
        return stream.show_forming() if stream is not None else {}

    def count_ticks(self) -> tuple[int, int, dict[str, int]]:
        """Ticks read, accepted, and rejected by reason, since the stream began."""
        accepted = sum(stream.accepted for stream in self._streams.values())
        rejected: dict[str, int] = {}
        for stream in self._streams.values():
            for reason, count in stream.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + count
        return accepted + sum(rejected.values()), accepted, rejected

    def count_accepted(self, symbol: str) -> int:
        """Accepted ticks of a symbol, since the stream began."""
        return self._find_stream(symbol).accepted

    def newest_ns(self) -> int:
        """The newest tick that a live feed had read at the last commit; 0 before any."""
        return max((int(last) for last, _ in self.cursor.get("read", {}).values()), default=0)

    def batches_made(self) -> int:
        """Batches of this stream so far."""
        return self._sequence

    def name_bar(self, symbol: str, open_ns: int) -> UUID:
        """The id of a minute: the same bar of the same stream always has the same one."""
        return self._writers[symbol].name_bar(open_ns)

    def _find_stream(self, symbol: str) -> SymbolStream:
        stream = self._streams.get(symbol)
        if stream is not None:
            return stream
        unknown = sum(not stream.known for stream in self._streams.values())
        name = symbol[:29] if unknown < UNKNOWN_SYMBOLS_MAX else OTHER_SYMBOLS
        return self._streams.get(name) or self._open_stream(name, 0, known=False)

    def _collect(self, stream: SymbolStream, outputs: list[Output]) -> list[MinuteClosed]:
        closed: list[MinuteClosed] = []
        if not outputs:
            return closed
        symbol, writer = stream.symbol, self._writers[stream.symbol]
        now_text = write_instant(self._clock.now().astimezone(UTC))
        for output in outputs:
            if isinstance(output, Batch):
                self._batches.append(writer.write_batch(output, self._sequence, now_text))
                self._sequence += 1
            elif isinstance(output, ClosedMinute):
                closed.append(self._close_minute(symbol, writer, output, now_text))
            elif isinstance(output, HigherBar):
                self._closed.append(TimeframeBar(symbol, output.timeframe, output.bar))
        return closed

    def _close_minute(
        self, symbol: str, writer: SymbolWriter, minute: ClosedMinute, now_text: str
    ) -> MinuteClosed:
        bar, kind = minute.bar, f"{BAR_KIND}/{symbol}"
        bar_id = writer.name_bar(bar.time_ns)
        self._events.append(writer.write_bar(minute, bar_id, now_text))
        self._bar_records.append((kind, f"{bar.time_ns:020d}", minute.text))
        if minute.forgotten_ns is not None:
            self._bar_records.append((kind, f"{minute.forgotten_ns:020d}", None))
        self._closed.append(TimeframeBar(symbol, "M1", bar))
        self.bars_closed += 1
        return MinuteClosed(symbol, bar_id, bar)


def _dump(state: dict[str, Any]) -> str:
    return orjson.dumps(state).decode()
