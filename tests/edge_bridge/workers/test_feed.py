"""A feed gives every tick of the terminal once and in order, whatever the pace and credit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge_bridge.ports import Quote, TickColumns
from edge_bridge.workers.feed import LOOKS_MAX, SPAN_NS, TickFeed
from edge_bridge.workers.messages import FeedMark
from edge_bridge.workers.slot import _mark
from edge_bridge.workers.wire import Ticks

MS = 1_000_000
Row = tuple[int, int, int]


@dataclass
class History:
    """A terminal that has only ticks."""

    rows: list[Row] = field(default_factory=list)
    reads: int = 0
    lag: int = 0
    """Newest ticks that the history does not show yet."""

    def quote(self, symbol: str) -> Quote | None:
        if not self.rows:
            return None
        ts_ns, bid, ask = self.rows[-1]
        return Quote(symbol, bid, ask, ts_ns)

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        self.reads += 1
        shown = self.rows[: len(self.rows) - self.lag]
        found = [row for row in shown if from_ns <= row[0] < to_ns]
        return TickColumns(*([row[place] for row in found] for place in range(3)))


def make_feed(history: History, *marks: FeedMark) -> TickFeed:
    return TickFeed(history, ("EURUSD",), marks)  # type: ignore[arg-type]  # reads ticks only


def rows_of(found: Sequence[Ticks]) -> list[Row]:
    return [
        row
        for each in found
        for row in zip(each.columns.ts_ns, each.columns.bid, each.columns.ask, strict=True)
    ]


def without_repeats(rows: Sequence[Row]) -> list[Row]:
    return list(dict.fromkeys(rows))


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.booleans()),
    min_size=1,
    max_size=60,
)


@given(STEPS, st.data())
def test_every_tick_comes_once_and_in_order(
    steps: list[tuple[int, int, int, bool]], data: st.DataObject
) -> None:
    history = History([(MS, 1, 2)])
    feed = make_feed(history)
    found = rows_of(feed.poll(10))
    now_ns = MS
    for pause_ms, bid, ask, look in steps:
        now_ns += pause_ms * MS
        history.rows.append((now_ns, bid, ask))
        if look:
            part = rows_of(feed.poll(credit := data.draw(st.integers(0, 5))))
            assert len(part) <= credit
            found += part
    history.rows.append((now_ns + MS, 9, 9))  # a quote that comes back within its moment hides one
    for _ in range(len(steps) + 2):
        found += rows_of(feed.poll(100))
    assert found == without_repeats(history.rows)


@given(STEPS, st.integers(0, 60))
def test_a_feed_that_goes_on_for_another_repeats_and_misses_nothing(
    steps: list[tuple[int, int, int, bool]], cut: int
) -> None:
    history = History([(MS, 1, 2)])
    feed = make_feed(history)
    found = feed.poll(100)
    mark = _mark(found[-1], None)
    now_ns = MS
    for number, (pause_ms, bid, ask, _) in enumerate(steps):
        now_ns += pause_ms * MS
        history.rows.append((now_ns, bid, ask))
        if number == cut:
            feed = make_feed(history, mark)
        for ticks in feed.poll(100):
            found.append(ticks)
            mark = _mark(ticks, mark)
    for _ in range(3):
        found += feed.poll(100)
    assert rows_of(found) == without_repeats(history.rows)


def test_a_new_feed_begins_with_the_last_tick() -> None:
    history = History([(MS, 1, 2), (2 * MS, 3, 4)])
    feed = make_feed(history)
    assert rows_of(feed.poll(10)) == [(2 * MS, 3, 4)]
    assert feed.poll(10) == []


def test_nothing_new_costs_no_look_at_the_history() -> None:
    history = History([(MS, 1, 2)])
    feed = make_feed(history)
    feed.poll(10)
    reads = history.reads
    for _ in range(50):
        assert feed.poll(10) == []
    assert history.reads == reads


def test_without_credit_the_ticks_stay_in_the_terminal() -> None:
    history = History([(MS, 1, 2)])
    feed = make_feed(history)
    feed.poll(10)
    history.rows += [(n * MS, n, n + 1) for n in range(2, 9)]
    assert feed.poll(0) == []
    assert len(rows_of(feed.poll(3))) == 3
    assert rows_of(feed.poll(100)) == history.rows[4:]


def test_after_a_long_silence_the_feed_finds_the_next_tick() -> None:
    later = MS + 7 * SPAN_NS + 5
    history = History([(MS, 1, 2)])
    feed = make_feed(history)
    feed.poll(10)
    history.rows.append((later, 3, 4))
    found = [row for _ in range(9) for row in rows_of(feed.poll(10))]
    assert found == [(later, 3, 4)]


def test_a_history_that_lags_behind_the_last_tick_is_looked_at_again_within_a_bound() -> None:
    history = History([(MS, 1, 2)])
    feed = make_feed(history)
    feed.poll(10)
    history.rows.append((2 * MS, 3, 4))
    history.lag = 1
    assert feed.poll(10) == []
    history.lag = 0
    assert rows_of(feed.poll(10)) == [(2 * MS, 3, 4)]
    history.rows.append((3 * MS, 3, 4))
    history.lag = 1
    reads = history.reads
    for _ in range(3 * LOOKS_MAX):
        feed.poll(10)
    assert history.reads - reads == LOOKS_MAX
