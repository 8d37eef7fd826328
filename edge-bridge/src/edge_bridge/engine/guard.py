"""What an account has lost since when, and what that latches. Pure; survives a restart.

Days, weeks (from Monday) and months are the tenant's local ones and only move forward, so that
neither a clock that steps back nor another time zone gives back a loss that was already counted.
A loss limit stays latched until its period ends; a drawdown until a human resumes the account.
"""

from typing import Literal

from pydantic import Field

from contracts.envelope import Contract
from contracts.trading_limits import LossPeriod
from contracts.trading_reasons import CloseReason, DenialReason
from edge_bridge.engine.calendar import Periods
from edge_bridge.engine.limits import Limits, LossRule
from edge_bridge.ports import AccountState

BP = 10_000
SYMBOLS_KEPT = 200
KillReason = Literal["drawdown", "manual"]
_NAMES: dict[LossPeriod, DenialReason] = {
    "day": "daily_loss_limit",
    "week": "weekly_loss_limit",
    "month": "monthly_loss_limit",
}


class PeriodMark(Contract):
    """What a period began with."""

    begins: str
    """Its first local date."""
    balance: int
    equity: int
    halted: bool = False
    """A loss limit of the period was hit."""
    flat: bool = False
    """One of those says that positions are closed."""


class Guard(Contract):
    """What an account's loss limits are measured from."""

    periods: dict[LossPeriod, PeriodMark] = Field(default_factory=dict)
    peak_equity: int | None = None
    killed: KillReason | None = None
    stopped_ns: dict[str, int] = Field(default_factory=dict)
    """When the last stop loss of each symbol was hit."""
    losses_in_row: int = 0
    lost_ns: int | None = None
    """When the last of them was closed."""

    def wants_flat(self) -> CloseReason | None:
        """Why every position of the account is to be closed; None when it is not."""
        if self.killed == "drawdown":
            return "kill_switch"
        return "loss_limit" if any(mark.flat for mark in self.periods.values()) else None


def measure_guard(guard: Guard, state: AccountState, limits: Limits, periods: Periods) -> Guard:
    """The guard after a reading of the account; the same object when nothing changed."""
    changes: dict[str, object] = {}
    marks = _measure_periods(guard, state, limits, periods)
    if any(guard.periods.get(period) is not mark for period, mark in marks.items()):
        changes["periods"] = marks
    peak = max(state.equity, guard.peak_equity or 0)
    if peak != guard.peak_equity:
        changes["peak_equity"] = peak
    if guard.killed is None and is_drawn_down(peak, state.equity, limits.drawdown_max_bp):
        changes["killed"] = "drawdown"
    return guard.model_copy(update=changes) if changes else guard


def _measure_periods(
    guard: Guard, state: AccountState, limits: Limits, periods: Periods
) -> dict[LossPeriod, PeriodMark]:
    known = guard.periods
    marks: dict[LossPeriod, PeriodMark] = {}
    begun: tuple[tuple[LossPeriod, str], ...] = (
        ("day", periods.day), ("week", periods.week), ("month", periods.month),
    )  # fmt: skip
    for period, begins in begun:
        mark = known.get(period)
        if mark is None or begins > mark.begins:
            mark = PeriodMark(begins=begins, balance=state.balance, equity=state.equity)
        hit = [e for e in limits.losses if e.period == period and is_lost(e, mark, state)]
        if hit:
            halted, flat = True, mark.flat or any(rule.close for rule in hit)
            if (halted, flat) != (mark.halted, mark.flat):
                mark = mark.model_copy(update={"halted": halted, "flat": flat})
        marks[period] = mark
    return marks


def is_lost(rule: LossRule, mark: PeriodMark, state: AccountState) -> bool:
    """Tell whether an account has lost as much in a period as a rule allows."""
    if rule.basis == "equity":
        began, now = mark.equity, state.equity
    else:
        began, now = mark.balance, state.balance
    return (began - now) * BP >= began * rule.max_bp


def is_drawn_down(peak: int, equity: int, max_bp: int) -> bool:
    """Tell whether equity has fallen too far from its peak."""
    return (peak - equity) * BP >= peak * max_bp


def find_loss(
    guard: Guard, state: AccountState, limits: Limits, periods: Periods
) -> DenialReason | None:
    """Why the account's losses forbid an entry now.

    A mark that is missing, or of a period before the present one, was not measured yet:
    `reconciliation_pending`.
    """
    marks = guard.periods
    day, week, month = marks.get("day"), marks.get("week"), marks.get("month")
    if day is None or week is None or month is None:
        return "reconciliation_pending"
    if day.begins < periods.day or week.begins < periods.week or month.begins < periods.month:
        return "reconciliation_pending"
    if day.halted or week.halted or month.halted:
        return _NAMES["day" if day.halted else "week" if week.halted else "month"]
    for rule in limits.losses:
        if is_lost(rule, marks[rule.period], state):
            return _NAMES[rule.period]
    return None


def find_pause(guard: Guard, symbol: str, limits: Limits, now_ns: int) -> DenialReason | None:
    """Why the account, or a symbol of it, rests after losses.

    After a pause for losses in a row, one more loss pauses again; a profit starts the count anew.
    """
    stopped_ns = guard.stopped_ns.get(symbol)
    if stopped_ns is not None and now_ns - stopped_ns < limits.cooldown_ns:
        return "cooldown"
    most = limits.losses_in_row_max
    if most is None or guard.losses_in_row < most:
        return None
    if guard.lost_ns is None or now_ns - guard.lost_ns < limits.losses_cooldown_ns:
        return "losses_in_row"
    return None


def note_close(guard: Guard, symbol: str, reason: CloseReason, profit: int, time_ns: int) -> Guard:
    """The guard after a position is flat; profit in minor units, all costs in it."""
    changes: dict[str, object] = {}
    if reason == "stop_loss":
        stopped = {**guard.stopped_ns, symbol: max(time_ns, guard.stopped_ns.get(symbol, 0))}
        if len(stopped) > SYMBOLS_KEPT:
            del stopped[min(stopped, key=lambda each: stopped[each])]
        changes["stopped_ns"] = stopped
    if profit < 0:
        changes["losses_in_row"] = guard.losses_in_row + 1
        changes["lost_ns"] = max(time_ns, guard.lost_ns or 0)
    elif profit > 0 and guard.losses_in_row:
        changes["losses_in_row"] = 0
    return guard.model_copy(update=changes) if changes else guard
