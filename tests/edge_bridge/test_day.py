"""A long run neither grows nor drifts: the benchmark's day, shorter."""

import pytest

from benchmarks import day


@pytest.mark.slow
def test_a_day_of_twenty_symbols_keeps_memory_flat_and_bars_exact() -> None:
    result = day.run(ticks=400_000, symbols=20)
    assert (result["ticks"], result["accepted"]) == (400_000, 400_000)
    assert result["drift"] == []
    assert result["all_sent"]
    assert result["outbox_rows_max"] <= 5_000
    after_a_tenth, _, at_the_end = result["memory_tenth_half_end"]
    assert after_a_tenth is None or at_the_end < after_a_tenth * 1.2 + 10_000_000
