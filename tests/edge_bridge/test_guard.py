"""Losses are measured on the tenant's own calendar and stay latched for as long as they must."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.trading_limits import LossLimit
from edge_bridge.engine.calendar import Periods, find_periods, to_ns
from edge_bridge.engine.guard import Guard, find_loss, find_pause, measure_guard, note_close
from edge_bridge.engine.limits import Limits
from tests.edge_bridge.cloud import link_account
from tests.edge_bridge.risk_kit import NOW, S, make_limits, make_state

JAKARTA = ZoneInfo("Asia/Jakarta")
LAX = link_account(1, max_daily_loss_bp=10_000)


def periods_at(text: str, zone: ZoneInfo = JAKARTA) -> Periods:
    return find_periods(zone, to_ns(datetime.fromisoformat(text).replace(tzinfo=zone)))


def limits_with(*losses: LossLimit, **own: Any) -> Limits:
    return make_limits(linked=LAX, losses=losses, drawdown_max_bp=own.pop("drawdown", 2_000), **own)


def measure(
    guard: Guard, limits: Limits, when: str, equity: int, balance: int = 1_000_000
) -> Guard:
    state = make_state(equity=equity, balance=balance)
    return measure_guard(guard, state, limits, periods_at(when))


def denial(guard: Guard, limits: Limits, when: str, equity: int, balance: int = 1_000_000) -> Any:
    return find_loss(guard, make_state(equity=equity, balance=balance), limits, periods_at(when))


@pytest.mark.parametrize(
    ("period", "still", "over"),
    [
        ("day", "2014-05-14T23:59:59", "2014-05-15T00:00"),
        ("week", "2014-05-18T23:59:59", "2014-05-19T00:00"),
        ("month", "2014-05-31T23:59:59", "2014-06-01T00:00"),
    ],
)
@pytest.mark.parametrize("basis", ["equity", "balance"])
def test_a_loss_is_latched_until_its_local_period_ends(
    period: Any, basis: Any, still: str, over: str
) -> None:
    limits = limits_with(LossLimit(period=period, basis=basis, max_bp=300))
    reason = {"day": "daily", "week": "weekly", "month": "monthly"}[period] + "_loss_limit"
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    near = {basis: 970_001}
    assert denial(guard, limits, "2014-05-14T10:01", **{"equity": 1_000_000, **near}) is None
    hit: Any = {"equity": 1_000_000, basis: 970_000}
    assert denial(guard, limits, "2014-05-14T10:01", **hit) == reason
    guard = measure(guard, limits, "2014-05-14T10:01", **hit)
    for when in ("2014-05-14T10:02", still):
        guard = measure(guard, limits, when, 1_000_000)
        assert guard.periods[period].halted
        if when <= "2014-05-14T24":
            assert denial(guard, limits, when, 1_000_000) == reason
    guard = measure(guard, limits, over, 1_000_000)
    assert denial(guard, limits, over, 1_000_000) is None
    assert guard.wants_flat() is None


def test_equity_and_balance_are_measured_apart() -> None:
    limits = limits_with(LossLimit(period="day", basis="balance", max_bp=300))
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    guard = measure(guard, limits, "2014-05-14T10:01", equity=900_000)
    assert denial(guard, limits, "2014-05-14T10:01", equity=900_000) is None
    assert denial(guard, limits, "2014-05-14T10:01", 1_000_000, balance=970_000)


def test_a_loss_limit_that_closes_wants_the_account_flat_until_its_period_ends() -> None:
    soft = LossLimit(period="day", basis="equity", max_bp=200)
    hard = LossLimit(period="week", basis="equity", max_bp=500, close_positions=True)
    limits = limits_with(soft, hard)
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    guard = measure(guard, limits, "2014-05-14T11:00", 970_000)
    assert guard.periods["day"].halted and guard.wants_flat() is None
    guard = measure(guard, limits, "2014-05-14T12:00", 950_000)
    assert guard.wants_flat() == "loss_limit"
    guard = measure(guard, limits, "2014-05-16T12:00", 990_000)
    assert guard.wants_flat() == "loss_limit"
    assert measure(guard, limits, "2014-05-19T00:00", 990_000).wants_flat() is None


def test_a_drawdown_stays_until_somebody_resumes_whatever_the_equity_does() -> None:
    limits = limits_with(drawdown=1_000)
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    guard = measure(guard, limits, "2014-05-14T11:00", 1_200_000)
    guard = measure(guard, limits, "2014-05-14T12:00", 1_080_001)
    assert guard.killed is None
    guard = measure(guard, limits, "2014-05-14T13:00", 1_080_000)
    assert guard.killed == "drawdown"
    guard = measure(guard, limits, "2014-07-14T13:00", 5_000_000)
    assert guard.killed == "drawdown" and guard.wants_flat() == "kill_switch"


def test_a_clock_that_steps_back_or_a_zone_further_west_gives_no_loss_back() -> None:
    limits = limits_with(LossLimit(period="day", basis="equity", max_bp=300))
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    guard = measure(guard, limits, "2014-05-14T11:00", 960_000)
    back = measure(guard, limits, "2014-05-13T11:00", 1_000_000)
    assert back.periods == guard.periods
    assert denial(back, limits, "2014-05-13T11:00", 1_000_000) == "daily_loss_limit"


def test_what_did_not_change_is_the_same_object_and_needs_no_writing() -> None:
    limits = make_limits()
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    assert measure(guard, limits, "2014-05-14T10:01", 990_000) is guard


def test_a_guard_reads_back_as_it_was_written() -> None:
    limits = limits_with(LossLimit(period="month", basis="balance", max_bp=1))
    guard = measure(Guard(), limits, "2014-05-14T10:00", 1_000_000)
    guard = measure(guard, limits, "2014-05-14T11:00", 900_000, balance=900_000)
    guard = note_close(guard, "EURUSD", "stop_loss", -5, NOW)
    assert Guard.model_validate_json(guard.model_dump_json()) == guard


def test_losses_in_a_row_pause_and_one_more_pauses_again() -> None:
    limits = make_limits(losses_in_row_max=2, losses_cooldown_s=100)
    guard = note_close(Guard(), "EURUSD", "horizon", -1, NOW)
    assert find_pause(guard, "EURUSD", limits, NOW) is None
    guard = note_close(guard, "GBPUSD", "manual", -1, NOW + S)
    assert find_pause(guard, "EURUSD", limits, NOW + 101 * S - 1) == "losses_in_row"
    assert find_pause(guard, "EURUSD", limits, NOW + 101 * S) is None
    again = note_close(guard, "EURUSD", "horizon", -1, NOW + 200 * S)
    assert find_pause(again, "EURUSD", limits, NOW + 201 * S) == "losses_in_row"
    assert find_pause(note_close(again, "EURUSD", "take_profit", 1, NOW + 200 * S), "EURUSD",
                      limits, NOW + 201 * S) is None  # fmt: skip
    assert find_pause(guard.model_copy(update={"lost_ns": None}), "EURUSD", limits, NOW + 10**18)
    assert note_close(again, "EURUSD", "manual", 0, NOW + 300 * S) is again


def test_a_stop_loss_rests_its_symbol_only_and_the_newest_is_kept() -> None:
    limits = make_limits(cooldown_s=60)
    guard = note_close(Guard(), "EURUSD", "stop_loss", -1, NOW)
    guard = note_close(guard, "EURUSD", "stop_loss", -1, NOW - 50 * S)
    assert find_pause(guard, "EURUSD", limits, NOW + 59 * S) == "cooldown"
    assert find_pause(guard, "GBPUSD", limits, NOW) is None
    for number in range(250):
        guard = note_close(guard, f"S{number}", "stop_loss", -1, NOW + number)
    assert len(guard.stopped_ns) == 200 and "S249" in guard.stopped_ns


@settings(max_examples=200, deadline=None)
@given(
    path=st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(1, 2_000_000), st.integers(1, 2_000_000)),
        min_size=1, max_size=40,
    ),
    max_bp=st.integers(1, 3_000),
    basis=st.sampled_from(("equity", "balance")),
    period=st.sampled_from(("day", "week", "month")),
)  # fmt: skip
def test_along_any_path_an_entry_is_allowed_only_while_the_worst_of_the_period_is_within_the_limit(
    path: list[tuple[int, int, int]], max_bp: int, basis: Any, period: Any
) -> None:
    limits = limits_with(LossLimit(period=period, basis=basis, max_bp=max_bp))
    guard, now_ns = Guard(), NOW
    began: dict[str, tuple[int, int]] = {}
    worst: dict[str, int] = {}
    for seconds, equity, balance in path:
        now_ns += seconds * S
        periods = find_periods(JAKARTA, now_ns)
        state = make_state(equity=equity, balance=balance)
        guard = measure_guard(guard, state, limits, periods)
        local = datetime.fromtimestamp(now_ns / S, JAKARTA)
        year, week, _ = local.isocalendar()
        key = {"day": str(local.date()), "week": f"{year}-{week}", "month": f"{local:%Y-%m}"}[
            period
        ]
        value = equity if basis == "equity" else balance
        first = began.setdefault(key, (value, 0))[0]
        worst[key] = min(worst.get(key, value), value)
        lost = (first - worst[key]) * 10_000 >= first * max_bp
        assert (find_loss(guard, state, limits, periods) is not None) is lost
