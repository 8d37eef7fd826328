"""The demo's market data: shipped ticks, the day to replay, the bars before it to train on."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from contracts.data_bridge import Bar
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.bridge.bars import ClosedMinute
from edge_bridge.bridge.recording import open_recording
from edge_bridge.bridge.stream import SymbolStream
from edge_bridge.bridge.validation import TickRules

TICKS = Path(__file__).parent / "data" / "eurusd_oanda_2014-05.parquet"
SYMBOL = "EURUSD"
DAY_START = datetime(2014, 5, 14, tzinfo=UTC)
DAY_END = datetime(2014, 5, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Market:
    """What is replayed and what was known before it."""

    ticks: Path = TICKS
    symbol: str = SYMBOL
    start: datetime = DAY_START
    end: datetime = DAY_END


def to_ns(instant: datetime) -> int:
    """UTC epoch nanoseconds."""
    return int(instant.timestamp()) * 1_000_000_000


def build_bars(market: Market, start: datetime | None, end: datetime) -> list[Bar]:
    """M1 bars of [start, end), made by the bridge's own validation and bar builder."""
    recording = open_recording(
        market.ticks, market.symbol, to_ns(start) if start else None, to_ns(end)
    )
    stream = SymbolStream(market.symbol, TickRules(), recording.digits, BrokerClock())
    outputs = stream.take_chunk(recording.chunk) + stream.advance(to_ns(end))
    minutes = [output.bar for output in outputs if isinstance(output, ClosedMinute)]
    return [
        Bar(
            open_ns=bar.time_ns, open=bar.open, high=bar.high, low=bar.low, close=bar.close,
            spread=bar.spread, ticks=bar.tick_volume,
        )
        for bar in minutes
    ]  # fmt: skip


def write_dataset(bars: Sequence[Bar]) -> bytes:
    """Bars as the NumPy archive that ml_processing trains on (int points)."""
    names = ("open", "high", "low", "close", "spread", "ticks")
    columns = {"ts_ns": np.array([bar.open_ns for bar in bars], dtype=np.int64)}
    columns |= {
        name: np.array([getattr(bar, name) for bar in bars], dtype=np.int32) for name in names
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()
