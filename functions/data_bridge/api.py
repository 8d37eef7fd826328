"""HTTP door of data_bridge: symbols, candles, ticks."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel

from contracts.data_bridge import Timeframe
from functions.data_bridge import logic
from functions.data_bridge.store import TickStore
from kit.analytics import Analytics, open_analytics
from kit.api import CurrentPrincipal, make_app, make_handler, problems

app = make_app("data_bridge", "Market data")

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2261, 12, 31, tzinfo=UTC)
"""What ClickHouse can compare in nanoseconds."""


def _require_storable(instant: datetime) -> datetime:
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"must be between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_require_storable)]
Symbol = Annotated[str, Query(pattern=r"^[A-Za-z0-9._#-]{1,29}$")]
From = Annotated[Instant, Query(alias="from", description="First instant, with an offset.")]
To = Annotated[Instant, Query(alias="to", description="End, not included, with an offset.")]


def _say_utc(instant: datetime) -> datetime:
    """ClickHouse's times are UTC and come without saying so."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


StoredInstant = Annotated[datetime, AfterValidator(_say_utc)]


class StoredSymbol(BaseModel):
    """A symbol and the market times of its first and last stored tick."""

    symbol: str
    digits: int
    first: StoredInstant
    last: StoredInstant
    ticks: int


class SymbolList(BaseModel):
    """Answer of GET /v1/market/symbols."""

    items: list[StoredSymbol]


class Candle(BaseModel):
    """Bids of one stretch of time, in points; ``spread`` is their mean distance to the asks."""

    time: StoredInstant
    open: int
    high: int
    low: int
    close: int
    ticks: int
    spread: int


class CandleList(BaseModel):
    """Answer of GET /v1/market/candles."""

    items: list[Candle]


class Tick(BaseModel):
    """A quote, in points."""

    ts: StoredInstant
    bid: int
    ask: int


class TickList(BaseModel):
    """Answer of GET /v1/market/ticks."""

    items: list[Tick]


def _analytics() -> Analytics:
    return open_analytics()


@app.get("/v1/market/symbols")
def get_symbols(_principal: CurrentPrincipal) -> SymbolList:
    """Symbols with stored ticks."""
    rows = TickStore(_analytics()).list_symbols()
    return SymbolList(items=[StoredSymbol.model_validate(row) for row in rows])


@app.get("/v1/market/candles", responses=problems(404))
def get_candles(
    _principal: CurrentPrincipal, symbol: Symbol, timeframe: Timeframe, start: From, end: To
) -> CandleList:
    """Bid candles, oldest first, prices in points; at most 5,000."""
    rows = logic.read_candles(TickStore(_analytics()), symbol, timeframe, start, end)
    return CandleList(items=[Candle.model_validate(row) for row in rows])


@app.get("/v1/market/ticks", responses=problems(404))
def get_ticks(
    _principal: CurrentPrincipal,
    symbol: Symbol,
    start: From,
    end: To,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> TickList:
    """Ticks, oldest first, prices in points; a day at most."""
    rows = logic.read_ticks(TickStore(_analytics()), symbol, start, end, limit)
    return TickList(items=[Tick.model_validate(row) for row in rows])


handler = make_handler(app)
