"""Calendar, quota and usage lines of subscription_service, as properties."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.subscription_service.logic.calendar import (
    add_months,
    end_of_day,
    local_day,
    period_bounds,
)
from functions.subscription_service.logic.closing import draw_usage_lines
from functions.subscription_service.logic.metering import admit_use
from functions.subscription_service.models import Counter, MeterRule, Plan

ZONES = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
zones = st.sampled_from(ZONES).map(ZoneInfo)
FROM_2000, TO_2060 = 946_684_800, 2_840_140_800
anchors = st.integers(FROM_2000, TO_2060).map(lambda unix: datetime.fromtimestamp(unix, UTC))
HARD = MeterRule("prediction", "day", 20, hard=True, unit_price=0)


@given(anchors, zones, st.integers(0, 120))
@settings(max_examples=300, deadline=None)
def test_periods_are_contiguous_and_disjoint_in_every_time_zone(anchor, zone, number) -> None:
    """Invariant 11: each period ends where the next begins, and no period is empty."""
    start, end = period_bounds(anchor, number, zone)
    next_start, next_end = period_bounds(anchor, number + 1, zone)
    assert start < end == next_start < next_end
    assert timedelta(days=26) < end - start < timedelta(days=33)


@given(anchors, zones, st.integers(1, 120))
@settings(max_examples=200, deadline=None)
def test_the_anchors_day_never_drifts(anchor, zone, number) -> None:
    """Invariant 11: a period starts on the anchor's day, or on the last one of a shorter month."""
    local = anchor.astimezone(zone)
    start = add_months(anchor, number, zone).astimezone(zone)
    if start.date().month == (local.month - 1 + number) % 12 + 1:
        month_end = (start.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        expected = min(local.day, month_end.day)
        assert start.day in (expected, expected + 1)  # a whole local day may not exist
    else:  # the clamped day was skipped at the month's end
        assert start.day == 1


def test_an_anchor_on_the_31st_visits_leap_february_and_comes_back() -> None:
    anchor = datetime(2024, 1, 31, 3, tzinfo=UTC)
    zone = ZoneInfo("Asia/Jakarta")
    starts = [period_bounds(anchor, n, zone)[0].date() for n in (1, 2, 13, 14)]
    assert starts == [date(2024, 2, 29), date(2024, 3, 31), date(2025, 2, 28), date(2025, 3, 31)]


def test_a_period_starts_at_the_same_local_hour_across_daylight_saving() -> None:
    anchor = datetime(2026, 1, 15, 17, tzinfo=UTC)
    zone = ZoneInfo("America/New_York")
    assert {period_bounds(anchor, n, zone)[0].astimezone(zone).hour for n in range(12)} == {12}


@given(st.dates(date(1995, 1, 1), date(2040, 1, 1)), zones)
@settings(max_examples=300, deadline=None)
def test_a_day_ends_at_the_first_instant_of_a_later_date(day, zone) -> None:
    end = end_of_day(day, zone)
    assert local_day(end, zone) > day
    assert local_day(end - timedelta(seconds=1), zone) <= day


def test_a_day_ends_when_its_midnight_or_its_whole_next_day_never_was() -> None:
    sao_paulo, apia = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Pacific/Apia")
    assert end_of_day(date(2018, 11, 3), sao_paulo) == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert end_of_day(date(2011, 12, 29), apia) == datetime(2011, 12, 30, 10, tzinfo=UTC)


@given(st.lists(st.sampled_from([0, 1, 5, 20, None]), max_size=60))
def test_used_never_passes_a_hard_quota_even_when_it_changes(quotas) -> None:
    """A smaller quota keeps what was used and admits nothing; each verdict is counted once."""
    counter, counted, over = None, 0, 0
    for quota in quotas:
        rule = MeterRule("prediction", "day", quota, quota is not None, 0)
        admission = admit_use(counter, rule)
        counted += admission.outcome == "counted"
        over += admission.outcome == "over_limit"
        if admission.outcome == "counted" and quota is not None:
            assert admission.counter.used <= quota
        counter = admission.counter
        assert (counter.used, counter.over_limit) == (counted, over)
        assert quota is None or counter.used <= (counter.quota or 0)


@given(st.integers(0, 30), st.integers(0, 60))
def test_the_end_of_a_quota_is_announced_once(quota, uses) -> None:
    rule, counter, announced = MeterRule("prediction", "day", quota, True, 0), None, 0
    for _ in range(uses):
        admission = admit_use(counter, rule)
        counter, announced = admission.counter, announced + admission.announce
    assert announced == (1 if uses >= max(quota, 1) else 0)
    assert counter is None or counter.used == min(uses, quota)


def test_a_raised_quota_admits_again_and_its_end_is_news_again() -> None:
    used_up = Counter(quota=20, used=20, over_limit=3, announced_quota=20)
    admission = admit_use(used_up, MeterRule("prediction", "day", 21, True, 0))
    assert (admission.outcome, admission.announce) == ("counted", True)


def test_a_meter_used_before_a_change_of_plan_keeps_its_line() -> None:
    plan = Plan("free", 1, "Free", 0, {}, (HARD,))
    lines = draw_usage_lines(plan, {"prediction": 3, "llm_insight": 2})
    assert [(line.meter, line.quantity, line.included) for line in lines] == [
        ("prediction", 3, None),
        ("llm_insight", 2, None),
    ]
