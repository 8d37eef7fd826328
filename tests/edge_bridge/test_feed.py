"""Gaps are noticed, asked for and filled in order: bars and ticks come out as without them."""

import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from contracts.data_bridge import OutboxFilling, TickGapDetected
from edge_bridge.adapters.paper.settings import AccountSettings, make_forex_symbol
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.bridge.feed import LiveFeed
from edge_bridge.bridge.gaps import GapRules, S
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.symbols import SymbolMap
from edge_bridge.bridge.ticks import TickChunk, make_chunk
from edge_bridge.link.outbox import OutboxBounds, OutboxGauge, OutboxGuard
from edge_bridge.ports import StorageFull
from tests.edge_bridge.dirty_ticks import START_NS
from tests.edge_bridge.market_kit import KeptMessages, Memory, cut_out
from tests.support.builders import FixedClock

MINUTE = 60 * S


def make_ticks(seed: int, seconds: int, a_second: float = 1.0) -> TickChunk:
    """A market in order, with equal times, repetitions, spikes and crossed prices."""
    rng = random.Random(seed)
    rows: list[tuple[int, int, int]] = []
    now, bid = START_NS + S, 137_000
    while now < START_NS + seconds * S:
        bid += rng.randint(-4, 4)
        row = (now, bid, bid + rng.randint(1, 9))
        if rng.random() < 0.03:
            row = rng.choice(
                ((now, bid * 2, bid * 2 + 3), (now, bid, bid - 1), (rows or [row])[-1])
            )
        rows.append((now, *row[1:]))
        now += int(rng.expovariate(a_second) * 1_000) * 1_000_000
    columns = list(zip(*rows, strict=True))
    return make_chunk("EURUSD", *columns)


class Stage:
    """A feed over a market: its terminal, its outbox, what it wrote."""

    def __init__(
        self, market: TickChunk, silences: list[bool] | None = None, **more: object
    ) -> None:
        self.market, self.kept, self.gauge = market, KeptMessages(), OutboxGauge()
        self.memory = Memory(market, silences or [])
        self.bounds = OutboxBounds(rows_max=1_000, bytes_max=1_000_000)
        self.now_ns = START_NS
        self.open(**more)

    def open(self, **more: object) -> None:
        self.bridge = MarketBridge("test", {"EURUSD": 5}, self.kept, FixedClock())
        guard = OutboxGuard(self.gauge, self.bounds)
        self.feed = LiveFeed(self.bridge, self.memory, guard, **more)  # type: ignore[arg-type]
        self.feed.start(self.now_ns)

    def run(self, until_ns: int, *, lost: bool = False, step_ns: int = S) -> None:
        """Pass time; ticks that are lost are in the terminal's memory only."""
        while self.now_ns < until_ns:
            before, self.now_ns = self.now_ns, min(until_ns, self.now_ns + step_ns)
            self.memory.now_ns = self.now_ns
            if not lost:
                self.feed.take(cut_out(self.market, before, self.now_ns), self.now_ns)
            self.feed.pump(self.now_ns)

    def end(self) -> KeptMessages:
        self.run(int(self.market.ts_ns[-1]) + 90 * S)
        self.run(START_NS + 1_600 * S, step_ns=10 * S)
        self.bridge.flush()
        assert self.feed.commit(self.now_ns)
        self.kept.bars = self.bridge.take_bars()
        self.kept.forming = self.bridge.forming_bars("EURUSD")
        return self.kept


def play_whole(market: TickChunk) -> KeptMessages:
    stage = Stage(market)
    kept = stage.end()
    assert kept.facts(TickGapDetected) == []
    return kept


@settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    seed=st.integers(0, 10**9),
    rate=st.sampled_from((0.2, 1.0, 5.0)),
    cuts=st.lists(
        st.tuples(st.integers(1, 100), st.integers(12, 150), st.booleans()), min_size=1, max_size=4
    ),
    silences=st.lists(st.booleans(), max_size=5),
)
def test_cuts_that_are_filled_leave_the_same_ticks_and_bars_as_no_cuts(
    seed: int, rate: float, cuts: list[tuple[int, int, bool]], silences: list[bool]
) -> None:
    market = make_ticks(seed, 420, rate)
    whole = play_whole(market)
    stage = Stage(market, silences)
    stage.run(START_NS + 65 * S)
    for ahead, seconds, told in cuts:
        stage.run(stage.now_ns + ahead * S)
        if told:
            stage.feed.note_disconnect(stage.now_ns)
        stage.run(stage.now_ns + seconds * S, lost=True)
        if told:
            stage.feed.note_reconnect(stage.now_ns)
    kept = stage.end()
    assert kept.ticks() == whole.ticks()
    assert kept.minutes() == whole.minutes()
    assert {(b.timeframe, b.bar) for b in kept.bars} == {(b.timeframe, b.bar) for b in whole.bars}
    assert kept.forming == whole.forming
    assert not stage.feed.held


def test_a_gap_is_told_with_what_the_terminal_gave_afterwards() -> None:
    market = make_ticks(1, 300)
    stage = Stage(market)
    stage.run(START_NS + 100 * S)
    lost = len(cut_out(market, START_NS + 100 * S, START_NS + 130 * S))
    stage.feed.note_disconnect(stage.now_ns)
    stage.run(START_NS + 130 * S, lost=True)
    assert stage.feed.pauses == {"terminal"}
    stage.feed.note_reconnect(stage.now_ns)
    (gap,) = stage.end().facts(TickGapDetected)
    assert (gap.symbol, gap.complete) == ("EURUSD", True)
    repeated = lost - gap.backfilled  # the same time and prices as the tick before the gap
    assert 0 <= repeated <= 1


def test_a_terminal_that_never_answers_is_asked_so_often_and_then_the_market_goes_on() -> None:
    market = make_ticks(2, 900)
    rules = GapRules(attempts_max=4)
    stage = Stage(market, [True] * 4, rules=rules)
    kept = stage.end()
    told = kept.facts(TickGapDetected)
    assert [(fact.complete, fact.backfilled) for fact in told] == [(False, 0)]
    whole = play_whole(market).ticks()
    assert kept.ticks()[-100:] == whole[-100:]
    assert len(kept.ticks()) < len(whole)
    assert not stage.feed.held


def test_a_process_that_was_down_asks_for_what_came_meanwhile() -> None:
    market = make_ticks(3, 400)
    whole = play_whole(market)
    stage = Stage(market)
    stage.run(START_NS + 150 * S)
    stage.now_ns += 77 * S
    stage.memory.now_ns = stage.now_ns
    stage.open()
    kept = stage.end()
    assert kept.ticks() == whole.ticks()
    assert kept.minutes() == whole.minutes()
    assert len(kept.facts(TickGapDetected)) == 1


def test_a_gap_longer_than_is_asked_for_is_filled_as_far_and_told_as_incomplete() -> None:
    market = make_ticks(9, 400)
    stage = Stage(market, rules=GapRules(lookback_ns=90 * S, span_ns=20 * S))
    stage.run(START_NS + 100 * S)
    stage.feed.note_disconnect(stage.now_ns)
    stage.run(START_NS + 250 * S, lost=True)
    stage.feed.note_reconnect(stage.now_ns)
    kept = stage.end()
    told = [fact.complete for fact in kept.facts(TickGapDetected)]
    assert told == [False]
    times = [ts_ns for ts_ns, _, _ in kept.ticks()]
    assert not [ts_ns for ts_ns in times if START_NS + 100 * S < ts_ns < START_NS + 160 * S]
    expected = [row for row in play_whole(market).ticks() if row[0] > START_NS + 161 * S]
    assert kept.ticks()[-len(expected) :] == expected


def test_a_weekend_is_no_gap_and_nobody_is_asked_about_it() -> None:
    friday = 1_399_668_000 * S  # 2014-05-09 16:40 in New York
    sunday = friday + (48 * 60 + 20) * MINUTE
    times = [friday + i * S for i in range(1_199)] + [sunday + S + i * S for i in range(60)]
    market = make_chunk("EURUSD", times, [137_000] * len(times), [137_005] * len(times))
    stage = Stage(market)
    stage.now_ns = friday + 1_000 * S
    stage.run(friday + 1_200 * S)
    asked = len(stage.memory.questions)
    stage.run(sunday, step_ns=600 * S)
    stage.run(sunday + 30 * S)
    assert len(stage.memory.questions) == asked
    assert stage.end().facts(TickGapDetected) == []


def test_a_full_outbox_stops_the_ticks_and_loses_none_of_them() -> None:
    market = make_ticks(4, 600)
    whole = play_whole(market)
    stage = Stage(market)
    stage.run(START_NS + 120 * S)
    stage.gauge.add("market", 750, 1_000)  # past the alarm, below the bound
    stage.run(START_NS + 125 * S)
    assert not stage.feed.pauses
    stage.gauge.add("market", 200, 1_000)
    stage.run(START_NS + 240 * S)
    assert stage.feed.pauses == {"outbox"}
    written = len(stage.kept.ticks())
    stage.run(START_NS + 300 * S)
    assert len(stage.kept.ticks()) == written
    stage.gauge.add("market", -130, 0)
    stage.run(START_NS + 310 * S)
    assert stage.feed.pauses == {"outbox"}  # it opens again only when there is some room
    stage.gauge.add("market", -400, 0)
    kept = stage.end()
    assert kept.ticks() == whole.ticks()
    assert kept.minutes() == whole.minutes()
    assert [fact.alarm for fact in kept.facts(OutboxFilling)] == [True, False]


def test_a_full_disk_stops_the_ticks_until_it_takes_the_step_that_waited() -> None:
    market = make_ticks(5, 400)
    whole = play_whole(market)
    stage = Stage(market)
    stage.run(START_NS + 100 * S)
    write, tries = stage.kept.write, []

    def refuse(**step: object) -> None:
        tries.append(step)
        raise StorageFull("database or disk is full")

    stage.kept.write = refuse  # type: ignore[method-assign, assignment]
    stage.run(START_NS + 200 * S)
    assert stage.feed.pauses == {"disk"}
    assert 3 < len(tries) < 25  # tried again, further and further apart
    stage.kept.write = write  # type: ignore[method-assign]
    kept = stage.end()
    assert kept.ticks() == whole.ticks()
    assert kept.minutes() == whole.minutes()


@pytest.mark.parametrize("suffix", ["", ".m"])
def test_ticks_come_under_the_brokers_name_and_others_are_counted(suffix: str) -> None:
    market = make_ticks(6, 200)
    stage = Stage(market, symbols=SymbolMap({}, suffix))
    stage.memory.now_ns = START_NS + 200 * S
    named = make_chunk(f"EURUSD{suffix}", market.ts_ns[:50], market.bid[:50], market.ask[:50])
    stage.feed.take(named, START_NS + 200 * S)
    odd = make_chunk(f"EURUSD{suffix or '.x'}x", [START_NS], [137_000], [137_001])
    stage.feed.take(odd, START_NS + 200 * S)
    read, _, rejected = stage.bridge.count_ticks()
    assert (read, rejected["unknown_symbol"]) == (51, 1)
    stage.feed.note_reconnect(START_NS + 200 * S)
    stage.feed.pump(START_NS + 200 * S)
    assert stage.memory.questions[0][0] == f"EURUSD{suffix}"


def test_a_terminals_own_history_fills_the_gap() -> None:
    market = make_ticks(7, 200)
    account = AccountSettings(login=1, server="Test", currency="USD", balance=1, leverage=1)
    simulated = SimulatedTerminal(account, [make_forex_symbol("EURUSD", 5)])
    columns = market.ts_ns.tolist(), market.bid.tolist(), market.ask.tolist()
    sound = [tick for tick in zip(*columns, strict=True) if 136_000 < tick[1] < tick[2] < 138_000]
    for number, tick in enumerate(sound):
        simulated.feed_tick(number, *tick, "EURUSD")
    market = make_chunk("EURUSD", *zip(*sound, strict=True))
    whole = play_whole(market)
    stage = Stage(market)
    terminal = open_terminal(simulated)
    terminal.connect()
    stage.feed = LiveFeed(stage.bridge, terminal, OutboxGuard(stage.gauge))
    stage.run(START_NS + 70 * S)
    stage.run(START_NS + 130 * S, lost=True)
    kept = stage.end()
    assert kept.ticks() == whole.ticks()
    assert kept.minutes() == whole.minutes()
    assert sum(fact.backfilled for fact in kept.facts(TickGapDetected)) > 0
