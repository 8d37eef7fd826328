"""Use cases of data_bridge's room: storing batches, asking for market data within bounds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from contracts.data_bridge import TIMEFRAME_SECONDS, TickBatch, Timeframe
from functions.data_bridge.errors import RangeInvalid, SymbolUnknown

MAX_CANDLES = 5_000
MAX_TICK_RANGE = timedelta(hours=24)


class Ticks(Protocol):
    """What the use cases need of the store."""

    def add_batches(self, batches: Sequence[TickBatch]) -> None:
        """Store batches."""

    def list_symbols(self) -> list[dict[str, Any]]:
        """Symbols with ticks."""

    def list_ticks(
        self, symbol: str, start: datetime, end: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Ticks of a range."""

    def list_candles(
        self, symbol: str, seconds: int, start: datetime, end: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Candles of a range."""


def store_batches(ticks: Ticks, batches: Sequence[TickBatch]) -> int:
    """Store batches; returns how many ticks they hold."""
    ticks.add_batches(batches)
    return sum(batch.accepted for batch in batches)


def _require_symbol(ticks: Ticks, symbol: str) -> None:
    if symbol not in {row["symbol"] for row in ticks.list_symbols()}:
        raise SymbolUnknown(f"no market data for {symbol!r}; GET /v1/market/symbols lists them")


def read_candles(
    ticks: Ticks, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Candles of [start, end), at most 5,000. Raises SymbolUnknown, RangeInvalid."""
    seconds = TIMEFRAME_SECONDS[timeframe]
    if end <= start:
        raise RangeInvalid("'to' must be after 'from'")
    if (end - start) / timedelta(seconds=seconds) > MAX_CANDLES:
        raise RangeInvalid(f"ask for at most {MAX_CANDLES} candles at a time")
    _require_symbol(ticks, symbol)
    return ticks.list_candles(symbol, seconds, start, end, MAX_CANDLES)


def read_ticks(
    ticks: Ticks, symbol: str, start: datetime, end: datetime, limit: int
) -> list[dict[str, Any]]:
    """Ticks of [start, end), a day at most. Raises SymbolUnknown, RangeInvalid."""
    if not timedelta(0) < end - start <= MAX_TICK_RANGE:
        raise RangeInvalid("'to' must be after 'from', by a day at most")
    _require_symbol(ticks, symbol)
    return ticks.list_ticks(symbol, start, end, limit)
