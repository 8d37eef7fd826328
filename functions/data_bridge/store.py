"""ClickHouse SQL of data_bridge. Market data is shared: its rows are the nil tenant's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.data_bridge import TickBatch
from contracts.ids import NIL
from kit.analytics import Analytics

_TICK_COLUMNS = ("tenant_id", "symbol", "stream", "tick_no", "ts", "bid", "ask", "digits")
_BATCH_COLUMNS = ("tenant_id", "stream", "sequence", "symbol", "read", "stored", "rejected")


class TickStore:
    """Ticks by (symbol, stream, index): storing one again changes nothing."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics

    def add_batches(self, batches: Sequence[TickBatch]) -> None:
        """Store the ticks of many batches in one insert, then note the batches.

        In this order: a batch that is noted has its ticks.
        """
        columns: list[list[Any]] = [[] for _ in _TICK_COLUMNS]
        for batch in batches:
            ticks = batch.columns()
            n = len(ticks.bid)
            parts: tuple[Any, ...] = (
                [NIL] * n,
                [batch.symbol] * n,
                [batch.stream] * n,
                range(batch.first_index, batch.first_index + n),
                *ticks,
                [batch.digits] * n,
            )
            for column, part in zip(columns, parts, strict=True):
                column.extend(part)
        if columns[0]:
            self._analytics.insert_columns("ticks", _TICK_COLUMNS, columns)
        self._analytics.insert(
            "tick_batches",
            _BATCH_COLUMNS,
            [
                [NIL, b.stream, b.sequence, b.symbol, b.read, b.accepted, dict(b.rejected)]
                for b in batches
            ],
        )

    def list_symbols(self) -> list[dict[str, Any]]:
        """Symbols with ticks: digits, first and last time, how many."""
        return self._analytics.query(
            NIL,
            "SELECT symbol, any(digits) AS digits, min(ts) AS first, max(ts) AS last,"
            " uniqExact(stream, tick_no) AS ticks FROM ticks"
            " WHERE tenant_id = {tenant_id:UUID} GROUP BY symbol ORDER BY symbol LIMIT 1000",
        )

    def list_ticks(
        self, symbol: str, start: datetime, end: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Ticks in [start, end), oldest first, prices in points."""
        return self._analytics.query(
            NIL,
            "SELECT ts, bid, ask FROM ticks FINAL WHERE tenant_id = {tenant_id:UUID}"
            " AND symbol = {symbol:String} AND ts >= {start:DateTime64(9, 'UTC')}"
            " AND ts < {end:DateTime64(9, 'UTC')} ORDER BY ts, tick_no LIMIT {limit:UInt32}",
            {"symbol": symbol, "start": start, "end": end, "limit": limit},
        )

    def list_candles(
        self, symbol: str, seconds: int, start: datetime, end: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Bid candles in [start, end), oldest first, prices in points."""
        return self._analytics.query(
            NIL,
            "SELECT toStartOfInterval(ts, toIntervalSecond({seconds:UInt32})) AS time,"
            " argMin(bid, (ts, tick_no)) AS open, max(bid) AS high, min(bid) AS low,"
            " argMax(bid, (ts, tick_no)) AS close, count() AS ticks,"
            " toInt32(round(avg(ask - bid))) AS spread FROM ticks FINAL"
            " WHERE tenant_id = {tenant_id:UUID} AND symbol = {symbol:String}"
            " AND ts >= {start:DateTime64(9, 'UTC')} AND ts < {end:DateTime64(9, 'UTC')}"
            " GROUP BY time ORDER BY time LIMIT {limit:UInt32}",
            {"symbol": symbol, "seconds": seconds, "start": start, "end": end, "limit": limit},
        )
