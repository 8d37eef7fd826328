"""Whatever the method: within the risk, rounded down, never larger for less money or more risk."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.engine.sizing import (
    PPM,
    SizeRule,
    Stake,
    measure_margin,
    measure_notional,
    read_contract,
    size_position,
    to_ppm,
)
from tests.edge_bridge.risk_kit import make_contract, make_instrument

METHODS = ("fixed_lot", "fixed_risk", "volatility_target", "kelly", "account_ratio")
STAKE = Stake(
    equity=1_000_000, price=137_010, stop_distance=200, target_distance=300, factor_ppm=PPM,
    win_ppm=600_000, volatility_ppm=80_000, leverage=100,
)  # fmt: skip

rules = st.builds(
    SizeRule, method=st.sampled_from(METHODS), cap_bp=st.integers(1, 500),
    risk_bp=st.integers(1, 500), lot=st.integers(1, 100_000),
    volatility_bp=st.integers(10, 10_000), kelly_bp=st.integers(1, 10_000),
    kelly_cap_bp=st.integers(1, 500), ratio_ppm=st.integers(1, 10_000_000),
)  # fmt: skip
stakes = st.builds(
    Stake, equity=st.integers(-10_000, 10**12), price=st.integers(1, 10**7),
    stop_distance=st.integers(1, 50_000), target_distance=st.integers(1, 50_000),
    factor_ppm=st.integers(0, PPM), win_ppm=st.integers(0, PPM),
    volatility_ppm=st.integers(1, 3_000_000), leverage=st.integers(1, 1_000),
)  # fmt: skip
contracts = st.builds(
    lambda tick, margin, step, steps: make_contract(
        tick_value=tick, margin_per_lot=margin, volume_step=step, volume_min=step * steps
    ),
    st.decimals("0.0001", "100", places=4), st.decimals("0", "10000", places=2),
    st.sampled_from((1, 5, 10, 100)), st.integers(1, 3),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(rule=rules, stake=stakes, contract=contracts)
def test_the_loss_at_the_stop_stays_within_the_risk_and_the_volume_can_be_traded(
    rule: SizeRule, stake: Stake, contract: Any
) -> None:
    volume = size_position(rule, stake, contract)
    assert volume is not None
    broker = contract.instrument
    assert volume % broker.volume_step == 0
    assert volume == 0 or broker.volume_min <= volume <= broker.volume_max
    # A hundredth of a lot loses tick value a point; of currency a lot that is minor units.
    loss = volume * stake.stop_distance * Fraction(broker.tick_value)
    share = Fraction(rule.cap_bp, 10_000)
    if rule.method == "fixed_risk":
        share = min(share, Fraction(rule.risk_bp, 10_000)) * Fraction(stake.factor_ppm, PPM)
    if rule.method == "kelly":
        share = min(share, Fraction(rule.kelly_cap_bp, 10_000) * Fraction(stake.factor_ppm, PPM))
        win = Fraction(stake.win_ppm, PPM)
        edge = win - (1 - win) * Fraction(stake.stop_distance, stake.target_distance)
        share = min(share, max(edge, Fraction(0)) * rule.kelly_bp / 10_000)
    assert loss <= max(0, stake.equity) * share
    if rule.method == "volatility_target":
        worth = volume * stake.price * Fraction(broker.tick_value)
        swing = worth * Fraction(stake.volatility_ppm or 0, PPM)
        assert swing <= max(0, stake.equity) * Fraction(rule.volatility_bp, 10_000)
    if rule.method == "fixed_lot":
        assert volume <= rule.lot


@settings(max_examples=400, deadline=None)
@given(rule=rules, stake=stakes, contract=contracts, more=st.integers(1, 10**9), data=st.data())
def test_more_equity_is_never_smaller_and_more_risk_never_larger(
    rule: SizeRule, stake: Stake, contract: Any, more: int, data: Any
) -> None:
    volume = size_position(rule, stake, contract)
    assert volume is not None
    richer = size_position(rule, replace(stake, equity=stake.equity + more), contract)
    assert richer is not None and richer >= volume
    factor = data.draw(st.integers(0, stake.factor_ppm))
    for riskier in (
        replace(stake, stop_distance=stake.stop_distance + more % 50_000),
        replace(stake, factor_ppm=factor),
        replace(stake, win_ppm=stake.win_ppm // 2),
        replace(stake, volatility_ppm=(stake.volatility_ppm or 0) + more),
    ):
        smaller = size_position(rule, riskier, contract)
        assert smaller is not None and smaller <= volume


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SizeRule("fixed_risk", cap_bp=50, risk_bp=50), 25),
        (SizeRule("fixed_risk", cap_bp=20, risk_bp=50), 10),
        (SizeRule("fixed_lot", lot=7), 7),
        (SizeRule("fixed_lot", lot=70), 25),
        (SizeRule("account_ratio", ratio_ppm=12), 12),
        (SizeRule("volatility_target", cap_bp=500, volatility_bp=1_000), 9),
        # p - (1 - p) x stop / target = 1/3; a quarter of it is above the cap of 1 %.
        (SizeRule("kelly", cap_bp=500, kelly_cap_bp=100), 50),
        (SizeRule("kelly", cap_bp=500, kelly_bp=200, kelly_cap_bp=500), 33),
    ],
)
def test_each_method_gives_what_a_hand_calculation_gives(rule: SizeRule, expected: int) -> None:
    assert size_position(rule, STAKE, make_contract()) == expected


def test_without_an_edge_kelly_takes_nothing() -> None:
    for win_ppm in (0, 400_000):
        stake = replace(STAKE, win_ppm=win_ppm)
        assert size_position(SizeRule("kelly"), stake, make_contract()) == 0
    assert size_position(SizeRule("kelly", cap_bp=500, kelly_bp=10_000),
                         replace(STAKE, win_ppm=410_000), make_contract())  # fmt: skip


def test_a_volatility_that_is_not_known_gives_no_size_where_it_is_needed() -> None:
    unknown = replace(STAKE, volatility_ppm=None)
    assert size_position(SizeRule("volatility_target"), unknown, make_contract()) is None
    assert size_position(SizeRule("fixed_risk"), unknown, make_contract()) == 25


def test_a_broker_with_a_larger_step_gets_a_smaller_volume_and_one_below_its_least_none() -> None:
    rule = SizeRule("fixed_lot", lot=19)
    assert size_position(rule, STAKE, make_contract(volume_step=10, volume_min=10)) == 10
    assert size_position(rule, STAKE, make_contract(volume_min=20)) == 0
    assert size_position(rule, STAKE, make_contract(volume_max=5)) == 5


def test_worth_and_margin_are_rounded_up_and_the_larger_of_two_prices_counts() -> None:
    contract = read_contract(make_instrument(margin_per_lot=Decimal("100.001")), 2)
    assert measure_margin(1, contract) == 101
    assert measure_notional(1, 137_010, 100, contract) == 137_010
    assert measure_notional(1, 1, 100, contract) == 10_001


def test_a_share_is_read_in_millionths_rounded_down() -> None:
    assert [to_ppm(share) for share in (1.0, 0.5, 1e-7, 0.0, -1.0, 1.5)] == [
        PPM,
        500_000,
        0,
        0,
        0,
        0,
    ]
    assert to_ppm(float("nan")) == 0
