"""Figures against small cases worked out by hand, other formulas, and what must not change them."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from edge_bridge.backtest import ratios
from edge_bridge.backtest.ratios import Drawdown

DAY_NS = 86_400 * 10**9
shares = st.floats(-0.09, 0.09).map(lambda value: round(value, 4))
returns_lists = st.lists(shares, min_size=2, max_size=60)
money = st.integers(-100_000, 100_000)


def assert_same(one: float | None, other: float | None) -> None:
    assert (one is None) == (other is None)
    if one is not None:
        assert one == pytest.approx(other, rel=1e-6, abs=1e-9)


def test_returns_are_from_each_value_to_the_next() -> None:
    assert ratios.find_returns([100, 110, 99]) == pytest.approx([0.10, -0.10])
    assert ratios.find_returns([100]) == []


def test_returns_end_where_nothing_is_left_to_lose() -> None:
    assert ratios.find_returns([100, -20, 50]) == pytest.approx([-1.2])


def test_sharpe_of_three_days_by_hand() -> None:
    # mean 0.01, deviations 0.01, -0.02, 0.01: sample deviation sqrt(0.0006 / 2)
    expected = 0.01 / math.sqrt(0.0003) * math.sqrt(252)
    assert ratios.find_sharpe([0.02, -0.01, 0.02]) == pytest.approx(expected)


def test_sortino_of_three_days_by_hand() -> None:
    expected = 0.01 / math.sqrt(0.0001 / 3) * math.sqrt(252)
    assert ratios.find_sortino([0.02, -0.01, 0.02]) == pytest.approx(expected)


def test_ratios_of_one_day_or_of_equal_days_have_no_value() -> None:
    assert ratios.find_sharpe([0.01]) is None
    assert ratios.find_sharpe([0.01, 0.01, 0.01]) is None
    assert ratios.find_sortino([0.01]) is None
    assert ratios.find_sortino([0.01, 0.02]) is None
    assert ratios.find_probabilistic_sharpe([0.01]) is None
    assert ratios.find_omega([0.01, 0.02]) is None
    assert ratios.find_quality([5.0]) is None
    assert ratios.find_quality([5.0, 5.0]) is None
    assert ratios.find_profit_factor([5.0, 1.0]) is None


def test_omega_and_profit_factor_by_hand() -> None:
    assert ratios.find_omega([0.03, -0.01, -0.01]) == pytest.approx(1.5)
    assert ratios.find_profit_factor([300.0, -100.0, -50.0]) == pytest.approx(2.0)
    assert ratios.find_profit_factor([-100.0]) == 0.0


def test_quality_number_by_hand() -> None:
    # profits 10, 20, 30: mean 20, sample deviation 10
    assert ratios.find_quality([10.0, 20.0, 30.0]) == pytest.approx(math.sqrt(3) * 2)


def test_yearly_growth_doubles_what_doubled_in_a_year() -> None:
    year = int(365.25 * DAY_NS)
    assert ratios.find_growth(100, 200, year) == pytest.approx(1.0)
    assert ratios.find_growth(100, 121, 2 * year) == pytest.approx(0.1)
    assert ratios.find_growth(100, 110, year // 2) == pytest.approx(0.21)


def test_yearly_growth_needs_a_day_and_some_capital() -> None:
    assert ratios.find_growth(100, 200, DAY_NS - 1) is None
    assert ratios.find_growth(0, 200, DAY_NS * 30) is None
    assert ratios.find_growth(100, -1, DAY_NS * 30) is None
    assert ratios.find_growth(1, 10**15, DAY_NS) is None


def test_calmar_is_growth_over_drawdown() -> None:
    assert ratios.find_calmar(0.3, Drawdown(1, 0.15, 1)) == pytest.approx(2.0)
    assert ratios.find_calmar(0.3, Drawdown(0, 0.0, 0)) is None
    assert ratios.find_calmar(None, Drawdown(1, 0.15, 1)) is None


def test_tail_is_the_worst_twentieth_of_the_days() -> None:
    days = [0.01] * 38 + [-0.04, -0.02]
    risk, conditional = ratios.find_tail(days)
    assert risk == pytest.approx(0.02)
    assert conditional == pytest.approx(0.03)
    assert ratios.find_tail(days[:19]) == (None, None)


def test_drawdown_by_hand() -> None:
    times = [day * DAY_NS for day in range(8)]
    # 100 -> 90 is 10 and 10 %; 200 -> 185 is 15 but 7.5 %; under from day 1 to 3 and from 4 on
    fall = ratios.find_drawdown(times, [90, 100, 90, 100, 200, 185, 190, 199])
    assert (fall.amount, fall.longest_ns) == (15, 3 * DAY_NS)
    assert fall.share == pytest.approx(0.10)


def test_a_curve_that_never_falls_has_no_drawdown() -> None:
    assert ratios.find_drawdown([0, 1, 2], [5, 5, 6]) == Drawdown(0, 0.0, 0)
    assert ratios.find_drawdown([], []) == Drawdown(0, 0.0, 0)


def test_the_time_under_a_peak_lasts_to_the_look_that_ends_it() -> None:
    assert ratios.find_drawdown([0, 10, 30], [100, 90, 100]).longest_ns == 30


def test_spans_that_overlap_count_once() -> None:
    assert ratios.measure_union([(0, 10), (5, 12), (20, 21), (6, 7)]) == 13
    assert ratios.measure_union([]) == 0


@given(returns_lists)
def test_sharpe_agrees_with_scipy(returns: list[float]) -> None:
    """The t statistic of a sample is its Sharpe ratio times the root of its length."""
    mine = ratios.find_sharpe(returns)
    assume(mine is not None and np.std(returns) > 1e-6)
    t_value = stats.ttest_1samp(returns, 0.0).statistic
    assert mine == pytest.approx(t_value / math.sqrt(len(returns)) * math.sqrt(252), rel=1e-9)


@given(returns_lists)
def test_probabilistic_sharpe_agrees_with_scipys_moments(returns: list[float]) -> None:
    mine = ratios.find_probabilistic_sharpe(returns)
    assume(mine is not None and np.std(returns) > 1e-6)
    sharpe = np.mean(returns) / np.std(returns, ddof=1)
    skew = stats.skew(returns)
    kurtosis = stats.kurtosis(returns, fisher=False)
    error = math.sqrt(
        (1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (len(returns) - 1)
    )  # fmt: skip
    assert mine == pytest.approx(float(stats.norm.cdf(sharpe / error)), abs=1e-9)


def test_probabilistic_sharpe_of_symmetric_days_is_a_half_at_no_mean() -> None:
    assert ratios.find_probabilistic_sharpe([0.01, -0.01]) == 0.5


def test_probabilistic_sharpe_of_normal_days_follows_the_normal_formula() -> None:
    days = [0.001 + 0.01 * NormalDist().inv_cdf((i + 0.5) / 500) for i in range(500)]
    sharpe = float(np.mean(days) / np.std(days, ddof=1))
    expected = NormalDist().cdf(sharpe * math.sqrt(499) / math.sqrt(1 + sharpe**2 / 2))
    assert ratios.find_probabilistic_sharpe(days) == pytest.approx(expected, abs=2e-3)


@given(returns_lists, st.floats(0.01, 100))
def test_ratios_do_not_depend_on_the_size_of_the_bets(returns: list[float], scale: float) -> None:
    assume(np.std(returns) > 1e-6)
    scaled = [value * scale for value in returns]
    for find in (ratios.find_sharpe, ratios.find_sortino, ratios.find_omega,
                 ratios.find_probabilistic_sharpe):  # fmt: skip
        assert_same(find(scaled), find(returns))


@given(st.lists(money, min_size=2, max_size=50), st.integers(2, 1_000))
def test_trade_ratios_do_not_depend_on_the_currency(profits: list[int], scale: int) -> None:
    mine, scaled = [float(p) for p in profits], [float(p * scale) for p in profits]
    assert_same(ratios.find_quality(scaled), ratios.find_quality(mine))
    assert_same(ratios.find_profit_factor(scaled), ratios.find_profit_factor(mine))


@given(st.lists(st.integers(1_000, 10**7), min_size=1, max_size=60), st.integers(2, 500))
def test_drawdown_scales_with_the_money_and_its_share_does_not(
    equities: list[int], scale: int
) -> None:
    times = list(range(len(equities)))
    small = ratios.find_drawdown(times, equities)
    large = ratios.find_drawdown(times, [value * scale for value in equities])
    assert large.amount == small.amount * scale
    assert large.share == pytest.approx(small.share)
    assert large.longest_ns == small.longest_ns


@given(st.lists(st.integers(1_000, 10**7), min_size=1, max_size=60))
def test_drawdown_agrees_with_numpy(equities: list[int]) -> None:
    values = np.array(equities, dtype=np.int64)
    peaks = np.maximum.accumulate(values)
    fall = ratios.find_drawdown(list(range(len(equities))), equities)
    assert fall.amount == int((peaks - values).max())
    assert fall.share == pytest.approx(float(((peaks - values) / peaks).max()))


@given(st.lists(shares, min_size=20, max_size=80))
def test_the_conditional_loss_is_never_below_the_loss_at_risk(returns: list[float]) -> None:
    risk, conditional = ratios.find_tail(returns)
    assert risk is not None and conditional is not None
    assert conditional >= risk - 1e-12
    worse = sum(-value >= risk for value in returns)
    assert worse >= int(len(returns) * 0.05)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50)), max_size=30))
def test_a_union_is_what_counting_each_instant_gives(spans: list[tuple[int, int]]) -> None:
    pairs = [(start, start + length) for start, length in spans]
    instants = {t for start, end in pairs for t in range(start, end)}
    assert ratios.measure_union(pairs) == len(instants)
