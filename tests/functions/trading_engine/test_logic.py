"""Which limits are tighter: an order, and a narrowing that never lets anything loose."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import uuid7
from contracts.trading_limits import (
    ExitPlan,
    LossLimit,
    SessionWindow,
    Sizing,
    SizingMethod,
    TradingLimits,
)
from functions.trading_engine.errors import SymbolNotInPlan
from functions.trading_engine.logic import tightness
from functions.trading_engine.logic.limits import LOOSENING_WAIT, change_limits, loosen_due
from functions.trading_engine.logic.tightness import is_tighter, narrow
from functions.trading_engine.models import Allowance, KeptLimits

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")


def sessions() -> st.SearchStrategy[tuple[SessionWindow, ...]]:
    hours = st.tuples(st.integers(0, 2), st.integers(0, 22), st.integers(1, 5))
    window = hours.map(
        lambda at: SessionWindow(
            weekday=at[0], from_minute=at[1] * 60, to_minute=min((at[1] + at[2]) * 60, 1_440)
        )
    )
    return st.lists(window, max_size=5).map(tuple)


def losses() -> st.SearchStrategy[tuple[LossLimit, ...]]:
    kinds = st.sampled_from(
        [(p, b) for p in ("day", "week", "month") for b in ("balance", "equity")]
    )
    limit = st.tuples(kinds, st.integers(1, 9), st.booleans()).map(
        lambda at: LossLimit(
            period=at[0][0],  # type: ignore[arg-type]
            basis=at[0][1],  # type: ignore[arg-type]
            max_bp=at[1] * 100,
            close_positions=at[2],
        )
    )
    return st.lists(limit, max_size=4, unique_by=lambda each: (each.period, each.basis)).map(tuple)


def limits() -> st.SearchStrategy[TradingLimits]:
    """Limits over few values each, so that two of them are often comparable."""
    few = st.integers(1, 4)
    return st.builds(
        TradingLimits,
        execution=st.sampled_from(["signal_only", "trade"]),
        sizing=st.builds(
            Sizing,
            method=st.sampled_from(get_args(SizingMethod)[:3]),
            fixed_lot=few, risk_bp=few, target_volatility_bp=few.map(lambda n: n * 10),
        ),
        exits=st.builds(ExitPlan, time_exit_s=few),
        symbols=st.none() | st.lists(st.sampled_from(SYMBOLS), max_size=4, unique=True).map(tuple),
        sessions=sessions(),
        losses=losses(),
        **{name: few.map(lambda n: n * 100) for name in (
            "news_before_s", "rollover_after_s", "weekend_before_s", "margin_level_min_bp",
            "cooldown_s", "spread_share_max_bp", "quote_age_max_ms", "drawdown_max_bp",
            "correlation_min_bp", "leverage_max_bp",
        )},
        **{name: st.none() | few for name in (
            "spread_max", "orders_per_day_max", "positions_max", "volume_max",
            "volume_total_max", "losses_in_row_max",
        )},
    )  # fmt: skip


def test_every_field_of_limits_is_compared_in_exactly_one_way() -> None:
    named = [*tightness.LOWER, *tightness.HIGHER, *tightness.COMPARED, *tightness.FREE]
    assert sorted(named) == sorted(TradingLimits.model_fields)
    assert set(tightness.SIZED_BY) == set(get_args(SizingMethod))
    read = {name for names in tightness.SIZED_BY.values() for name in names}
    assert read | {"method"} == set(Sizing.model_fields)


@given(limits())
def test_limits_are_as_tight_as_themselves(one: TradingLimits) -> None:
    assert is_tighter(one, one)
    assert narrow(one, one) == one


@given(limits(), limits(), limits())
def test_tighter_than_the_tighter_is_tighter(
    a: TradingLimits, b: TradingLimits, c: TradingLimits
) -> None:
    middle = narrow(c, b)
    tightest = narrow(middle, a)
    assert is_tighter(middle, c)
    assert is_tighter(tightest, middle)
    assert is_tighter(tightest, c)


@given(limits(), limits())
def test_narrowing_never_loosens_and_gives_all_of_what_is_tighter(
    current: TradingLimits, wanted: TradingLimits
) -> None:
    narrowed = narrow(current, wanted)
    assert is_tighter(narrowed, current)
    assert (narrowed == wanted) == is_tighter(wanted, current)
    assert narrow(narrowed, wanted) == narrowed
    for name in tightness.HIGHER:
        assert getattr(narrowed, name) == max(getattr(current, name), getattr(wanted, name))
    for name in tightness.LOWER:
        both = (getattr(current, name), getattr(wanted, name))
        named = [value for value in both if value is not None]
        assert getattr(narrowed, name) == (min(named) if named else None)


def open_minutes(windows: tuple[SessionWindow, ...]) -> set[tuple[int, int]]:
    """The minutes of the week, spelled out; none given is always."""
    every = [(day, minute) for day in range(7) for minute in range(1_440)]
    return {
        (day, minute)
        for day, minute in every
        if not windows
        or any(w.weekday == day and w.from_minute <= minute < w.to_minute for w in windows)
    }


@settings(max_examples=30)
@given(sessions(), sessions())
def test_sessions_narrow_to_the_minutes_that_both_allow(
    current: tuple[SessionWindow, ...], wanted: tuple[SessionWindow, ...]
) -> None:
    before, after = TradingLimits(sessions=current), TradingLimits(sessions=wanted)
    allowed = open_minutes(narrow(before, after).sessions)
    both = open_minutes(current) & open_minutes(wanted)
    assert allowed == (both or open_minutes(current))
    assert is_tighter(after, before) == (open_minutes(wanted) <= open_minutes(current))


@pytest.mark.parametrize(
    ("wanted", "tighter"),
    [
        ({"execution": "signal_only"}, True),
        ({"symbols": ()}, True),
        ({"positions_max": 500}, True),
        ({"drawdown_max_bp": 2_001}, False),
        ({"cooldown_s": 59}, False),
        ({"margin_level_min_bp": 19_999}, False),
        ({"sizing": Sizing(method="fixed_lot", fixed_lot=1)}, False),
        ({"sizing": Sizing(risk_bp=49)}, True),
        ({"sizing": Sizing(risk_bp=51)}, False),
        ({"exits": ExitPlan(time_exit_s=60)}, True),
        ({"losses": (LossLimit(period="day", basis="equity", max_bp=10_000),)}, True),
        ({"correlation_min_bp": 7_001}, False),
    ],
)
def test_what_counts_as_tighter_than_the_defaults(wanted: dict[str, Any], tighter: bool) -> None:
    assert is_tighter(TradingLimits(**wanted), TradingLimits()) is tighter


@dataclass
class Shelf:
    """Limits of a tenant without a database."""

    rows: dict[UUID | None, KeptLimits] = field(default_factory=dict)
    allowance: Allowance | None = None

    def find(self, account_id: UUID | None) -> KeptLimits | None:
        return self.rows.get(account_id)

    def lock(self, account_id: UUID | None, base: TradingLimits) -> KeptLimits:
        return self.rows.setdefault(account_id, KeptLimits(version=0, limits=base))

    def save(self, account_id: UUID | None, kept: KeptLimits) -> None:
        self.rows[account_id] = kept

    def list_due(self, now: datetime) -> list[UUID | None]:
        return [key for key, row in self.rows.items() if row.pending_at and row.pending_at <= now]

    def is_linked(self, account_id: UUID) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def find_allowance(self) -> Allowance | None:
        return self.allowance

    def change(
        self, wanted: TradingLimits, at: datetime = NOW, account_id: UUID | None = None
    ) -> KeptLimits:
        return change_limits(
            self, self, account_id, wanted, now=at, confirm_loosening=lambda: None
        )[0]


@settings(max_examples=60)
@given(st.lists(st.tuples(limits(), st.integers(0, 30)), min_size=1, max_size=6))
def test_whatever_is_asked_nothing_looser_is_in_force_before_its_day_is_over(
    steps: list[tuple[TradingLimits, int]],
) -> None:
    """Asked for at odd hours, loosened by the clock: each version is tighter than the one before,
    or was asked for at least a day ago."""
    shelf, at = Shelf(), NOW
    asked: list[tuple[datetime, TradingLimits]] = []
    for wanted, hours in steps:
        at += timedelta(hours=hours)
        in_force = shelf.rows.get(None, KeptLimits(version=0, limits=TradingLimits()))
        loosen_due(shelf, at)
        asked.append((at, wanted))
        kept = shelf.change(wanted, at)
        old_enough = [limit for when, limit in asked if at - when >= LOOSENING_WAIT] + [
            in_force.limits
        ]
        assert any(is_tighter(kept.limits, limit) for limit in old_enough)
        assert kept.version >= in_force.version
        assert (kept.pending is None) == (kept.limits == wanted)


def test_asking_for_the_same_again_does_not_prolong_the_wait() -> None:
    shelf, wanted = Shelf(), TradingLimits(drawdown_max_bp=5_000)
    first = shelf.change(wanted)
    again = shelf.change(wanted, NOW + timedelta(hours=5))
    assert first.pending_at == again.pending_at == NOW + LOOSENING_WAIT
    assert again.version == first.version == 1
    less = shelf.change(TradingLimits(drawdown_max_bp=4_000), NOW + timedelta(hours=6))
    assert less.pending_at == first.pending_at
    more = shelf.change(TradingLimits(drawdown_max_bp=6_000), NOW + timedelta(hours=7))
    assert more.pending_at == NOW + timedelta(hours=31)


def test_an_account_begins_with_its_tenants_limits() -> None:
    shelf = Shelf()
    shelf.change(TradingLimits(drawdown_max_bp=1_000))
    own = shelf.change(TradingLimits(drawdown_max_bp=1_500), account_id=uuid7())
    assert (own.limits.drawdown_max_bp, own.version) == (1_000, 1)
    assert own.pending is not None


@pytest.mark.parametrize(
    ("plan", "symbols"),
    [
        ({"symbols": ["EURUSD"], "max_symbols": 1}, ("EURUSD", "GBPUSD")),
        ({"symbols": ["*"], "max_symbols": 2}, SYMBOLS[:3]),
    ],
)
def test_limits_name_no_symbols_beyond_the_plan(
    plan: dict[str, Any], symbols: tuple[str, ...]
) -> None:
    shelf = Shelf(allowance=Allowance(paper_accounts=1, live_accounts=0, **plan))
    with pytest.raises(SymbolNotInPlan):
        shelf.change(TradingLimits(symbols=symbols))
    assert shelf.change(TradingLimits(symbols=symbols[:1])).limits.symbols == symbols[:1]
