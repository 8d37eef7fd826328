"""Every denial has its own reason and its place in the order; whatever is not known denies."""

import re
from dataclasses import MISSING, fields, replace
from itertools import combinations
from typing import Any

import pytest

from contracts.trading_limits import SessionWindow
from edge_bridge.engine import risk
from edge_bridge.engine.limits import Limits
from edge_bridge.engine.picture import Picture, Scene
from edge_bridge.engine.risk import CHECKS, RiskLimits, Ticket, judge, refuse_close
from edge_bridge.ports import Quote
from tests.edge_bridge.cloud import link_account
from tests.edge_bridge.risk_kit import (
    EVERYTHING,
    HOUR,
    MINUTE,
    NOW,
    QUOTE,
    S,
    change,
    hold,
    make_contract,
    make_guard,
    make_limits,
    make_pending,
    make_picture,
    make_position,
    make_signal,
    make_state,
)

Fault = tuple[str, str, dict[str, Any], dict[str, Any]]
"""The check that finds it, its reason, what is wrong with the picture, settings that forbid it."""
LOST = {"equity": 1_100_000, "balance": 1_100_000}
FAULTS: list[Fault] = [
    ("check_account", "account_unknown", {"account": None}, {}),
    ("check_account", "account_not_tradable", {"state": None}, {}),
    ("check_account", "account_not_tradable", {"state_ns": NOW - 181 * S}, {}),
    ("check_account", "account_not_tradable", {"state": make_state(trade_allowed=False)}, {}),
    ("check_account", "account_not_tradable", {"state": make_state(hedging=False)}, {}),
    ("check_account", "account_not_tradable", {"state": make_state(equity=0)}, {}),
    ("check_account", "account_not_tradable", {"state": make_state(currency="IDR")}, {}),
    ("check_execution", "signal_only", {}, {"execution": "signal_only"}),
    ("check_kill_switch", "kill_switch", {"killed": True}, {}),
    ("check_plan", "account_not_tradable", {"within_plan": False}, {}),
    ("check_symbol", "symbol_not_allowed", {}, {"symbols": ("EURUSDm", "XAUUSD")}),
    ("check_session", "session_closed", {},
     {"sessions": (SessionWindow(weekday=2, from_minute=481, to_minute=600),)}),
    ("check_session", "session_closed", {},
     {"sessions": (SessionWindow(weekday=2, from_minute=0, to_minute=480),)}),
    ("check_blackouts", "news_blackout", {"find_news": lambda *_: (0, NOW + 300 * S)}, {}),
    ("check_blackouts", "news_blackout", {"find_news": lambda *_: (NOW - 299 * S, 2**62)}, {}),
    ("check_blackouts", "rollover_blackout", {"find_rollovers": lambda _: (0, NOW + 300 * S)}, {}),
    ("check_blackouts", "rollover_blackout",
     {"find_rollovers": lambda _: (NOW - 299 * S, NOW + 20 * HOUR)}, {}),
    ("check_blackouts", "weekend_blackout",
     {"week_ends_ns": NOW + HOUR, "market_open": True}, {}),
    ("check_signal", "signal_invalid", {"as_of_ns": NOW + 6 * S}, {}),
    ("check_signal", "signal_invalid", {"expires_ns": NOW}, {}),
    ("check_signal", "signal_expired", {"as_of_ns": NOW - 60 * S, "expires_ns": NOW}, {}),
    ("check_signal", "signal_expired", {"as_of_ns": NOW - 60 * S - 1}, {}),
    ("check_instrument", "instrument_unknown", {"contract": None}, {}),
    ("check_instrument", "account_not_tradable",
     {"contract": make_contract(trade_allowed=False)}, {}),
    ("check_instrument", "signal_invalid", {"contract": make_contract(digits=3)}, {}),
    ("check_market", "market_closed", {"market_open": False}, {}),
    ("check_quote", "quote_missing", {"quote": None}, {}),
    ("check_quote", "quote_missing", {"reference": None}, {}),
    ("check_quote", "quote_missing", {"quote": Quote("EURUSD", 137_010, 137_000, NOW)}, {}),
    ("check_quote", "quote_missing", {"quote": Quote("EURUSD", 0, 137_000, NOW)}, {}),
    ("check_quote", "quote_missing", {"reference": Quote("EURUSD", 0, 0, NOW)}, {}),
    ("check_quote", "quote_stale", {"quote": replace(QUOTE, time_ns=NOW - 61 * S)}, {}),
    ("check_quote", "quote_stale", {"reference": replace(QUOTE, time_ns=NOW - 61 * S)}, {}),
    ("check_quote", "quote_stale", {"quote": replace(QUOTE, time_ns=NOW + 6 * S)}, {}),
    ("check_spread", "spread_too_wide", {"quote": replace(QUOTE, ask=137_101)}, {}),
    ("check_spread", "spread_too_wide", {}, {"spread_max": 9}),
    ("check_collar", "price_collar", {"reference": Quote("EURUSD", 138_000, 138_010, NOW)}, {}),
    ("check_stop", "stop_too_close", {"contract": make_contract(stops_level=191)}, {}),
    ("check_stop", "stop_too_close", {"signal": make_signal(target_distance=9)}, {}),
    ("check_stop", "signal_invalid",
     {"signal": make_signal(target_distance=200_000, direction="sell")}, {}),
    ("check_stop", "signal_invalid",
     {"signal": make_signal(stop_distance=137_010)}, {}),
    ("check_pace", "order_rate_limit", {"orders_in_minute": 10}, {}),
    ("check_pace", "daily_order_limit", {"orders_today": 3}, {"orders_per_day_max": 3}),
    ("check_pending", "pending_order_limit", {"holdings": hold(pending=(make_pending(),) * 21)},
     {}),
    ("check_positions", "position_limit", {"holdings": hold(*[make_position(1)] * 5)}, {}),
    ("check_positions", "position_limit", {"holdings": hold(make_position(1))},
     {"positions_max": 1}),
    ("size_entry", "quote_missing", {"volatility_ppm": None},
     {"sizing": {"method": "volatility_target"}}),
    ("size_entry", "volume_below_minimum", {"contract": make_contract(volume_min=26)}, {}),
    ("size_entry", "volume_below_minimum", {"win_ppm": 400_000}, {"sizing": {"method": "kelly"}}),
    ("check_volume", "volume_limit", {}, {"volume_max": 24}),
    ("check_volume", "total_volume_limit", {"holdings": hold(make_position(10))},
     {"volume_total_max": 34}),
    ("check_volume", "total_volume_limit", {"holdings": hold(pending=(make_pending(10),))},
     {"volume_total_max": 34}),
    ("check_exposure", "exposure_limit", {"holdings": hold(make_position(200, side="sell"))}, {}),
    ("check_exposure", "currency_exposure_limit",
     {"holdings": hold(make_position(1, "XAUUSD"))}, {}),
    ("check_exposure", "currency_exposure_limit",
     {"holdings": hold(make_position(280, "EURJPY"))}, {}),
    ("check_exposure", "correlated_exposure_limit",
     {"holdings": hold(make_position(100, "GBPUSD")), "correlate": lambda _: 7_000},
     {"correlated_exposure_max_bp": 171_000}),
    ("check_exposure", "leverage_limit", {"holdings": hold(make_position(100, "GBPUSD"))},
     {"leverage_max_bp": 171_000}),
    ("check_margin", "margin_insufficient", {"state": make_state(margin_free=42_000)}, {}),
    ("check_margin", "margin_level_limit", {"state": make_state(margin=465_749)}, {}),
    ("check_losses", "daily_loss_limit", {"guard": make_guard(day={"equity": 1_112_000})}, {}),
    ("check_losses", "daily_loss_limit", {"guard": make_guard(day={"halted": True})}, {}),
    ("check_losses", "weekly_loss_limit", {"guard": make_guard(week={"halted": True})}, {}),
    ("check_losses", "weekly_loss_limit", {"guard": make_guard(week=LOST)},
     {"losses": ({"period": "week", "basis": "balance", "max_bp": 909},)}),
    ("check_losses", "monthly_loss_limit", {"guard": make_guard(month=LOST)},
     {"losses": ({"period": "month", "basis": "equity", "max_bp": 909},)}),
    ("check_losses", "monthly_loss_limit", {"guard": make_guard(month={"halted": True})}, {}),
    ("check_drawdown", "drawdown_limit", {"guard": make_guard(peak_equity=1_250_000)}, {}),
    ("check_drawdown", "drawdown_limit", {"guard": make_guard(killed="drawdown")}, {}),
    ("check_pauses", "cooldown", {"guard": make_guard(stopped_ns={"EURUSD": NOW - 59 * S})}, {}),
    ("check_pauses", "losses_in_row", {"guard": make_guard(losses_in_row=3, lost_ns=NOW - 1)},
     {"losses_in_row_max": 3}),
    ("check_settled", "reconciliation_pending", {"settled": False}, {}),
]  # fmt: skip


def judge_faults(*faults: Fault) -> Ticket | str:
    own: dict[str, Any] = {}
    wrong: dict[str, Any] = {}
    for _, _, picture, settings in faults:
        wrong |= picture
        own |= settings
    return judge(make_picture(**wrong), make_limits(**own))


def read_table() -> list[tuple[str, list[str]]]:
    """The table of the module's docstring: checks with their reasons."""
    rows: list[tuple[str, list[str]]] = []
    for line in (risk.__doc__ or "").splitlines():
        row = re.fullmatch(r"(\d+|\.\.)\s+(\w+|\.\.)\s+(.+)", line)
        if row is None:
            continue
        number, check, reasons = row.groups()
        if number == "..":
            rows[-1][1].extend(re.findall(r"\w+", reasons))
        else:
            assert int(number) == len(rows) + 1
            rows.append((check, re.findall(r"\w+", reasons)))
    return rows


def test_the_checks_run_in_the_documented_order() -> None:
    assert tuple(check for check, _ in read_table()) == CHECKS


def test_every_documented_reason_is_reached_by_its_check() -> None:
    reached = {(check, reason) for check, reason, _, _ in FAULTS}
    unmeasured = {("check_losses", "reconciliation_pending"),
                  ("check_drawdown", "reconciliation_pending")}  # fmt: skip
    documented = {(check, reason) for check, reasons in read_table() for reason in reasons}
    assert documented == reached | unmeasured


def test_an_account_in_order_gets_a_ticket_with_stop_and_target() -> None:
    bought = judge(make_picture(), make_limits())
    assert bought == Ticket(volume=25, price=137_010, stop_loss=136_810, take_profit=137_310)
    sold = judge(make_picture(signal=make_signal(direction="sell")), make_limits())
    assert sold == Ticket(volume=25, price=137_000, stop_loss=137_200, take_profit=136_700)
    assert isinstance(judge(make_picture(), make_limits(**EVERYTHING)), Ticket)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]}-{fault[1]}")
def test_each_check_denies_for_its_own_reason(fault: Fault) -> None:
    assert judge_faults(fault) == fault[1]


def test_of_two_faults_the_earlier_check_decides() -> None:
    judged = 0
    for one, other in combinations(FAULTS, 2):
        first, second = sorted((one, other), key=lambda fault: CHECKS.index(fault[0]))
        entwined = one[2].keys() & other[2].keys() or one[3].keys() & other[3].keys()
        # A volume of another method or symbol is another volume: its own limits may not be hit.
        sized = "size_entry" in (first[0], second[0]) or "signal" in first[2] | second[2]
        # Which news matters is told by the instrument.
        blind = (first[1], second[1]) == ("news_blackout", "instrument_unknown")
        if first[0] == second[0] or entwined or sized or blind:
            continue
        assert judge_faults(one, other) == first[1], (one[:2], other[:2])
        judged += 1
    assert judged > 1_000


def test_a_picture_of_which_nothing_is_known_is_denied() -> None:
    scene = Scene(NOW, make_signal(), NOW, NOW + MINUTE)
    assert judge(Picture(scene), make_limits()) == "account_unknown"
    assert judge(Picture(scene, link_account(1)), make_limits()) == "account_not_tradable"


PIECES = [(kind, each.name, each.default) for kind in (Picture, Scene) for each in fields(kind)
          if each.default is not MISSING and each.name != "due_ns"]  # fmt: skip
METHODS = {"volatility_ppm": "volatility_target", "win_ppm": "kelly"}


@pytest.mark.parametrize(("kind", "name", "unknown"), PIECES, ids=lambda each: str(each)[:24])
def test_without_any_single_piece_of_the_picture_nothing_is_bought(
    kind: type, name: str, unknown: Any
) -> None:
    own = {**EVERYTHING, "sizing": {"method": METHODS.get(name, "fixed_risk")},
           "correlated_exposure_max_bp": 100_000}  # fmt: skip
    held = hold(make_position(60, "GBPUSD"))
    whole = make_picture(holdings=held)
    assert isinstance(judge(whole, make_limits(**own)), Ticket)
    assert isinstance(judge(change(whole, **{name: unknown}), make_limits(**own)), str)


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_loss_that_was_not_measured_in_this_period_denies(period: str) -> None:
    guard = make_guard()
    marks = {key: mark for key, mark in guard.periods.items() if key != period}
    missing = make_picture(guard=guard.model_copy(update={"periods": marks}))
    assert judge(missing, make_limits()) == "reconciliation_pending"
    stale = make_picture(guard=make_guard(**{period: {"begins": "2014-04-01"}}))
    assert judge(stale, make_limits()) == "reconciliation_pending"
    assert judge(make_picture(guard=make_guard(peak_equity=None)), make_limits()) == (
        "reconciliation_pending"
    )


def test_what_expires_is_over_at_its_edge_and_not_before() -> None:
    allowed: list[dict[str, Any]] = [
        {"as_of_ns": NOW - 60 * S},
        {"state_ns": NOW - 180 * S},
        {"quote": replace(QUOTE, time_ns=NOW - 60 * S)},
        {"find_news": lambda *_: (NOW - 300 * S, NOW + 300 * S + 1)},
        {"find_rollovers": lambda _: (NOW - 300 * S, NOW + 300 * S + 1)},
        {"week_ends_ns": NOW + HOUR + 1},
        {"guard": make_guard(stopped_ns={"EURUSD": NOW - 60 * S, "GBPUSD": NOW})},
        {"state": make_state(margin=465_748)},
    ]
    for each in allowed:
        assert isinstance(judge(make_picture(**each), make_limits()), Ticket), each


@pytest.mark.parametrize("what", ["news", "rollover"])
def test_a_pause_on_one_side_only_is_kept_too(what: str) -> None:
    around = {"news": "find_news", "rollover": "find_rollovers"}[what]

    def pause(before_s: int, after_s: int) -> Limits:
        own: dict[str, Any] = {f"{what}_before_s": before_s, f"{what}_after_s": after_s}
        return make_limits(**own)

    before, after, nothing = pause(300, 0), pause(0, 300), pause(0, 0)
    just_after = make_picture(**{around: lambda *_: (NOW, NOW + 1)})
    assert judge(just_after, after) == judge(just_after, before) == f"{what}_blackout"
    far_after = make_picture(**{around: lambda *_: (NOW - 300 * S, NOW + 1)})
    assert isinstance(judge(far_after, after), Ticket)
    long_before = make_picture(**{around: lambda *_: (NOW, NOW + 300 * S + 1)})
    assert isinstance(judge(long_before, before), Ticket)
    assert isinstance(judge(just_after, nothing), Ticket)


def test_a_delayed_tenants_signal_ages_from_when_it_may_be_seen() -> None:
    late = {"as_of_ns": NOW - 90 * S, "expires_ns": NOW + 1}
    assert judge(make_picture(**late), make_limits()) == "signal_expired"
    assert isinstance(judge(make_picture(**late, due_ns=NOW - 30 * S), make_limits()), Ticket)


def test_an_unknown_correlation_counts_as_full_and_a_known_low_one_not() -> None:
    limits = make_limits(correlated_exposure_max_bp=100_000)
    held = hold(make_position(60, "GBPUSD"))
    for known, allowed in ((None, False), (10_000, False), (7_000, False), (6_999, True)):
        verdict = judge(make_picture(holdings=held, correlate=lambda _, bp=known: bp), limits)
        assert isinstance(verdict, Ticket) is allowed


def test_net_currency_exposure_counts_across_symbols() -> None:
    longs = make_picture(holdings=hold(make_position(280, "EURJPY")))
    assert judge(longs, make_limits()) == "currency_exposure_limit"
    shorts = make_picture(holdings=hold(make_position(280, "EURJPY", "sell")))
    assert isinstance(judge(shorts, make_limits()), Ticket)


def test_a_position_may_be_closed_unless_the_market_is_known_to_be_closed() -> None:
    assert refuse_close(True) is None
    assert refuse_close(None) is None
    assert refuse_close(False) == "market_closed"


def test_the_platforms_bounds_hold_without_settings() -> None:
    limits = make_limits(RiskLimits(orders_per_minute_max=2, cooldown_ns=0))
    assert judge(make_picture(orders_in_minute=2), limits) == "order_rate_limit"
    resting = make_picture(guard=make_guard(stopped_ns={"EURUSD": NOW}))
    assert isinstance(judge(resting, limits), Ticket)
