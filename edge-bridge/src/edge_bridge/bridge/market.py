"""The market-data bridge: ticks of all symbols in, envelopes for queue and bus out.

Outputs, the state they left behind and the source's cursor are written in one transaction, so a
crash at any instant repeats nothing and loses nothing: the source goes on at the saved cursor.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from contracts.data_bridge import Bar, BarClosed, TickBatch
from contracts.envelope import Envelope
from contracts.ids import derived_id
from edge_bridge.bridge.bars import HISTORY_BARS, MINUTE_NS
from edge_bridge.bridge.stream import Batch, ClosedBar, Output, Places, SymbolStream
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.bridge.validation import TIME_MAX_NS, TickRules
from edge_bridge.times import WallClock, instant

Record = tuple[str, str, str | None]
"""One remembered value: kind, key and value; None forgets it."""

STREAM_KIND = "stream"
BAR_KIND = "bar"
BRIDGE_KIND = "bridge"
UNKNOWN_SYMBOLS_MAX = 100
"""So many unlisted names are counted apart; more share one count, so a feed cannot flood us."""
OTHER_SYMBOLS = "*"


class BridgeJournal(Protocol):
    """Where outputs and state go together."""

    def write(
        self, *, events: list[Envelope], batches: list[Envelope], records: list[Record]
    ) -> None:
        """Write all of it, or nothing."""

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
        rules: TickRules | None = None,
    ) -> None:
        self._journal, self._clock, self._rules = journal, clock, rules or TickRules()
        saved = json.loads(journal.load(BRIDGE_KIND).get("state", "null"))
        self.stream: str = saved["stream"] if saved else stream
        self.cursor: dict[str, Any] = saved["cursor"] if saved else {}
        self._sequence: int = saved["sequence"] if saved else 0
        self.bars_closed: int = saved["bars"] if saved else 0
        self._streams = self._load_streams(digits)
        self._events: list[Envelope] = []
        self._batches: list[Envelope] = []
        self._bar_records: list[Record] = []

    def _load_streams(self, digits: Mapping[str, int]) -> dict[str, SymbolStream]:
        streams = {
            symbol: SymbolStream(symbol, self._rules, count) for symbol, count in digits.items()
        }
        for symbol, state in self._journal.load(STREAM_KIND).items():
            bars = self._journal.load(f"{BAR_KIND}/{symbol}")
            history = [Bar.model_validate_json(bars[key]) for key in sorted(bars)]
            streams[symbol] = SymbolStream.load_state(
                symbol, self._rules, json.loads(state), history[-HISTORY_BARS:]
            )
        return streams

    def ingest(self, chunk: TickChunk, ceiling_ns: int = TIME_MAX_NS) -> list[BarClosed]:
        """Take a chunk; return the bars it closed."""
        stream = self._find_stream(chunk.symbol)
        return self._collect(stream, stream.take_chunk(chunk, ceiling_ns))

    def find_accepted(self, symbol: str) -> Places:
        """Where the accepted ticks of the symbol's last chunk are in it."""
        return self._find_stream(symbol).places

    def ingest_tick(
        self, symbol: str, ts_ns: int, bid: int, ask: int, ceiling_ns: int = TIME_MAX_NS
    ) -> list[BarClosed]:
        """Take one tick; return the bar it closed, if any."""
        stream = self._find_stream(symbol)
        return self._collect(stream, stream.take_tick(ts_ns, bid, ask, ceiling_ns))

    def advance(self, clock_ns: int) -> list[BarClosed]:
        """Let the market clock pass; return the bars that this closed."""
        closed: list[BarClosed] = []
        for stream in self._streams.values():
            closed += self._collect(stream, stream.advance(clock_ns))
        return closed

    def flush(self) -> None:
        """Give out the batches as they are; the forming bars stay forming."""
        for stream in self._streams.values():
            self._collect(stream, stream.flush())

    def commit(self, cursor: dict[str, Any]) -> None:
        """Make everything since the last commit durable, with the source's position."""
        self.cursor = cursor
        records = self._bar_records
        for stream in self._streams.values():
            records.append((STREAM_KIND, stream.symbol, _dump(stream.dump_state())))
        state = {
            "stream": self.stream,
            "cursor": cursor,
            "sequence": self._sequence,
            "bars": self.bars_closed,
        }
        records.append((BRIDGE_KIND, "state", _dump(state)))
        self._journal.write(events=self._events, batches=self._batches, records=records)
        self._events, self._batches, self._bar_records = [], [], []

    def count_ticks(self) -> tuple[int, int, dict[str, int]]:
        """Ticks read, accepted, and rejected by reason, since the stream began."""
        accepted = sum(stream.accepted for stream in self._streams.values())
        rejected: dict[str, int] = {}
        for stream in self._streams.values():
            for reason, count in stream.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + count
        return accepted + sum(rejected.values()), accepted, rejected

    def batches_made(self) -> int:
        """Batches of this stream so far."""
        return self._sequence

    def _find_stream(self, symbol: str) -> SymbolStream:
        stream = self._streams.get(symbol)
        if stream is not None:
            return stream
        unknown = sum(not stream.known for stream in self._streams.values())
        name = symbol[:29] if unknown < UNKNOWN_SYMBOLS_MAX else OTHER_SYMBOLS
        if name not in self._streams:
            self._streams[name] = SymbolStream(name, self._rules, 0, known=False)
        return self._streams[name]

    def _collect(self, stream: SymbolStream, outputs: list[Output]) -> list[BarClosed]:
        closed: list[BarClosed] = []
        for output in outputs:
            if isinstance(output, Batch):
                self._batches.append(self._wrap_batch(stream, output))
            else:
                closed.append(self._close_bar(stream, output))
        return closed

    def _wrap_batch(self, stream: SymbolStream, batch: Batch) -> Envelope:
        data = TickBatch(
            stream=self.stream,
            sequence=self._sequence,
            symbol=stream.symbol,
            digits=stream.digits,
            first_index=batch.first_index,
            ts_ns=tuple(batch.ts_ns),
            bid=tuple(batch.bid),
            ask=tuple(batch.ask),
            read=batch.read,
            rejected=dict(sorted(batch.rejected.items())),
        )
        self._sequence += 1
        return Envelope.wrap(data, tenant_id=None, now=self._clock.now())

    def _close_bar(self, stream: SymbolStream, closed: ClosedBar) -> BarClosed:
        bar = closed.bar
        data = BarClosed(
            stream=self.stream,
            bar_id=self.name_bar(stream.symbol, bar.open_ns),
            symbol=stream.symbol,
            digits=stream.digits,
            timeframe="M1",
            bar=bar,
            closed_at=instant(bar.open_ns + MINUTE_NS),
            history=closed.history,
        )
        self._events.append(Envelope.wrap(data, tenant_id=None, now=self._clock.now()))
        kind = f"{BAR_KIND}/{stream.symbol}"
        self._bar_records.append((kind, f"{bar.open_ns:020d}", bar.model_dump_json()))
        if len(closed.history) == HISTORY_BARS:
            oldest = closed.history[0].open_ns
            self._bar_records.append((kind, f"{oldest:020d}", None))
        self.bars_closed += 1
        return data

    def name_bar(self, symbol: str, open_ns: int) -> UUID:
        """The id of a bar: the same bar of the same stream always has the same one."""
        return derived_id("bar", self.stream, symbol, "M1", open_ns)


def _dump(state: dict[str, Any]) -> str:
    return json.dumps(state, separators=(",", ":"))
