"""The week of the market: New York's, with its daylight saving."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_bridge.bridge.hours import AlwaysOpen, ForexWeek, find_weekend
from edge_bridge.times import nanoseconds

HOUR_NS = 3_600 * 10**9
YEARS = st.integers(1_300_000_000 * 10**9, 1_900_000_000 * 10**9)


def at(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "closes", "opens"),
    [
        ("2014-05-07T12:00", "2014-05-09T21:00", "2014-05-11T21:00"),
        ("2014-05-10T12:00", "2014-05-09T21:00", "2014-05-11T21:00"),
        ("2014-05-11T21:00", "2014-05-16T21:00", "2014-05-18T21:00"),
        ("2014-01-08T12:00", "2014-01-10T22:00", "2014-01-12T22:00"),
        ("2014-03-08T12:00", "2014-03-07T22:00", "2014-03-09T21:00"),  # the clocks change within
    ],
)
def test_the_weekend_is_from_friday_to_sunday_at_five_in_new_york(
    moment: str, closes: str, opens: str
) -> None:
    assert find_weekend(at(moment)) == (at(closes), at(opens))


def test_only_opening_hours_count_as_silence() -> None:
    friday, sunday = at("2014-05-09T20:59"), at("2014-05-11T21:01")
    assert ForexWeek().open_ns(friday, sunday) == HOUR_NS // 30
    assert ForexWeek().open_ns(at("2014-05-10T00:00"), at("2014-05-11T00:00")) == 0
    assert AlwaysOpen().open_ns(friday, sunday) == sunday - friday


@given(YEARS, st.integers(0, 40 * 24), st.integers(0, 40 * 24))
def test_opening_hours_add_up(start: int, first: int, second: int) -> None:
    middle = start + first * HOUR_NS
    end = middle + second * HOUR_NS
    week = ForexWeek()
    assert week.open_ns(start, middle) + week.open_ns(middle, end) == week.open_ns(start, end)
    assert 0 <= week.open_ns(start, end) <= end - start
