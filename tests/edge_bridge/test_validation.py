"""Every tick is accepted or rejected for one reason; a chunk is judged as its ticks would be."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.bridge.recording import open_recording
from edge_bridge.bridge.ticks import NOT_A_NUMBER, make_chunk, read_prices
from edge_bridge.bridge.validation import (
    REASONS,
    TickRules,
    TickValidator,
    count_reasons,
)
from tests.edge_bridge.dirty_ticks import START_NS, Tick, make_dirty_ticks, to_chunk

S = 1_000_000_000
DATA = Path(__file__).parents[1] / "data"


def judge(*ticks: tuple[int, int, int], rules: TickRules | None = None) -> list[str]:
    """Judge ticks given as (seconds, bid, ask), both ways; the verdicts as names."""
    absolute = [Tick(START_NS + int(at * S), bid, ask) for at, bid, ask in ticks]
    one, many = TickValidator(rules or TickRules()), TickValidator(rules or TickRules())
    singly = [one.judge_tick(tick.ts_ns, tick.bid, tick.ask) for tick in absolute]
    assert many.judge_chunk(to_chunk(absolute)).tolist() == singly
    assert asdict(one.memory) == asdict(many.memory)
    return ["accepted" if v == 0 else REASONS[v - 1] for v in singly]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ((1, 137_010, 137_000), "crossed"),
        ((1, 137_000, 137_000), "zero"),
        ((1, 0, 137_000), "zero"),
        ((1, 137_000, -5), "zero"),
        ((1, NOT_A_NUMBER, 137_000), "not_a_number"),
        ((1, 137_000, 2**45), "not_a_number"),
        ((0, 137_000, 137_010), "duplicate"),
        ((-1, 137_001, 137_010), "out_of_order"),
        ((-3_600, 137_001, 137_010), "stale"),
        ((1, 140_000, 140_010), "price_jump"),
        ((1, 137_001, 137_011), "accepted"),
        ((0, 137_001, 137_011), "accepted"),
    ],
)
def test_a_tick_after_a_sound_one_has_one_verdict(
    second: tuple[int, int, int], reason: str
) -> None:
    assert judge((0, 137_000, 137_010), second) == ["accepted", reason]


def test_a_repetition_within_one_instant_is_known_even_after_other_prices() -> None:
    verdicts = judge((0, 1000, 1001), (0, 1001, 1002), (0, 1000, 1001), (1, 1000, 1001))
    assert verdicts == ["accepted", "accepted", "duplicate", "accepted"]


def test_jumps_that_agree_become_the_level_and_a_single_one_does_not() -> None:
    level, spike = (137_000, 137_010), (150_000, 150_010)
    ticks = [(0, *level), (1, *spike), (2, *level)]
    ticks += [(3 + i, *spike) for i in range(6)]
    assert judge(*ticks) == (
        ["accepted", "price_jump", "accepted"] + ["price_jump"] * 4 + ["accepted"] * 2
    )


def test_a_locked_quote_is_a_price_where_the_account_has_raw_spreads() -> None:
    assert judge((0, 1000, 1000), rules=TickRules(locked_allowed=True)) == ["accepted"]


def test_a_tick_of_a_minute_that_the_clock_has_closed_is_stale() -> None:
    validator = TickValidator(TickRules())
    assert validator.judge_tick(START_NS + 58 * S, 1000, 1001) == 0
    validator.advance(START_NS + 60 * S, START_NS + 60 * S)
    late = validator.judge_tick(START_NS + 59 * S, 1000, 1002)
    assert REASONS[late - 1] == "stale"
    assert validator.judge_tick(START_NS + 60 * S, 1000, 1002) == 0


def test_a_tick_from_the_future_does_not_lock_out_the_present() -> None:
    validator = TickValidator(TickRules())
    ticks = [Tick(START_NS, 1000, 1001), Tick(START_NS + 9 * S, 1000, 1002),
             Tick(START_NS + 1 * S, 1001, 1002)]  # fmt: skip
    verdicts = validator.judge_chunk(to_chunk(ticks), ceiling_ns=START_NS + 5 * S)
    assert count_reasons(verdicts) == {"out_of_order": 1}
    assert verdicts.tolist()[2] == 0


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    count=st.integers(1, 400),
    dirt=st.sampled_from((0.0, 0.05, 0.5)),
    cuts=st.lists(st.integers(1, 60), max_size=30),
    clock=st.booleans(),
)
def test_chunks_of_any_size_are_judged_exactly_as_ticks_one_by_one(
    seed: int, count: int, dirt: float, cuts: list[int], clock: bool
) -> None:
    ticks = make_dirty_ticks(count, seed, dirt)
    one, many = TickValidator(TickRules()), TickValidator(TickRules())
    start = 0
    for size in [*cuts, count]:
        part = ticks[start : start + size]
        start += size
        ceiling = max((tick.ts_ns for tick in part), default=0) - (S if clock else 0)
        singly = [one.judge_tick(t.ts_ns, t.bid, t.ask, ceiling) for t in part]
        assert many.judge_chunk(to_chunk(part), ceiling).tolist() == singly
        assert asdict(one.memory) == asdict(many.memory)
        if clock:
            now = one.memory.last_ns
            for validator in (one, many):
                validator.advance(now, now - now % (60 * S))


def test_float_prices_become_points_and_what_is_no_number_is_marked() -> None:
    points = read_prices(np.array([1.37012, np.nan, np.inf, 1e300, -1.0]), 5)
    bad = NOT_A_NUMBER
    assert points.tolist() == [137_012, bad, bad, bad, -100_000]


def test_a_chunk_with_columns_of_different_length_is_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        make_chunk("EURUSD", [1, 2], [1], [2])


def test_a_real_dirty_feed_is_rejected_by_reason_and_nothing_goes_missing() -> None:
    chunk = open_recording(DATA / "nzdusd_fxcm_dirty.parquet", "NZDUSD").chunk
    counts = count_reasons(TickValidator(TickRules()).judge_chunk(chunk))
    assert counts["crossed"] == int((chunk.bid > chunk.ask).sum()) > 0
    assert counts["zero"] == int((chunk.bid == chunk.ask).sum()) > 0
