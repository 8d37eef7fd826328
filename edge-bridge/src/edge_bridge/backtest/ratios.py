"""Pure arithmetic of a backtest's figures; each says its definition and when it has no value.

Returns are simple daily returns of equity on the broker's trading days; the risk-free rate is 0.
Yearly figures count 252 days. A figure that the data cannot give is None, never 0 or infinity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import NormalDist, fmean

DAYS_A_YEAR = 252
TAIL = 0.05
TAIL_DAYS_MIN = 20
"""With fewer days, the worst twentieth of them is less than one day."""
YEAR_NS = 365.25 * 86_400 * 1e9


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Falls of equity from its highest value so far. Money in the unit of the equity."""

    amount: int
    """The largest fall."""
    share: float
    """The largest fall over the peak that it began at; another fall may be the largest amount."""
    longest_ns: int
    """The longest time from a peak to the first equity at or above it, or to the end."""


def find_returns(equities: Sequence[int]) -> list[float]:
    """Simple returns from each value to the next; they end where nothing is left to lose."""
    returns: list[float] = []
    for before, after in pairwise(equities):
        if before <= 0:
            break
        returns.append(after / before - 1.0)
    return returns


def find_sharpe(returns: Sequence[float]) -> float | None:
    """Mean over sample deviation (n - 1), a year. None below two days or without deviation."""
    daily = _find_daily_sharpe(returns)
    return None if daily is None else daily * sqrt(DAYS_A_YEAR)


def _find_daily_sharpe(returns: Sequence[float]) -> float | None:
    if len(returns) < 2:
        return None
    deviation = _deviate(returns)
    return None if deviation is None else fmean(returns) / deviation


def _deviate(values: Sequence[float]) -> float | None:
    """The sample deviation; None where the values are equal up to rounding."""
    mean = fmean(values)
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    largest = max(abs(value) for value in values)
    return deviation if deviation > 1e-12 * largest else None


def find_sortino(returns: Sequence[float]) -> float | None:
    """Mean over the root mean square of the losing days (winning ones count as 0), a year.

    None below two days or without a losing day.
    """
    if len(returns) < 2:
        return None
    downside = sqrt(fmean([min(value, 0.0) ** 2 for value in returns]))
    return fmean(returns) / downside * sqrt(DAYS_A_YEAR) if downside > 0 else None


def find_growth(first: int, last: int, span_ns: int) -> float | None:
    """Yearly compound growth (CAGR). None without capital, at a total loss, or below one day."""
    if first <= 0 or last <= 0 or span_ns < YEAR_NS / 365.25:
        return None
    try:
        return float((last / first) ** (YEAR_NS / span_ns) - 1.0)
    except OverflowError:  # a short span that doubled: a yearly figure means nothing
        return None


def find_calmar(growth: float | None, drawdown: Drawdown) -> float | None:
    """Yearly growth over the largest relative drawdown. None without either."""
    return None if growth is None or drawdown.share <= 0 else growth / drawdown.share


def find_probabilistic_sharpe(returns: Sequence[float]) -> float | None:
    """The probability that the true Sharpe ratio is above 0, given skew and kurtosis.

    Bailey and Lopez de Prado (2012), on daily figures: the normal distribution at
    SR sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2). None where Sharpe is.
    """
    sharpe = _find_daily_sharpe(returns)
    if sharpe is None:
        return None
    mean = fmean(returns)
    second, third, fourth = (fmean([(r - mean) ** power for r in returns]) for power in (2, 3, 4))
    skew, kurtosis = third / second**1.5, fourth / second**2
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if spread <= 0:
        return None
    return NormalDist().cdf(sharpe * sqrt(len(returns) - 1) / sqrt(spread))


def find_tail(returns: Sequence[float]) -> tuple[float | None, float | None]:
    """Value at risk and its conditional, 95 %, one day, from the days themselves.

    The loss (a share of equity, positive) of the best day among the worst twentieth, and the mean
    loss of that twentieth. None below 20 days.
    """
    if len(returns) < TAIL_DAYS_MIN:
        return None, None
    worst = sorted(returns)[: int(len(returns) * TAIL)]
    return -worst[-1], -fmean(worst)


def find_omega(returns: Sequence[float]) -> float | None:
    """Sum of winning days' returns over the sum of losing days'. None without a losing day."""
    lost = -sum(value for value in returns if value < 0)
    return sum(value for value in returns if value > 0) / lost if lost > 0 else None


def find_quality(profits: Sequence[float]) -> float | None:
    """System quality number: sqrt(n) x mean over sample deviation of the trades' net profits.

    None below two trades or without deviation.
    """
    if len(profits) < 2:
        return None
    deviation = _deviate(profits)
    return None if deviation is None else sqrt(len(profits)) * fmean(profits) / deviation


def find_profit_factor(profits: Sequence[float]) -> float | None:
    """Gross profit over gross loss of the trades, costs included. None without a loss."""
    lost = -sum(value for value in profits if value < 0)
    return sum(value for value in profits if value > 0) / lost if lost > 0 else None


def find_drawdown(times_ns: Sequence[int], equities: Sequence[int]) -> Drawdown:
    """The largest falls and the longest time under a peak; zeros when equity never fell."""
    amount, share, longest = 0, 0.0, 0
    if not equities:
        return Drawdown(0, 0.0, 0)
    peak, peak_ns, under = equities[0], times_ns[0], False
    for time_ns, equity in zip(times_ns, equities, strict=True):
        if under:
            longest = max(longest, time_ns - peak_ns)
        if equity >= peak:
            peak, peak_ns, under = equity, time_ns, False
            continue
        under = True
        amount = max(amount, peak - equity)
        if peak > 0:
            share = max(share, (peak - equity) / peak)
    return Drawdown(amount, share, longest)


def measure_union(spans: Sequence[tuple[int, int]]) -> int:
    """How long at least one of some spans (start, end) lasted."""
    total, covered = 0, None
    for start, end in sorted(spans):
        begin = start if covered is None else max(start, covered)
        total += max(0, end - begin)
        covered = end if covered is None else max(end, covered)
    return total
