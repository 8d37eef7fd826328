"""The bridge's two frequent messages, written as their contracts write them.

A bar carries the 63 before it, and a feed closes thousands of bars and batches a second when it is
caught up: validating and dumping what was made right here would cost more than all the rest. Tests
read every text back through the contract and compare it letter by letter.
"""

import json
import os
import time
from datetime import datetime
from uuid import UUID

from contracts.data_bridge import BarClosed, TickBatch
from contracts.ids import derived_id
from edge_bridge.bridge.bars import MINUTE_NS, ClosedMinute
from edge_bridge.bridge.outputs import Batch
from edge_bridge.link.outbox import WrittenMessage
from edge_bridge.times import instant

_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


class SymbolWriter:
    """Writes the messages of one symbol of a stream."""

    def __init__(self, stream: str, symbol: str, digits: int) -> None:
        self._stream, self._symbol, self._digits = stream, symbol, digits
        self._stream_text, self._symbol_text = _quote(stream), _quote(symbol)
        self._source = f"sinyal.{TickBatch.service}"

    def write_batch(self, batch: Batch, sequence: int, now_text: str) -> WrittenMessage:
        """Write a TickBatch."""
        rejected = batch.rejected
        counts = ",".join(f'"{reason}":{rejected[reason]}' for reason in sorted(rejected))
        packed = "null" if batch.packed is None else f'"{batch.packed}"'
        return self._wrap(
            TickBatch.__name__,
            now_text,
            f'{{"stream":{self._stream_text},"sequence":{sequence},"symbol":{self._symbol_text},'
            f'"digits":{self._digits},"first_index":{batch.first_index},"ts_ns":[],"bid":[],'
            f'"ask":[],"read":{batch.ticks + sum(rejected.values())},"rejected":{{{counts}}},'
            f'"packed":{packed}}}',
        )

    def write_bar(self, closed: ClosedMinute, bar_id: UUID, now_text: str) -> WrittenMessage:
        """Write a BarClosed."""
        closed_at = write_instant(instant(closed.bar.time_ns + MINUTE_NS))
        return self._wrap(
            BarClosed.__name__,
            now_text,
            f'{{"stream":{self._stream_text},"bar_id":"{bar_id}","symbol":{self._symbol_text},'
            f'"digits":{self._digits},"timeframe":"M1","bar":{closed.text},'
            f'"closed_at":"{closed_at}","history":[{closed.history_text}]}}',
        )

    def name_bar(self, open_ns: int) -> UUID:
        """The id of a minute: the same bar of the same stream always has the same one."""
        return derived_id("bar", self._stream, self._symbol, "M1", open_ns)

    def _wrap(self, detail_type: str, now_text: str, data: str) -> WrittenMessage:
        event_id = write_event_id(time.time_ns() // 1_000_000)
        meta = (
            f'{{"event_id":"{event_id}","tenant_id":null,"occurred_at":"{now_text}",'
            f'"correlation_id":"{event_id}","causation_id":null,"schema_version":1}}'
        )
        return WrittenMessage(
            event_id, self._source, detail_type, f'{{"meta":{meta},"data":{data}}}'
        )


def write_event_id(now_ms: int) -> str:
    """A new UUIDv7 as text, without making the number in between."""
    rand = os.urandom(10).hex()
    variant = _VARIANTS[rand[0]]
    return (
        f"{now_ms >> 16:08x}-{now_ms & 0xFFFF:04x}-7{rand[1:4]}-{variant}{rand[4:7]}-{rand[7:19]}"
    )


def write_instant(moment: datetime) -> str:
    """An instant in UTC as the contracts write it."""
    return moment.isoformat().replace("+00:00", "Z")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
