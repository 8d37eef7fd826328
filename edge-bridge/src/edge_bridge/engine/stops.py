"""Where a stop belongs, and how much of a position goes early: pure, in points and hundredths.

A stop is only ever moved towards the price, and never nearer to it than the broker allows.
"""

from typing import NamedTuple

from contracts.trading_limits import ExitPlan
from edge_bridge.engine.desk import MoveReason
from edge_bridge.ports import Instrument, Position, Quote


class Move(NamedTuple):
    """A stop that is better than the one there is."""

    stop_loss: int
    reason: MoveReason


def measure_profit(position: Position, quote: Quote) -> int:
    """Points gained if the position were closed now; below zero for a loss."""
    if position.side == "buy":
        return quote.bid - position.price_open
    return position.price_open - quote.ask


def plan_stop(position: Position, quote: Quote, plan: ExitPlan, rules: Instrument) -> Move | None:
    """The tightest stop that the plan asks for and the broker takes; None when none is better."""
    sign = 1 if position.side == "buy" else -1
    price = quote.bid if sign > 0 else quote.ask
    profit = measure_profit(position, quote)
    moves: list[Move] = []
    if plan.break_even_at and profit >= plan.break_even_at:
        moves.append(Move(position.price_open + sign * plan.break_even_offset, "break_even"))
    if plan.trailing_distance and profit >= plan.trailing_start:
        distance = max(plan.trailing_distance, rules.stops_level)
        moves.append(Move(price - sign * distance, "trailing"))
    best: Move | None = None
    for wanted, reason in moves:
        stop = _round_back(wanted, rules.tick_size, sign)
        step = plan.trailing_step if reason == "trailing" else 1
        gained = sign * (stop - position.stop_loss) if position.stop_loss else step
        far_enough = sign * (price - stop) >= max(rules.stops_level, 1)
        if stop <= 0 or gained < step or not far_enough:
            continue
        if best is None or sign * (stop - best.stop_loss) > 0:
            best = Move(stop, reason)
    return best


def _round_back(stop: int, tick_size: int, sign: int) -> int:
    """To a price the symbol has, on the side away from the market."""
    return stop - stop % tick_size if sign > 0 else -(-stop // tick_size) * tick_size


def is_frozen(position: Position, quote: Quote, freeze_level: int) -> bool:
    """Whether the broker lets nobody touch the position: its stop or target is about to act."""
    if not freeze_level:
        return False
    price = quote.bid if position.side == "buy" else quote.ask
    near = (each for each in (position.stop_loss, position.take_profit) if each)
    return any(abs(price - each) <= freeze_level for each in near)


def plan_part(position: Position, quote: Quote, plan: ExitPlan, rules: Instrument) -> int:
    """Volume to close early; 0 when it is not time, or what is closed or left were too small."""
    if not plan.partial_close_at or measure_profit(position, quote) < plan.partial_close_at:
        return 0
    part = position.volume * plan.partial_close_bp // 10_000
    part -= part % rules.volume_step
    if part < rules.volume_min or position.volume - part < rules.volume_min:
        return 0
    return part
