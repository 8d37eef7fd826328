"""The feature set: one row and many agree to the bit, nothing looks ahead, scale is no matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.data_bridge import Bar
from kit.feature_set import MAX_HOLE_BARS, WINDOW
from kit.features import (
    FEATURES,
    FeatureRow,
    GapInBars,
    NotEnoughBars,
    compute_row,
    compute_rows,
    compute_window,
    read_bar,
)
from tests.support.market_bars import MINUTE_NS, MONDAY_NS, make_bars, to_contracts

PRICES = ("open", "high", "low", "close")


def table_of(columns):
    return compute_rows({**columns, "open_ns": columns["ts_ns"]})


@st.composite
def bar_columns(draw):
    rows = draw(st.integers(WINDOW, WINDOW + 20))
    closes = draw(st.lists(st.integers(1_000, 2_000_000), min_size=rows, max_size=rows))
    opens = draw(st.lists(st.integers(1_000, 2_000_000), min_size=rows, max_size=rows))
    ups = draw(st.lists(st.integers(0, 500), min_size=rows, max_size=rows))
    holes = draw(st.lists(st.integers(1, 4), min_size=rows, max_size=rows))
    close, opened, wick = np.array(closes), np.array(opens), np.array(ups)
    return {
        "ts_ns": MONDAY_NS + MINUTE_NS * np.cumsum(np.array(holes, dtype=np.int64)),
        "open": opened,
        "high": np.maximum(opened, close) + wick,
        "low": np.minimum(opened, close) - wick // 2,
        "close": close,
        "spread": np.array(draw(st.lists(st.integers(0, 900), min_size=rows, max_size=rows))),
        "ticks": np.array(draw(st.lists(st.integers(1, 5_000), min_size=rows, max_size=rows))),
    }


@settings(max_examples=60, deadline=None)
@given(bar_columns())
def test_one_row_equals_its_row_of_the_table_to_the_bit(columns):
    table = table_of(columns)
    bars = to_contracts(columns)
    assert table.index.tolist() == list(range(WINDOW - 1, len(bars)))
    for position, at in enumerate(table.index):
        row = compute_row(bars[:at], bars[at])
        assert isinstance(row, FeatureRow)
        assert row.values.tobytes() == table.values[position].tobytes()
        assert row.atr_points == table.atr_points[position]


@settings(max_examples=30, deadline=None)
@given(bar_columns())
def test_every_feature_is_a_finite_float32_within_bounds(columns):
    values = table_of(columns).values
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 16


def test_at_least_24_features_with_names_of_their_own():
    assert len(FEATURES) >= 24
    assert len(set(FEATURES)) == len(FEATURES)
    assert table_of(make_bars(100)).values.shape[1] == len(FEATURES)


def test_many_rows_equal_their_parts_across_chunks():
    columns = make_bars(9_000)
    whole = table_of(columns)
    tail = table_of({name: column[4_000:] for name, column in columns.items()})
    assert whole.values[-len(tail.values) :].tobytes() == tail.values.tobytes()


def test_the_future_changes_nothing():
    columns = make_bars(400)
    changed = {name: column.copy() for name, column in columns.items()}
    for name in PRICES:
        changed[name][300:] += 5_000
    before, after = table_of(columns), table_of(changed)
    rows = before.index < 300
    assert before.values[rows].tobytes() == after.values[rows].tobytes()
    assert before.values[~rows].tobytes() != after.values[~rows].tobytes()


def test_more_history_than_the_window_changes_nothing():
    bars = to_contracts(make_bars(300))
    short, long = compute_row(bars[200:263], bars[263]), compute_row(bars[:263], bars[263])
    assert isinstance(short, FeatureRow)
    assert isinstance(long, FeatureRow)
    assert short.values.tobytes() == long.values.tobytes()


def test_tuples_of_a_bars_columns_are_read_as_the_bar():
    bars = to_contracts(make_bars(WINDOW))
    whole, tuples = compute_row(bars[:-1], bars[-1]), compute_window([read_bar(b) for b in bars])
    assert isinstance(whole, FeatureRow)
    assert isinstance(tuples, FeatureRow)
    assert whole.values.tobytes() == tuples.values.tobytes()


def test_features_do_not_depend_on_the_scale_of_prices():
    columns = make_bars(400)
    scaled = {**columns, **{name: columns[name] * 10 for name in (*PRICES, "spread")}}
    difference = np.abs(table_of(columns).values - table_of(scaled).values)
    assert difference.max() <= 2 / 1024


def test_a_short_history_is_told_as_not_enough_bars():
    bars = to_contracts(make_bars(WINDOW))
    answer = compute_row(bars[: WINDOW - 2], bars[WINDOW - 2])
    assert answer == NotEnoughBars(have=WINDOW - 1)
    assert table_of(make_bars(WINDOW - 1)).values.shape == (0, len(FEATURES))


@pytest.mark.parametrize(("missing", "fit"), [(MAX_HOLE_BARS - 1, True), (MAX_HOLE_BARS, False)])
def test_a_hole_wider_than_the_bound_makes_the_window_unfit(missing, fit):
    columns = make_bars(200)
    columns["ts_ns"][100:] += missing * MINUTE_NS
    bars = to_contracts(columns)
    answer = compute_row(bars[:120], bars[120])
    assert isinstance(answer, FeatureRow if fit else GapInBars)
    assert (120 in table_of(columns).index) is fit
    assert (100 + WINDOW - 1 in table_of(columns).index) is True


def test_bars_that_go_back_in_time_are_a_gap():
    bars = to_contracts(make_bars(200))
    assert isinstance(compute_row(bars[:63], bars[10]), GapInBars)
    table = table_of({name: np.repeat(column, 2) for name, column in make_bars(100).items()})
    assert table.index.size == 0


def test_a_frozen_market_still_gives_numbers():
    flat = [
        Bar(open_ns=MONDAY_NS + i * MINUTE_NS, open=5, high=5, low=5, close=5, spread=0, ticks=1)
        for i in range(WINDOW)
    ]
    row = compute_row(flat[:-1], flat[-1])
    assert isinstance(row, FeatureRow)
    assert np.isfinite(row.values).all()
    assert row.atr_points == 0


def test_a_rising_market_looks_like_one():
    rows = 100
    close = 100_000 + 20 * np.arange(rows)
    columns = {
        **make_bars(rows),
        "open": close - 20,
        "high": close,
        "low": close - 20,
        "close": close,
    }
    last = dict(zip(FEATURES, table_of(columns).values[-1].tolist(), strict=True))
    assert last["return_1"] == pytest.approx(1)
    assert last["rsi_60"] == pytest.approx(0.5)
    assert last["efficiency_60"] == pytest.approx(1)
    assert last["position_in_range_15"] == pytest.approx(0.5)
    assert last["ema_distance_20"] > 0
    assert last["macd"] > 0
