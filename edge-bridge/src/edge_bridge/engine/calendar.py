"""When not to enter: the week's close, the broker's midnight, news, and a tenant's own days.

All of it follows from UTC and the zones' own rules. A zone is asked once for a stretch of time in
which the answer cannot change (a day, a week); in between, a signal compares nanoseconds.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.trading_engine import NewsCalendarPublished

NEW_YORK = "America/New_York"
JAKARTA = "Asia/Jakarta"
CLOSE_HOUR = 17
"""The market's week ends on Friday and begins on Sunday at this hour in New York."""
FRIDAY, SUNDAY = 4, 6
MINUTE_NS = 60_000_000_000
LONG_AGO_NS, NEVER_NS = -(2**62), 2**62
ANSWERS_KEPT = 1_000
_K = TypeVar("_K")
_V = TypeVar("_V")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK_MINUTES = 7 * 1_440
_THURSDAY_MINUTES = 3 * 1_440


@dataclass(frozen=True, slots=True)
class Periods:
    """A tenant's local day, week and month by the date they begin, and the day's bounds."""

    day: str
    week: str
    month: str
    starts_ns: int
    ends_ns: int


@dataclass(frozen=True, slots=True)
class MarketWeek:
    """Whether the market is open from `starts_ns` until `ends_ns`."""

    open: bool
    starts_ns: int
    ends_ns: int
    """For an open market: the week's close."""


@lru_cache(maxsize=1_024)
def find_zone(name: str, otherwise: str) -> ZoneInfo:
    """A time zone by name; another one when there is none of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(otherwise)


def to_local(time_ns: int, zone: ZoneInfo) -> datetime:
    """A UTC time on a zone's wall, to the microsecond."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1_000)).astimezone(zone)


def to_ns(moment: datetime) -> int:
    """An instant as nanoseconds since the epoch, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def to_utc_ns(day: date, hour: int, zone: ZoneInfo) -> int:
    """The UTC time of a full hour on a zone's wall."""
    return to_ns(datetime.combine(day, time(hour), zone).astimezone(UTC))


def find_periods(zone: ZoneInfo, now_ns: int) -> Periods:
    """The local day, week (from Monday) and month of an instant."""
    today = to_local(now_ns, zone).date()
    week = today - timedelta(days=today.weekday())
    return Periods(
        today.isoformat(),
        week.isoformat(),
        today.replace(day=1).isoformat(),
        to_utc_ns(today, 0, zone),
        to_utc_ns(today + timedelta(days=1), 0, zone),
    )


def find_rollovers(zone: ZoneInfo, ahead_hours: int, now_ns: int) -> tuple[int, int]:
    """The broker's last midnight at or before an instant, and the next one after it."""
    hour, today = -ahead_hours % 24, to_local(now_ns, zone).date()
    midnights = [to_utc_ns(today + timedelta(days=d), hour, zone) for d in (-2, -1, 0, 1, 2)]
    return (
        max(each for each in midnights if each <= now_ns),
        min(each for each in midnights if each > now_ns),
    )


def find_market_week(now_ns: int) -> MarketWeek:
    """Whether the week is open: from Sunday 17:00 to Friday 17:00 in New York."""
    zone = find_zone(NEW_YORK, NEW_YORK)
    today = to_local(now_ns, zone).date()
    days = [today + timedelta(days=offset) for offset in range(-7, 9)]
    turns = [(to_utc_ns(day, CLOSE_HOUR, zone), day.weekday() == SUNDAY)
             for day in days if day.weekday() in (FRIDAY, SUNDAY)]  # fmt: skip
    last = max(turn for turn in turns if turn[0] <= now_ns)
    following = min(turn for turn in turns if turn[0] > now_ns)
    return MarketWeek(last[1], last[0], following[0])


def find_week_minute(now_ns: int) -> int:
    """The minute of the UTC week; Monday 00:00 is 0."""
    return (now_ns // MINUTE_NS + _THURSDAY_MINUTES) % _WEEK_MINUTES


class TradingCalendar:
    """Keeps the answers for as long as they hold."""

    def __init__(self) -> None:
        self._periods: dict[str, Periods] = {}
        self._rollovers: dict[tuple[str, int], tuple[int, int]] = {}
        self._week: MarketWeek | None = None
        self._news: dict[str, tuple[int, ...]] = {}
        self.news_version = 0
        """Of the calendar that holds."""
        self._near: dict[tuple[str, str], tuple[int, int]] = {}

    def find_periods(self, zone_name: str, now_ns: int) -> Periods:
        """The local periods of an instant; an unknown zone is Jakarta's."""
        known = self._periods.get(zone_name)
        if known is None or not known.starts_ns <= now_ns < known.ends_ns:
            known = find_periods(find_zone(zone_name, JAKARTA), now_ns)
            _keep(self._periods, zone_name, known)
        return known

    def find_rollovers(self, clock: tuple[str, int], now_ns: int) -> tuple[int, int]:
        """The midnights around an instant on a broker's clock; unknown zones are New York's."""
        known = self._rollovers.get(clock)
        if known is None or not known[0] <= now_ns < known[1]:
            known = find_rollovers(find_zone(clock[0], NEW_YORK), clock[1], now_ns)
            _keep(self._rollovers, clock, known)
        return known

    def find_market_week(self, now_ns: int) -> MarketWeek:
        """Whether the market is open, and until when."""
        known = self._week
        if known is None or not known.starts_ns <= now_ns < known.ends_ns:
            known = self._week = find_market_week(now_ns)
        return known

    def take_news(self, message: NewsCalendarPublished) -> tuple[str, str, str] | None:
        """Take a calendar; return the record to keep when it is newer than the one known."""
        if message.version <= self.news_version:
            return None
        found: dict[str, list[int]] = {}
        for window in message.windows:
            found.setdefault(window.currency, []).append(to_ns(window.at))
        self._news = {currency: tuple(sorted(times)) for currency, times in found.items()}
        self.news_version = message.version
        self._near.clear()
        return "news", "calendar", message.model_dump_json()

    def load(self, records: dict[str, str]) -> None:
        """Take back what `take_news` gave to keep."""
        for text in records.values():
            self.take_news(NewsCalendarPublished.model_validate_json(text))

    def find_news(self, base: str, quoted: str, now_ns: int) -> tuple[int, int]:
        """The last event of two currencies at or before an instant, and the next one after it;
        far away where there is none.

        A calendar that was never published has no events: the platform decides whether to
        publish one, and trading does not depend on it.
        """
        known = self._near.get((base, quoted))
        if known is None or not known[0] <= now_ns < known[1]:
            times = self._news.get(base, ()) + self._news.get(quoted, ())
            known = (
                max((each for each in times if each <= now_ns), default=LONG_AGO_NS),
                min((each for each in times if each > now_ns), default=NEVER_NS),
            )
            _keep(self._near, (base, quoted), known)
        return known


def _keep(answers: dict[_K, _V], key: _K, value: _V) -> None:
    if len(answers) >= ANSWERS_KEPT:
        answers.clear()
    answers[key] = value
