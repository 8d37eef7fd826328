"""Pictures, limits and instruments for the tests of risk: an account that may trade, changed."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from contracts.ai_orchestration import SignalIssued
from contracts.ids import uuid7
from contracts.trading_engine import AccountLinked
from contracts.trading_limits import LossLimit, SessionWindow, TradingLimits
from edge_bridge.engine.calendar import Periods
from edge_bridge.engine.guard import Guard, PeriodMark
from edge_bridge.engine.holdings import Holdings, sum_holdings
from edge_bridge.engine.limits import Limits, RiskLimits, narrow_limits
from edge_bridge.engine.picture import Picture, Scene
from edge_bridge.engine.sizing import Contractual, read_contract
from edge_bridge.ports import AccountState, Instrument, PendingOrder, Position, Quote, Side
from edge_bridge.times import instant
from tests.edge_bridge.cloud import link_account

NOW = 1_400_054_400_000_000_000
"""Wednesday, 14 May 2014, 08:00 UTC."""
S = 1_000_000_000
MINUTE = 60 * S
HOUR = 3_600 * S
DAY_START = NOW - 15 * HOUR
"""Midnight in Jakarta."""
TODAY = Periods("2014-05-14", "2014-05-12", "2014-05-01", DAY_START, DAY_START + 24 * HOUR)
ALL_WEEK = tuple(SessionWindow(weekday=day, from_minute=0, to_minute=1_440) for day in range(7))


def make_instrument(symbol: str = "EURUSD", **overrides: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol, "digits": 5, "contract_size": Decimal(100_000), "tick_size": 1,
        "tick_value": Decimal(1), "margin_per_lot": Decimal("1370.05"), "volume_min": 1,
        "volume_max": 10_000, "volume_step": 1, "stops_level": 10, "currency_base": symbol[:3],
        "currency_profit": symbol[3:], "currency_margin": symbol[:3], "trade_allowed": True,
        **overrides,
    }  # fmt: skip
    return Instrument(**values)


def make_contract(symbol: str = "EURUSD", **overrides: Any) -> Contractual:
    return read_contract(make_instrument(symbol, **overrides), 2)


CONTRACTS = {symbol: make_contract(symbol) for symbol in ("EURUSD", "GBPUSD", "EURJPY")}


def make_state(**overrides: Any) -> AccountState:
    values: dict[str, Any] = {
        "login": 1, "server": "Paper", "currency": "USD", "currency_digits": 2,
        "balance": 1_000_000, "equity": 1_000_000, "margin": 0, "margin_free": 1_000_000,
        "leverage": 100, "trade_allowed": True, "hedging": True, **overrides,
    }  # fmt: skip
    return AccountState(**values)


def make_signal(**overrides: Any) -> SignalIssued:
    values: dict[str, Any] = {
        "signal_id": uuid7(), "decision_id": uuid7(), "bar_id": uuid7(), "symbol": "EURUSD",
        "digits": 5, "timeframe": "M1", "direction": "buy", "probability": 0.6,
        "size_factor": 1.0, "stop_distance": 200, "target_distance": 300, "horizon_s": 900,
        "as_of": instant(NOW), "expires_at": instant(NOW) + timedelta(seconds=120),
        "model_version": "test", **overrides,
    }  # fmt: skip
    return SignalIssued(**values)


def make_position(volume: int, symbol: str = "EURUSD", side: Side = "buy") -> Position:
    return Position(1, 1, symbol, side, volume, 137_000, 0, 0, NOW, 7, "", 0, 0)


def make_pending(volume: int = 1, symbol: str = "EURUSD") -> PendingOrder:
    return PendingOrder(1, symbol, "buy", "limit", volume, 137_000, NOW, 0, "")


def hold(*positions: Position, pending: tuple[PendingOrder, ...] = ()) -> Holdings:
    return sum_holdings(positions, pending, CONTRACTS, make_state())


def make_mark(begins: str, /, **overrides: Any) -> PeriodMark:
    return PeriodMark(**{"begins": begins, "balance": 1_000_000, "equity": 1_000_000, **overrides})


def make_guard(*, day: Any = None, week: Any = None, month: Any = None, **overrides: Any) -> Guard:
    """A guard measured today; `day`, `week` and `month` change the marks."""
    periods = {
        "day": make_mark(TODAY.day, **(day or {})),
        "week": make_mark(TODAY.week, **(week or {})),
        "month": make_mark(TODAY.month, **(month or {})),
    }
    return Guard(**{"periods": periods, "peak_equity": 1_000_000, **overrides})


QUOTE = Quote("EURUSD", 137_000, 137_010, NOW)
SCENE: dict[str, Any] = {
    "now_ns": NOW, "as_of_ns": NOW, "expires_ns": NOW + 120 * S, "factor_ppm": 1_000_000,
    "win_ppm": 600_000, "reference": QUOTE, "volatility_ppm": 80_000,
    "week_minute": 2 * 1_440 + 480, "market_open": True, "week_ends_ns": NOW + 61 * HOUR,
    "find_rollovers": lambda clock: (NOW - 11 * HOUR, NOW + 13 * HOUR),
    "find_news": lambda base, quoted: (0, 2**62), "correlate": lambda symbol: 0,
}  # fmt: skip


def make_scene(**overrides: Any) -> Scene:
    signal = overrides.pop("signal", None) or make_signal()
    return Scene(signal=signal, **{**SCENE, **overrides})


def make_picture(**overrides: Any) -> Picture:
    """An account that may trade; what belongs to the scene may be given too."""
    scene = {key: overrides.pop(key) for key in [*SCENE, "signal"] if key in overrides}
    values: dict[str, Any] = {
        "scene": make_scene(**scene), "account": link_account(1), "state": make_state(),
        "state_ns": NOW, "killed": False, "within_plan": True, "contract": CONTRACTS["EURUSD"],
        "quote": QUOTE, "orders_in_minute": 0, "orders_today": 0, "holdings": Holdings(),
        "guard": make_guard(), "periods": TODAY, "settled": True, **overrides,
    }  # fmt: skip
    return Picture(**values)


def make_limits(
    bounds: RiskLimits | None = None, linked: AccountLinked | None = None, **own: Any
) -> Limits:
    """The limits of an account; without `own` its owner set nothing."""
    settings = TradingLimits(**own) if own else None
    return narrow_limits(bounds or RiskLimits(), settings, linked or link_account(1))


EVERYTHING: dict[str, Any] = {
    "symbols": ("EURUSD",), "sessions": ALL_WEEK, "spread_max": 50, "orders_per_day_max": 50,
    "volume_max": 100, "volume_total_max": 500, "losses_in_row_max": 3, "positions_max": 5,
    "losses": tuple(
        LossLimit(period=period, basis=basis, max_bp=900)
        for period in ("day", "week", "month") for basis in ("balance", "equity")
    ),
}  # fmt: skip
"""Settings in which every limit applies."""


def change(picture: Picture, **overrides: Any) -> Picture:
    """A picture with some of it, or of its scene, changed."""
    scene = {key: overrides.pop(key) for key in list(overrides) if key in [*SCENE, "signal"]}
    return replace(picture, scene=replace(picture.scene, **scene), **overrides)
