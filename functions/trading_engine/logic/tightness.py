"""Which of two limits is the tighter: tightening counts at once, loosening waits a day.

``narrow`` gives what may be in force at once: each field as wanted where that is no looser than the
current one, else the tighter of both. Exits are free: they only close or protect earlier than the
stop that the entry was sized for.
"""

from collections.abc import Callable
from typing import Any

from contracts.trading_limits import (
    LossLimit,
    SessionWindow,
    Sizing,
    SizingMethod,
    Symbol,
    TradingLimits,
)

LOWER = (
    "signal_age_max_s", "quote_age_max_ms", "spread_max", "spread_share_max_bp", "collar_bp",
    "orders_per_minute_max", "orders_per_day_max", "pending_orders_max", "positions_max",
    "volume_max", "volume_total_max", "symbol_exposure_max_bp", "currency_exposure_max_bp",
    "correlated_exposure_max_bp", "correlation_min_bp", "leverage_max_bp",
    "free_margin_share_max_bp", "drawdown_max_bp", "losses_in_row_max",
)  # fmt: skip
"""Fields of which the lower value is the tighter; None is no limit. ``correlation_min_bp`` too: the
lower it is, the more symbols count as one."""
HIGHER = (
    "news_before_s", "news_after_s", "rollover_before_s", "rollover_after_s", "weekend_before_s",
    "margin_level_min_bp", "cooldown_s", "losses_cooldown_s",
)  # fmt: skip
FREE = ("exits",)
COMPARED = ("execution", "sizing", "symbols", "sessions", "losses")
"""Fields with a comparison of their own."""

SIZED_BY: dict[SizingMethod, tuple[str, ...]] = {
    "fixed_lot": ("fixed_lot",),
    "fixed_risk": ("risk_bp",),
    "volatility_target": ("target_volatility_bp",),
    "kelly": ("kelly_fraction_bp", "kelly_cap_bp"),
    "account_ratio": ("account_ratio_ppm",),
}
"""What a method reads; lower is smaller. Sizes of two methods cannot be compared: a change of the
method waits."""

_DAY_MINUTES = 1_440
_WEEK_MINUTES = 7 * _DAY_MINUTES
_ALWAYS = (1 << _WEEK_MINUTES) - 1
_WINDOWS_MAX = 50


def is_tighter(wanted: TradingLimits, current: TradingLimits) -> bool:
    """Whether the wanted limits allow nothing that the current ones do not."""
    return all(
        _is_no_looser(name, getattr(wanted, name), getattr(current, name))
        for name in TradingLimits.model_fields
    )


def narrow(current: TradingLimits, wanted: TradingLimits) -> TradingLimits:
    """The most of the wanted limits that is no looser than the current ones."""
    fields = {}
    for name in TradingLimits.model_fields:
        now, then = getattr(current, name), getattr(wanted, name)
        fields[name] = then if _is_no_looser(name, then, now) else _meet(name, now, then)
    return TradingLimits(**fields)


def _is_no_looser(name: str, wanted: Any, current: Any) -> bool:
    if name in FREE:
        return True
    if name in LOWER:
        return _lower(wanted, current)
    if name in HIGHER:
        return bool(wanted >= current)
    return _COMPARE[name](wanted, current)


def _meet(name: str, current: Any, wanted: Any) -> Any:
    """The tighter of two values of which the wanted one is looser, at least in a part."""
    meet = _MEET.get(name)
    return current if meet is None else meet(current, wanted)


def _lower(wanted: int | None, current: int | None) -> bool:
    return current is None or (wanted is not None and wanted <= current)


def _executes_no_more(wanted: str, current: str) -> bool:
    return wanted == "signal_only" or current == "trade"


def _sizes_no_larger(wanted: Sizing, current: Sizing) -> bool:
    return wanted.method == current.method and all(
        getattr(wanted, name) <= getattr(current, name) for name in SIZED_BY[current.method]
    )


def _meet_sizing(current: Sizing, wanted: Sizing) -> Sizing:
    if wanted.method != current.method:
        return current
    smaller = {
        name: min(getattr(wanted, name), getattr(current, name)) for name in SIZED_BY[wanted.method]
    }
    return wanted.model_copy(update=smaller)


Symbols = tuple[Symbol, ...] | None


def _names_no_more(wanted: Symbols, current: Symbols) -> bool:
    return current is None or (wanted is not None and set(wanted) <= set(current))


def _meet_symbols(current: Symbols, wanted: Symbols) -> Symbols:
    if current is None or wanted is None:
        return current if wanted is None else wanted
    return tuple(name for name in wanted if name in set(current))


Sessions = tuple[SessionWindow, ...]


def _open_minutes(sessions: Sessions) -> int:
    """The minutes of the week in which entries are allowed, a bit each; no window is always."""
    minutes = 0
    for window in sessions:
        length = window.to_minute - window.from_minute
        start = window.weekday * _DAY_MINUTES + window.from_minute
        minutes |= ((1 << length) - 1) << start
    return minutes or _ALWAYS


def _opens_no_more(wanted: Sessions, current: Sessions) -> bool:
    return _open_minutes(wanted) & ~_open_minutes(current) == 0


def _meet_sessions(current: Sessions, wanted: Sessions) -> Sessions:
    """Where both are open; the current windows when that is never or takes too many windows."""
    both = _write_windows(_open_minutes(current) & _open_minutes(wanted))
    return both if 0 < len(both) <= _WINDOWS_MAX else current


def _write_windows(minutes: int) -> Sessions:
    windows = []
    for weekday in range(7):
        day = minutes >> (weekday * _DAY_MINUTES) & ((1 << _DAY_MINUTES) - 1)
        at = 0
        while day >> at:
            start = at + _trailing(day >> at)
            at = start + _trailing(~(day >> start))
            windows.append(SessionWindow(weekday=weekday, from_minute=start, to_minute=at))
    return tuple(windows)


def _trailing(bits: int) -> int:
    """How many zeros a number ends with."""
    return (bits & -bits).bit_length() - 1


Losses = tuple[LossLimit, ...]


def _by_kind(losses: Losses) -> dict[tuple[str, str], LossLimit]:
    return {(each.period, each.basis): each for each in losses}


def _loses_no_more(wanted: Losses, current: Losses) -> bool:
    new = _by_kind(wanted)
    return all(
        kind in new
        and new[kind].max_bp <= limit.max_bp
        and new[kind].close_positions >= limit.close_positions
        for kind, limit in _by_kind(current).items()
    )


def _meet_losses(current: Losses, wanted: Losses) -> Losses:
    met = _by_kind(wanted)
    for kind, limit in _by_kind(current).items():
        other = met.get(kind, limit)
        met[kind] = LossLimit(
            period=limit.period,
            basis=limit.basis,
            max_bp=min(limit.max_bp, other.max_bp),
            close_positions=limit.close_positions or other.close_positions,
        )
    return tuple(met.values())


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "execution": _executes_no_more,
    "sizing": _sizes_no_larger,
    "symbols": _names_no_more,
    "sessions": _opens_no_more,
    "losses": _loses_no_more,
}
_MEET: dict[str, Callable[[Any, Any], Any]] = {
    "sizing": _meet_sizing,
    "symbols": _meet_symbols,
    "sessions": _meet_sessions,
    "losses": _meet_losses,
}
"""Of the other fields the current value is the tighter one whenever the wanted one is looser."""
