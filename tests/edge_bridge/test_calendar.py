"""The week, the broker's midnight and a tenant's days, through both changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.trading_engine import NewsCalendarPublished
from contracts.trading_limits import NewsWindow, SessionWindow
from edge_bridge.engine.calendar import (
    TradingCalendar,
    find_market_week,
    find_periods,
    find_rollovers,
    find_week_minute,
    to_ns,
)
from edge_bridge.engine.limits import join_sessions
from edge_bridge.times import instant

NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3_600 * 10**9
times = st.integers(1_200_000_000, 2_050_000_000).map(lambda second: second * 10**9 + 123)


def is_summer(day: date) -> bool:
    """The law of the United States since 2007: second Sunday of March to first of November."""
    march, november = date(day.year, 3, 8), date(day.year, 11, 1)
    starts = march + timedelta(days=(6 - march.weekday()) % 7)
    ends = november + timedelta(days=(6 - november.weekday()) % 7)
    return starts <= day < ends


def close_of(day: date) -> int:
    """17:00 in New York by that law: 21:00 UTC in summer, 22:00 in winter."""
    hour = 21 if is_summer(day) else 22
    return to_ns(datetime(day.year, day.month, day.day, hour, tzinfo=UTC))


def ns(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


@settings(max_examples=300, deadline=None)
@given(now_ns=times)
def test_rollovers_are_at_five_in_new_york_on_every_day_of_any_year(now_ns: int) -> None:
    days = [instant(now_ns).date() + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)]
    closes = [close_of(day) for day in days]
    last = max(close for close in closes if close <= now_ns)
    following = min(close for close in closes if close > now_ns)
    assert find_rollovers(NEW_YORK, 7, now_ns) == (last, following)


@settings(max_examples=300, deadline=None)
@given(now_ns=times)
def test_the_week_is_open_from_sunday_to_friday_at_five_in_new_york(now_ns: int) -> None:
    week = find_market_week(now_ns)
    assert week.starts_ns <= now_ns < week.ends_ns
    day = instant(now_ns).date()
    monday = day - timedelta(days=day.weekday())
    opens = [close_of(monday + timedelta(days=offset)) for offset in (-1, 6)]
    close = close_of(monday + timedelta(days=4))
    assert week.open is (opens[0] <= now_ns < close or now_ns >= opens[1])
    if week.open:
        local = instant(week.ends_ns).astimezone(NEW_YORK)
        assert (local.weekday(), local.hour, local.minute) == (4, 17, 0)


@pytest.mark.parametrize(
    ("when", "last", "following"),
    [
        # 9 March 2025: New York goes to summer time; the day between is an hour shorter.
        ("2025-03-08T23:00", "2025-03-08T22:00", "2025-03-09T21:00"),
        ("2025-03-09T21:00", "2025-03-09T21:00", "2025-03-10T21:00"),
        # 2 November 2025: back; the day between is an hour longer.
        ("2025-11-01T21:30", "2025-11-01T21:00", "2025-11-02T22:00"),
        ("2025-11-02T21:30", "2025-11-01T21:00", "2025-11-02T22:00"),
    ],
)
def test_in_the_weeks_of_the_change_the_rollover_moves_with_new_york(
    when: str, last: str, following: str
) -> None:
    assert find_rollovers(NEW_YORK, 7, ns(when)) == (ns(last), ns(following))


def test_in_the_weeks_of_the_change_the_weekend_moves_with_new_york() -> None:
    week = find_market_week(ns("2025-03-10T12:00"))
    assert (week.starts_ns, week.ends_ns) == (ns("2025-03-09T21:00"), ns("2025-03-14T21:00"))
    closed = find_market_week(ns("2025-03-07T22:00"))
    assert not closed.open
    assert (closed.starts_ns, closed.ends_ns) == (ns("2025-03-07T22:00"), ns("2025-03-09T21:00"))
    assert find_market_week(ns("2025-11-02T21:59")).open is False
    assert find_market_week(ns("2025-11-02T22:00")).open is True


def test_a_broker_with_another_clock_has_another_midnight() -> None:
    calendar, now_ns = TradingCalendar(), ns("2025-07-01T12:00")
    assert calendar.find_rollovers(("Etc/UTC", 0), now_ns) == (
        ns("2025-07-01T00:00"), ns("2025-07-02T00:00")
    )  # fmt: skip
    assert calendar.find_rollovers(("Europe/Athens", 0), now_ns)[0] == ns("2025-06-30T21:00")
    assert calendar.find_rollovers(("Etc/UTC", 3), now_ns)[0] == ns("2025-06-30T21:00")
    assert calendar.find_rollovers(("No/Where", 7), now_ns)[0] == ns("2025-06-30T21:00")


@settings(max_examples=200, deadline=None)
@given(
    now_ns=times,
    zone=st.sampled_from(("Asia/Jakarta", "America/New_York", "Pacific/Auckland", "Europe/London")),
)
def test_a_tenants_day_week_and_month_are_its_walls(now_ns: int, zone: str) -> None:
    periods = find_periods(ZoneInfo(zone), now_ns)
    local = instant(now_ns).astimezone(ZoneInfo(zone))
    assert periods.day == local.date().isoformat()
    assert date.fromisoformat(periods.week).isocalendar()[:2] == local.isocalendar()[:2]
    assert date.fromisoformat(periods.week).weekday() == 0
    assert periods.month == f"{local:%Y-%m}-01"
    assert periods.starts_ns <= now_ns < periods.ends_ns
    for edge_ns, day in ((periods.starts_ns, local.date()), (periods.ends_ns - 1, local.date())):
        assert instant(edge_ns).astimezone(ZoneInfo(zone)).date() == day
    assert 23 * HOUR <= periods.ends_ns - periods.starts_ns <= 25 * HOUR


def test_kept_answers_are_those_of_a_fresh_look_hour_by_hour_through_a_year() -> None:
    calendar, clock = TradingCalendar(), ("America/New_York", 7)
    start = ns("2025-01-01T00:00")
    for hour in range(0, 365 * 24, 5):
        now_ns = start + hour * HOUR
        assert calendar.find_rollovers(clock, now_ns) == find_rollovers(NEW_YORK, 7, now_ns)
        assert calendar.find_market_week(now_ns) == find_market_week(now_ns)
        fresh = find_periods(ZoneInfo("Europe/London"), now_ns)
        assert calendar.find_periods("Europe/London", now_ns) == fresh


def test_an_unknown_zone_of_a_tenant_is_jakarta() -> None:
    now_ns = ns("2025-07-01T18:00")
    assert TradingCalendar().find_periods("Mars/Phobos", now_ns).day == "2025-07-02"


@settings(max_examples=100, deadline=None)
@given(now_ns=times)
def test_the_minute_of_the_week_begins_on_monday(now_ns: int) -> None:
    moment = instant(now_ns)
    assert find_week_minute(now_ns) == moment.weekday() * 1_440 + moment.hour * 60 + moment.minute


def test_sessions_that_touch_or_overlap_are_one() -> None:
    def window(day: int, start: int, end: int) -> SessionWindow:
        return SessionWindow(weekday=day, from_minute=start, to_minute=end)

    assert join_sessions(()) is None
    assert join_sessions((window(1, 0, 60), window(0, 1_400, 1_440), window(0, 60, 120))) == (
        60, 120, 1_400, 1_500
    )  # fmt: skip
    assert join_sessions((window(0, 0, 100), window(0, 10, 20))) == (0, 100)


def publish(version: int, *events: tuple[str, str]) -> NewsCalendarPublished:
    windows = tuple(
        NewsWindow(currency=currency, at=datetime.fromisoformat(at).replace(tzinfo=UTC), title="x")
        for currency, at in events
    )
    return NewsCalendarPublished(version=version, windows=windows)


def test_news_of_either_currency_is_found_and_the_newest_calendar_wins() -> None:
    calendar, now_ns = TradingCalendar(), ns("2025-07-01T12:00")
    nothing = calendar.find_news("EUR", "USD", now_ns)
    assert nothing[0] < 0 and nothing[1] > 2**61
    first = publish(2, ("USD", "2025-07-01T12:30"), ("EUR", "2025-07-01T09:00"),
                    ("JPY", "2025-07-01T12:10"), ("USD", "2025-07-09T12:00"))  # fmt: skip
    record = calendar.take_news(first)
    assert record is not None
    around = (ns("2025-07-01T09:00"), ns("2025-07-01T12:30"))
    assert calendar.find_news("EUR", "USD", now_ns) == around
    assert calendar.find_news("EUR", "JPY", now_ns)[1] == ns("2025-07-01T12:10")
    assert calendar.find_news("EUR", "USD", around[1]) == (around[1], ns("2025-07-09T12:00"))
    assert calendar.take_news(publish(2)) is None
    assert calendar.take_news(publish(1)) is None
    again = TradingCalendar()
    again.load({record[1]: record[2]})
    assert again.find_news("EUR", "USD", now_ns) == around
    assert again.take_news(publish(3)) is not None
    assert again.find_news("EUR", "USD", now_ns) == nothing
