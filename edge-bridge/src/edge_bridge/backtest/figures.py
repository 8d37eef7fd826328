"""A run's figures: from its trades and its equity to every number of the report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.backtest import ratios
from edge_bridge.backtest.config import BacktestConfig
from edge_bridge.backtest.run import Played, Sample
from edge_bridge.backtest.trades import Trade, collect_trades, count_denials, count_rejections
from edge_bridge.bridge.ticks import Int64s

HOUR_NS = 3_600_000_000_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day of the broker. Money in cents."""

    date: str
    equity: int
    """At its end."""
    profit: int
    """Change of equity since the end of the day before."""
    trades: int
    """Closed in it."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every figure; shares are of 1, money is in cents, None says that there is no value."""

    balance_start: int
    balance_end: int
    net_profit: int
    total_return: float
    yearly_growth: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    probabilistic_sharpe: float | None
    omega: float | None
    value_at_risk: float | None
    conditional_value_at_risk: float | None
    drawdown_amount: int
    drawdown_share: float
    drawdown_days: float
    trades: int
    win_rate: float | None
    expectancy: float | None
    average_win: float | None
    average_loss: float | None
    best_trade: int | None
    worst_trade: int | None
    profit_factor: float | None
    quality: float | None
    average_adverse: float | None
    average_favourable: float | None
    average_minutes: float | None
    exposure: float
    commission: int
    swap: int
    spread_cost: int
    days: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the report shows."""

    metrics: Metrics
    trades: list[Trade]
    days: list[Day]
    curve: list[Sample]
    closed_for: dict[str, int]
    denials: dict[str, int]
    rejections: dict[str, int]

    def as_plain(self) -> dict[str, Any]:
        """As JSON takes it, without the curve."""
        return {
            "metrics": asdict(self.metrics),
            "closed_for": self.closed_for,
            "denials": self.denials,
            "rejections": self.rejections,
            "days": [asdict(day) for day in self.days],
            "trades": [{**asdict(each), "order_id": str(each.order_id)} for each in self.trades],
        }


def find_figures(played: Played, config: BacktestConfig) -> Figures:
    """Work out everything that the report shows."""
    trades = collect_trades(played, config)
    start = int(config.account.balance * 100)
    opening = Sample(played.first_ns, start, start, 0, 0)
    curve = [opening, *played.samples]
    days = split_days(curve, played.market.quotes()[0], trades)
    closed_for = Counter(trade.reason for trade in trades)
    return Figures(
        metrics=measure(curve, days, trades, played.last_ns - played.first_ns),
        trades=trades,
        days=days,
        curve=curve,
        closed_for=dict(closed_for.most_common()),
        denials=count_denials(played),
        rejections=count_rejections(played),
    )


def measure(
    curve: Sequence[Sample], days: Sequence[Day], trades: Sequence[Trade], span_ns: int
) -> Metrics:
    """Every figure; ``curve`` begins with the deposit, ``span_ns`` is the data's length."""
    first, last = curve[0], curve[-1]
    returns = ratios.find_returns([first.equity, *(day.equity for day in days)])
    drawdown = ratios.find_drawdown(
        [each.time_ns for each in curve], [each.equity for each in curve]
    )
    growth = ratios.find_growth(first.equity, last.equity, span_ns)
    risk, conditional = ratios.find_tail(returns)
    profits = [trade.profit for trade in trades]
    wins = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    held = ratios.measure_union([(each.opened_ns, each.closed_ns) for each in trades])
    return Metrics(
        balance_start=first.balance,
        balance_end=last.balance,
        net_profit=last.equity - first.equity,
        total_return=last.equity / first.equity - 1.0,
        yearly_growth=growth,
        sharpe=ratios.find_sharpe(returns),
        sortino=ratios.find_sortino(returns),
        calmar=ratios.find_calmar(growth, drawdown),
        probabilistic_sharpe=ratios.find_probabilistic_sharpe(returns),
        omega=ratios.find_omega(returns),
        value_at_risk=risk,
        conditional_value_at_risk=conditional,
        drawdown_amount=drawdown.amount,
        drawdown_share=drawdown.share,
        drawdown_days=drawdown.longest_ns / (DAY_S * 1e9),
        trades=len(trades),
        win_rate=len(wins) / len(trades) if trades else None,
        expectancy=_mean(profits),
        average_win=_mean(wins),
        average_loss=_mean(losses),
        best_trade=max(profits, default=None),
        worst_trade=min(profits, default=None),
        profit_factor=ratios.find_profit_factor(profits),
        quality=ratios.find_quality(profits),
        average_adverse=_mean([trade.adverse for trade in trades]),
        average_favourable=_mean([trade.favourable for trade in trades]),
        average_minutes=_mean([(t.closed_ns - t.opened_ns) / 60e9 for t in trades]),
        exposure=min(1.0, held / span_ns) if span_ns > 0 else 0.0,
        commission=sum(trade.commission for trade in trades),
        swap=sum(trade.swap for trade in trades),
        spread_cost=sum(trade.spread_cost for trade in trades),
        days=len(days),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def split_days(
    curve: Sequence[Sample],
    ts_ns: Int64s,
    trades: Sequence[Trade],
    clock: BrokerClock | None = None,
) -> list[Day]:
    """The broker's trading days that had a price: its day ends at 17:00 in New York.

    A day without a look at the account keeps the equity of the day before.
    """
    clock = clock or BrokerClock()
    hours = np.unique(ts_ns // HOUR_NS).tolist()
    numbers = sorted({_number_day(hour * HOUR_NS, clock) for hour in hours})
    equities: dict[int, int] = {}
    for sample in curve:
        equities[_number_day(sample.time_ns, clock)] = sample.equity
    closed = Counter(_number_day(trade.closed_ns, clock) for trade in trades)
    known, seen = sorted(equities), 0
    equity = before = curve[0].equity
    days: list[Day] = []
    for place, number in enumerate(numbers):
        final = place == len(numbers) - 1  # what comes after the last price belongs to its day
        while seen < len(known) and (known[seen] <= number or final):
            equity = equities[known[seen]]
            seen += 1
        date = str(np.datetime64(number, "D"))
        days.append(Day(date, equity, equity - before, closed[number]))
        before = equity
    return days


def _number_day(time_ns: int, clock: BrokerClock) -> int:
    return clock.to_broker_ms(time_ns) // (DAY_S * 1000)
