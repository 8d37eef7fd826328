"""HTTP door of data_bridge: symbols, candles, ticks."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime

from contracts.data_bridge import Timeframe
from functions.data_bridge import logic
from functions.data_bridge.store import TickStore
from kit.analytics import Analytics, open_analytics
from kit.api import CurrentPrincipal, make_app, make_handler

app = make_app("data_bridge", "Market data")

Symbol = Annotated[str, Query(pattern=r"^[A-Za-z0-9._#-]{1,29}$")]
From = Annotated[AwareDatetime, Query(alias="from")]
To = Annotated[AwareDatetime, Query(alias="to")]


def _analytics() -> Analytics:
    return open_analytics()


@app.get("/v1/market/symbols")
def get_symbols(_principal: CurrentPrincipal) -> dict[str, Any]:
    """Symbols with stored ticks."""
    return {"items": TickStore(_analytics()).list_symbols()}


@app.get("/v1/market/candles")
def get_candles(
    _principal: CurrentPrincipal, symbol: Symbol, timeframe: Timeframe, start: From, end: To
) -> dict[str, Any]:
    """Bid candles, prices in points."""
    ticks = TickStore(_analytics())
    return {"items": logic.read_candles(ticks, symbol, timeframe, start, end)}


@app.get("/v1/market/ticks")
def get_ticks(
    _principal: CurrentPrincipal,
    symbol: Symbol,
    start: From,
    end: To,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> dict[str, Any]:
    """Ticks, prices in points."""
    return {"items": logic.read_ticks(TickStore(_analytics()), symbol, start, end, limit)}


handler = make_handler(app)
