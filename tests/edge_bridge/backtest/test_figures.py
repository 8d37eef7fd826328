"""Figures of small runs worked out by hand: days, costs, trades, exposure."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from edge_bridge.backtest.bars import BarMarket
from edge_bridge.backtest.config import parse_config
from edge_bridge.backtest.figures import Metrics, find_figures, measure, split_days
from edge_bridge.backtest.run import Backtest, Sample
from edge_bridge.backtest.trades import Trade
from edge_bridge.bridge.bars import MINUTE_NS

HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
MONDAY_NS = 1_399_845_600_000_000_000
"""Sunday 2014-05-11 22:00 UTC: an hour after the broker's Monday began."""
TRADE = Trade(
    order_id=UUID(int=1), position=1, direction="buy", volume=10, opened_ns=MONDAY_NS,
    closed_ns=MONDAY_NS + HOUR_NS, price_open=137_000, price_close=137_100, stop_loss=136_900,
    take_profit=137_200, reason="horizon", profit=1_000, commission=70, swap=-5, spread_cost=100,
    adverse=20, favourable=110,
)  # fmt: skip


def sample(hours: int, equity: int) -> Sample:
    return Sample(MONDAY_NS + hours * HOUR_NS, equity, equity, 0, 0)


def trade(hours: int, profit: int, minutes: int = 60) -> Trade:
    opened = MONDAY_NS + hours * HOUR_NS
    return replace(TRADE, opened_ns=opened, closed_ns=opened + minutes * MINUTE_NS, profit=profit)


def test_days_are_the_brokers_and_quiet_ones_keep_their_equity() -> None:
    prices = np.array([MONDAY_NS + day * DAY_NS for day in range(4)], dtype=np.int64)
    curve = [sample(0, 10_000), sample(3, 10_500), sample(25, 10_400), sample(73, 10_700)]
    days = split_days(curve, prices, [trade(1, 500), trade(24, -100), trade(72, 300)])
    told = [(day.date, day.equity, day.profit, day.trades) for day in days]
    assert told == [
        ("2014-05-12", 10_500, 500, 1),
        ("2014-05-13", 10_400, -100, 1),
        ("2014-05-14", 10_400, 0, 0),
        ("2014-05-15", 10_700, 300, 1),
    ]


def test_what_comes_after_the_last_price_belongs_to_its_day() -> None:
    prices = np.array([MONDAY_NS], dtype=np.int64)
    days = split_days([sample(0, 100), sample(1, 110), sample(30, 130)], prices, [])
    assert [(day.equity, day.profit) for day in days] == [(130, 30)]


def test_every_figure_of_three_trades() -> None:
    curve = [sample(0, 10_000), sample(2, 10_300), sample(26, 10_100), sample(50, 10_600)]
    prices = np.array([MONDAY_NS + day * DAY_NS for day in range(3)], dtype=np.int64)
    trades = [trade(1, 300), trade(25, -200, 30), trade(49, 500, 30)]
    days = split_days(curve, prices, trades)
    found = measure(curve, days, trades, 100 * HOUR_NS)
    assert found.net_profit == 600
    assert found.total_return == pytest.approx(0.06)
    assert found.win_rate == pytest.approx(2 / 3)
    assert found.expectancy == pytest.approx(200.0)
    assert (found.average_win, found.average_loss) == (400.0, -200.0)
    assert (found.best_trade, found.worst_trade) == (500, -200)
    assert found.profit_factor == pytest.approx(4.0)
    assert found.drawdown_amount == 200
    assert found.drawdown_share == pytest.approx(200 / 10_300)
    assert found.drawdown_days == pytest.approx(2.0)
    assert found.exposure == pytest.approx(0.02)
    assert found.average_minutes == pytest.approx(40.0)
    assert (found.commission, found.swap, found.spread_cost) == (210, -15, 300)
    assert (found.average_adverse, found.average_favourable) == (20.0, 110.0)
    returns = np.array([300 / 10_000, -200 / 10_300, 500 / 10_100])
    sharpe = returns.mean() / returns.std(ddof=1) * np.sqrt(252)
    assert found.sharpe == pytest.approx(float(sharpe))
    assert found.omega == pytest.approx((returns[0] + returns[2]) / -returns[1])
    assert found.value_at_risk is None


def test_without_trades_figures_have_no_value_rather_than_zero() -> None:
    found = measure([sample(0, 100), sample(1, 100)], [], [], HOUR_NS)
    empty = {name for name in Metrics.__dataclass_fields__ if getattr(found, name) is None}
    assert empty >= {"win_rate", "expectancy", "sharpe", "profit_factor", "quality", "best_trade"}
    assert (found.trades, found.net_profit, found.exposure) == (0, 0, 0.0)


def test_costs_of_a_trade_in_a_still_market_are_all_it_lost() -> None:
    """Bids rise once, so that the averages cross, and then stand still for the rest."""
    bids = [137_000] * 12 + [137_010] * 30
    times = MONDAY_NS + np.arange(len(bids), dtype=np.int64) * MINUTE_NS
    column = np.array(bids, dtype=np.int64)
    market = BarMarket("EURUSD", 5, (times, column, column, column, column), 10)
    config = parse_config(
        {
            "account": {"balance": 100_000, "commission_per_lot": 4},
            "symbol": {"name": "EURUSD"},
            "signals": {
                "kind": "ema_cross", "fast": 2, "slow": 8,
                "stop": 400, "target": 400, "horizon_s": 600,
            },
        }
    )  # fmt: skip
    figures = find_figures(Backtest(market, config).run(), config)
    assert len(figures.trades) == 1
    only = figures.trades[0]
    # 10 points on a lot of 100,000 euros are 10 dollars; commission is 4 dollars a lot and side
    assert only.spread_cost == 10 * only.volume
    assert only.commission == 8 * only.volume
    assert only.profit == -18 * only.volume == figures.metrics.net_profit
    assert (only.adverse, only.favourable, only.reason) == (10, 0, "horizon")


def test_a_yen_pair_is_accounted_in_dollars() -> None:
    bids = [100_000] * 12 + [100_050] * 30
    times = MONDAY_NS + np.arange(len(bids), dtype=np.int64) * MINUTE_NS
    column = np.array(bids, dtype=np.int64)
    market = BarMarket("USDJPY", 3, (times, column, column, column, column), 10)
    signals = {"kind": "ema_cross", "fast": 2, "slow": 8, "stop": 400, "target": 400}
    config = parse_config(
        {"account": {"balance": 100_000}, "symbol": {"name": "USDJPY"}, "signals": signals}
    )
    only = find_figures(Backtest(market, config).run(), config).trades[0]
    # 10 points of 0.001 yen on a hundredth of a lot are 10 yen, at 100.05 yen a dollar
    expected = 10 * only.volume / 100.050 * 100
    assert only.spread_cost == pytest.approx(expected, abs=1)
    assert -only.profit == pytest.approx(expected, abs=1)
