"""What tests of the bridge share: a journal in memory and a terminal's memory of ticks."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from contracts.data_bridge import BarClosed, TickBatch
from contracts.envelope import Envelope
from contracts.registry import parse_envelope
from edge_bridge import values
from edge_bridge.bridge.ticks import TickChunk, make_chunk
from edge_bridge.bridge.timeframes import TimeframeBar
from edge_bridge.link.outbox import WrittenMessage
from edge_bridge.ports import TerminalUnavailable, TickColumns
from edge_bridge.values import Timeframe


class KeptMessages:
    """A journal in memory: what a bridge wrote, and its records."""

    def __init__(self) -> None:
        self.events: list[Envelope] = []
        self.batches: list[Envelope] = []
        self.records: dict[tuple[str, str], str] = {}
        self.bars: list[TimeframeBar] = []
        """The closed bars of all timeframes, where the test keeps them."""
        self.forming: dict[Timeframe, values.Bar] = {}

    def write(self, *, events: Sequence[Any], batches: Sequence[Any], records: list[Any]) -> None:
        self.events += map(read_back, events)
        self.batches += map(read_back, batches)
        for kind, key, value in records:
            if value is None:
                self.records.pop((kind, key), None)
            else:
                self.records[(kind, key)] = value

    def load(self, kind: str) -> dict[str, str]:
        return {key: value for (k, key), value in self.records.items() if k == kind}

    def data(self) -> list[Any]:
        return [envelope.data for envelope in self.batches + self.events]

    def facts(self, kind: type) -> list[Any]:
        return [e.data for e in self.events if isinstance(e.data, kind)]

    def minutes(self) -> list[Any]:
        return [event.bar for event in self.facts(BarClosed)]

    def ticks(self) -> list[tuple[int, int, int]]:
        batches = [e.data for e in self.batches if isinstance(e.data, TickBatch)]
        return [row for batch in batches for row in zip(*batch.columns(), strict=True)]


def read_back(message: Envelope | WrittenMessage) -> Envelope:
    """A message through its contract, which would have written it the same."""
    if isinstance(message, Envelope):
        return message
    envelope = parse_envelope(message.detail_type, json.loads(message.body))
    assert envelope.to_json() == message.body
    assert (envelope.source, str(envelope.meta.event_id)) == (message.source, message.event_id)
    return envelope


class Memory:
    """A terminal's ticks; it may be silent for some questions."""

    def __init__(self, chunk: TickChunk, silences: Sequence[bool] = ()) -> None:
        columns = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
        self._ts_ns, self._bid, self._ask = columns
        self._silences = list(silences)
        self.now_ns = 0
        self.questions: list[tuple[str, int, int]] = []

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        self.questions.append((symbol, from_ns, to_ns))
        if self._silences and self._silences.pop(0):
            raise TerminalUnavailable(-10005, "IPC timeout")
        start = bisect_left(self._ts_ns, from_ns)
        stop = bisect_left(self._ts_ns, min(to_ns, self.now_ns + 1))
        return TickColumns(self._ts_ns[start:stop], self._bid[start:stop], self._ask[start:stop])


def cut_out(chunk: TickChunk, from_ns: int, to_ns: int) -> TickChunk:
    """The ticks later than one time, up to another."""
    kept = (chunk.ts_ns > from_ns) & (chunk.ts_ns <= to_ns)
    return make_chunk(chunk.symbol, chunk.ts_ns[kept], chunk.bid[kept], chunk.ask[kept])
