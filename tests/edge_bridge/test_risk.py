"""Every denial has its own reason, and whatever is not known denies."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ai_orchestration import SignalIssued
from contracts.ids import uuid7
from contracts.trading_reasons import DenialReason
from edge_bridge.engine.risk import Picture, RiskLimits, Ticket, judge
from edge_bridge.engine.sizing import (
    measure_margin,
    measure_notional,
    read_contract,
    size_position,
)
from edge_bridge.ports import AccountState, Instrument, Position, Quote
from edge_bridge.times import instant
from tests.edge_bridge.cloud import link_account

NOW = 1_400_054_400_000_000_000
S = 1_000_000_000


def make_instrument(symbol: str = "EURUSD", **overrides: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol, "digits": 5, "contract_size": Decimal(100_000), "tick_size": 1,
        "tick_value": Decimal(1), "margin_per_lot": Decimal("1370.05"), "volume_min": 1,
        "volume_max": 10_000, "volume_step": 1, "stops_level": 10, "currency_base": symbol[:3],
        "currency_profit": symbol[3:], "currency_margin": symbol[:3], "trade_allowed": True,
        **overrides,
    }  # fmt: skip
    return Instrument(**values)


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


def make_position(volume: int, symbol: str = "EURUSD", side: Any = "buy") -> Position:
    return Position(1, 1, symbol, side, volume, 137_000, 0, 0, NOW, 7, "", 0, 0)


def make_picture(**overrides: Any) -> Picture:
    """An account that may trade."""
    quote = Quote("EURUSD", 137_000, 137_010, NOW)
    values: dict[str, Any] = {
        "now_ns": NOW, "signal": make_signal(), "account": link_account(1), "within_plan": True,
        "settled": True, "killed": False, "state": make_state(), "state_ns": NOW,
        "contracts": {"EURUSD": read_contract(make_instrument(), 2)}, "quote": quote,
        "reference": quote, "day_equity": 1_000_000, "peak_equity": 1_000_000, **overrides,
    }  # fmt: skip
    return Picture(**values)


def contract(**overrides: Any) -> dict[str, Any]:
    return {"EURUSD": read_contract(make_instrument(**overrides), 2)}


QUOTE = Quote("EURUSD", 137_000, 137_010, NOW)
DENIALS: list[tuple[DenialReason, dict[str, Any]]] = [
    ("account_unknown", {"account": None}),
    ("account_not_tradable", {"state": None}),
    ("account_not_tradable", {"state_ns": NOW - 181 * S}),
    ("account_not_tradable", {"within_plan": False}),
    ("account_not_tradable", {"state": make_state(trade_allowed=False)}),
    ("account_not_tradable", {"state": make_state(hedging=False)}),
    ("account_not_tradable", {"state": make_state(equity=0)}),
    ("account_not_tradable", {"state": make_state(currency="IDR")}),
    ("account_not_tradable", {"contracts": contract(trade_allowed=False)}),
    ("reconciliation_pending", {"settled": False}),
    ("reconciliation_pending", {"day_equity": None}),
    ("reconciliation_pending", {"peak_equity": None}),
    ("kill_switch", {"killed": True}),
    ("instrument_unknown", {"contracts": {}}),
    ("signal_invalid", {"signal": make_signal(digits=3)}),
    ("signal_invalid", {"signal": make_signal(target_distance=200_000, direction="sell")}),
    ("quote_missing", {"quote": None}),
    ("quote_missing", {"reference": None}),
    ("quote_missing", {"quote": Quote("EURUSD", 137_010, 137_000, NOW)}),
    ("quote_missing", {"quote": Quote("EURUSD", 0, 137_000, NOW)}),
    ("quote_stale", {"quote": replace(QUOTE, time_ns=NOW - 61 * S)}),
    ("quote_stale", {"reference": replace(QUOTE, time_ns=NOW - 61 * S)}),
    ("spread_too_wide", {"quote": replace(QUOTE, ask=137_101)}),
    ("price_collar", {"reference": Quote("EURUSD", 138_000, 138_010, NOW)}),
    ("stop_too_close", {"contracts": contract(stops_level=191)}),
    ("stop_too_close", {"signal": make_signal(target_distance=9)}),
    ("drawdown_limit", {"peak_equity": 1_250_000}),
    ("drawdown_limit", {"drawn_down": True}),
    ("daily_loss_limit", {"day_equity": 1_112_000}),
    ("daily_loss_limit", {"day_halted": True}),
    ("order_rate_limit", {"orders_in_minute": 10}),
    ("cooldown", {"stopped_ns": NOW - 59 * S}),
    ("position_limit", {"positions": [make_position(1)] * 5}),
    ("volume_below_minimum", {"contracts": contract(volume_min=26)}),
    ("exposure_limit", {"positions": [make_position(200, side="sell")]}),
    ("currency_exposure_limit", {"positions": [make_position(1, "EURJPY")]}),
    ("margin_insufficient", {"state": make_state(margin_free=42_000)}),
]


def test_an_account_in_order_gets_a_ticket_with_stop_and_target() -> None:
    bought = judge(make_picture(), RiskLimits())
    assert bought == Ticket(volume=25, price=137_010, stop_loss=136_810, take_profit=137_310)
    sold = judge(make_picture(signal=make_signal(direction="sell")), RiskLimits())
    assert sold == Ticket(volume=25, price=137_000, stop_loss=137_200, take_profit=136_700)


@pytest.mark.parametrize(("reason", "change"), DENIALS)
def test_each_check_denies_for_its_own_reason(reason: str, change: dict[str, Any]) -> None:
    assert judge(make_picture(**change), RiskLimits()) == reason


def test_a_picture_of_which_nothing_is_known_is_denied() -> None:
    assert judge(Picture(NOW, make_signal(), None), RiskLimits()) == "account_unknown"
    known = Picture(NOW, make_signal(), link_account(1))
    assert judge(known, RiskLimits()) == "account_not_tradable"


def test_net_currency_exposure_counts_across_symbols() -> None:
    eurjpy = read_contract(make_instrument("EURJPY"), 2)
    contracts = {"EURUSD": read_contract(make_instrument(), 2), "EURJPY": eurjpy}
    held = [make_position(280, "EURJPY")]
    longs = make_picture(positions=held, contracts=contracts)
    assert judge(longs, RiskLimits()) == "currency_exposure_limit"
    against = [make_position(280, "EURJPY", "sell")]
    shorts = make_picture(positions=against, contracts=contracts)
    assert isinstance(judge(shorts, RiskLimits()), Ticket)


@settings(max_examples=300, deadline=None)
@given(
    equity=st.integers(-10_000, 10**12),
    risk_bp=st.integers(1, 500),
    factor=st.floats(0.000001, 1.0),
    distance=st.integers(1, 50_000),
    tick_value=st.decimals("0.0001", "100", places=4),
    step=st.sampled_from((1, 5, 10, 100)),
)
def test_the_loss_at_the_stop_never_exceeds_the_risk(  # noqa: PLR0917 - drawn by hypothesis
    equity: int, risk_bp: int, factor: float, distance: int, tick_value: Decimal, step: int
) -> None:
    rules = make_instrument(tick_value=tick_value, volume_step=step, volume_min=step)
    volume = size_position(equity, risk_bp, factor, distance, read_contract(rules, 2))
    assert 0 <= volume <= rules.volume_max
    assert volume % step == 0
    loss_cents = volume * distance * tick_value  # hundredths of a lot x currency = cents a lot
    assert loss_cents <= max(0, Decimal(equity) * risk_bp / 10_000) * Decimal(factor)
    smaller = size_position(equity, risk_bp, factor / 2, distance, read_contract(rules, 2))
    assert smaller <= volume


@settings(max_examples=300, deadline=None)
@given(
    equity=st.integers(0, 10**9),
    free=st.integers(0, 10**9),
    held=st.lists(st.tuples(st.integers(1, 500), st.sampled_from(("buy", "sell"))), max_size=4),
    stop=st.integers(11, 5_000),
    factor=st.floats(0.01, 1.0),
    direction=st.sampled_from(("buy", "sell")),
    bid=st.integers(1, 300_000),
    spread=st.integers(-5, 100),
)
def test_a_ticket_keeps_every_limit_whatever_the_picture(  # noqa: PLR0917 - as above
    equity: int, free: int, held: list[Any], stop: int, factor: float, direction: Any, bid: int,
    spread: int,
) -> None:  # fmt: skip
    limits = RiskLimits()
    quote = Quote("EURUSD", bid, bid + spread, NOW)
    positions = [make_position(volume, side=side) for volume, side in held]
    picture = make_picture(
        signal=make_signal(stop_distance=stop, size_factor=factor, direction=direction),
        state=make_state(equity=equity, margin_free=free), positions=positions,
        day_equity=equity, peak_equity=equity, quote=quote, reference=quote,
    )  # fmt: skip
    verdict = judge(picture, limits)
    if not isinstance(verdict, Ticket):
        return
    known = picture.contracts["EURUSD"]
    assert spread >= 0
    assert len(positions) < link_account(1).max_open_positions
    assert measure_margin(verdict.volume, known) * 10_000 <= free * 8_000
    gross = sum(measure_notional(v, 100, known) for v in [verdict.volume, *(p[0] for p in held)])
    assert gross * 10_000 <= equity * limits.symbol_exposure_max_bp
    assert verdict.volume * stop * 10_000 <= equity * 50
    below, above = sorted((verdict.stop_loss, verdict.take_profit))
    assert 0 < below < verdict.price < above
