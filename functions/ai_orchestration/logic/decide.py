"""One bar, one decision: a pure function of the bars, the model and the views, to the bit.

The model gives direction and probability. Views of agents can only shrink the size, or stop the
trade: a veto, or confident disagreement of several with the direction.
"""

from math import ceil, exp, log, sqrt
from operator import attrgetter
from typing import TYPE_CHECKING

from contracts.ai_orchestration import AbstentionReason, Direction
from contracts.data_bridge import TIMEFRAME_SECONDS
from functions.ai_orchestration.models import (
    Decision,
    Outcome,
    ServedModel,
    View,
)
from kit.feature_set import COLUMNS, WINDOW

if TYPE_CHECKING:
    from uuid import UUID

    from contracts.data_bridge import BarClosed

STOP_RANGES = 1.5
TARGET_RANGES = 2.0
MIN_STOP_POINTS = 50
STOP_SPREADS = 3
MAX_DISAGREEMENT = 1.0
"""Confidence against the direction, less confidence for it, from which nothing is traded: more
than one agent can have, so that no single one overrules the model without a veto."""
_LOGIT_BOUND = 1e-6
_OPPOSITE = {"buy": "bearish", "sell": "bullish"}
_SAME = {"buy": "bullish", "sell": "bearish"}


_SPREAD = COLUMNS.index("spread")
_read_bar = attrgetter(*COLUMNS)


def take_bars(event: "BarClosed") -> tuple[tuple[int, ...], ...]:
    """The bars a decision looks at: the window's last, the judged bar at the end."""
    return (*map(_read_bar, event.history[-(WINDOW - 1) :]), _read_bar(event.bar))


def decide(
    *,
    bar_id: "UUID",
    symbol: str,
    timeframe: str,
    bars: tuple[tuple[int, ...], ...],
    model: ServedModel | None,
    any_model: bool,
    views: tuple[View, ...],
) -> Decision:
    """Judge the last bar. The same arguments give the same decision, to the bit."""
    features, outcome = _judge(timeframe, bars, model, any_model, views)
    return Decision(
        bar_id=bar_id,
        symbol=symbol,
        timeframe=timeframe,
        bars=bars,
        any_model=any_model,
        model_version=model.version if model else None,
        model_sha256=model.sha256 if model else None,
        card_sha256=model.card_sha256 if model else None,
        views=views,
        features=features,
        outcome=outcome,
    )


def replay_decision(trace: Decision, model: ServedModel | None) -> Decision:
    """Decide again from a trace's inputs; ``model`` is the one with the trace's hash."""
    return decide(
        bar_id=trace.bar_id,
        symbol=trace.symbol,
        timeframe=trace.timeframe,
        bars=trace.bars,
        model=model,
        any_model=trace.any_model,
        views=trace.views,
    )


def _judge(
    timeframe: str,
    bars: tuple[tuple[int, ...], ...],
    model: ServedModel | None,
    any_model: bool,
    views: tuple[View, ...],
) -> tuple[tuple[float, ...] | None, Outcome]:
    if model is None:
        return None, Outcome(reason="symbol_not_modelled" if any_model else "no_model")
    from kit.features import GapInBars, NotEnoughBars, compute_window

    step_s = TIMEFRAME_SECONDS[timeframe]
    row = compute_window(bars, step_s=step_s)
    if isinstance(row, NotEnoughBars):
        return None, Outcome(reason="warmup")
    if isinstance(row, GapInBars):
        return None, Outcome(reason="gap_in_bars")
    features = tuple(row.values[0].tolist())
    raw = model.predict(row.values)
    probability = calibrate(raw, model.slope, model.intercept)
    if abs(probability - 0.5) < model.min_edge or probability == 0.5:
        return features, Outcome(
            reason="edge_below_cost", raw_probability=raw, probability=probability
        )
    direction: Direction = "buy" if probability > 0.5 else "sell"
    size_factor, reason = weigh_views(direction, views)
    if reason is not None:
        return features, Outcome(reason=reason, raw_probability=raw, probability=probability)
    stop, target = place_exits(row.atr_points, model.horizon_bars, bars[-1][_SPREAD])
    return features, Outcome(
        raw_probability=raw,
        probability=probability,
        direction=direction,
        size_factor=size_factor,
        stop_distance=stop,
        target_distance=target,
        horizon_s=model.horizon_bars * step_s,
    )


def calibrate(raw: float, slope: float, intercept: float) -> float:
    """Platt's sigmoid over the raw log odds."""
    inside = min(max(raw, _LOGIT_BOUND), 1 - _LOGIT_BOUND)
    return 1 / (1 + exp(-(slope * log(inside / (1 - inside)) + intercept)))


def weigh_views(
    direction: Direction, views: tuple[View, ...]
) -> tuple[float, AbstentionReason | None]:
    """The size factor of the most careful agent, or why there is no trade.

    An agent against the direction takes up to half of the size, by its confidence.
    """
    size_factor, against = 1.0, 0.0
    for view in views:
        if view.veto or view.size_factor <= 0:
            return 0.0, "vetoed"
        size_factor = min(size_factor, view.size_factor)
        if view.stance == _OPPOSITE[direction]:
            against += view.confidence
            size_factor = min(size_factor, 1 - view.confidence / 2)
        elif view.stance == _SAME[direction]:
            against -= view.confidence
    return size_factor, "views_disagree" if against >= MAX_DISAGREEMENT else None


def place_exits(atr_points: float, horizon_bars: int, spread: int) -> tuple[int, int]:
    """Stop and target distances in points: ranges of the horizon, which grow with its root."""
    reach = atr_points * sqrt(horizon_bars)
    stop = max(ceil(STOP_RANGES * reach), MIN_STOP_POINTS, STOP_SPREADS * spread)
    return stop, max(ceil(TARGET_RANGES * reach), stop)
