"""Bars of every timeframe are the terminal's own: the same opening times, prices and counts."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.data_bridge import TIMEFRAME_SECONDS
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.paper.settings import AccountSettings, make_forex_symbol
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.recording import open_recording
from edge_bridge.bridge.ticks import TickChunk, make_chunk
from edge_bridge.bridge.timeframes import HIGHER, find_span
from edge_bridge.values import Bar, Timeframe
from tests.edge_bridge.market_kit import KeptMessages
from tests.support.builders import FixedClock

ROOT = Path(__file__).parents[2]
EURUSD = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
TIMEFRAMES: tuple[Timeframe, ...] = ("M1", *HIGHER)
S = 10**9
HOUR_NS = 3_600 * S


def build_bars(chunk: TickChunk, parts: list[int]) -> dict[Timeframe, list[Bar]]:
    """The bars of a bridge that takes a chunk in parts, the forming ones last."""
    bridge = MarketBridge("test", {chunk.symbol: 5}, KeptMessages(), FixedClock())
    start, bars = 0, {timeframe: list[Bar]() for timeframe in TIMEFRAMES}
    for size in [*parts, len(chunk)]:
        part = chunk.part(start, start + size)
        start += size
        bridge.ingest(part)
        if len(part):
            bridge.advance(int(part.ts_ns[-1]))
    for closed in bridge.take_bars():
        bars[closed.timeframe].append(closed.bar)
    for timeframe, bar in bridge.forming_bars(chunk.symbol).items():
        bars[timeframe].append(bar)
    return bars


def show(bars: list[Bar]) -> list[tuple[int, ...]]:
    """What a terminal's bar says too: its spread is the least one, ours the mean."""
    return [(b.time_ns, b.open, b.high, b.low, b.close, b.tick_volume) for b in bars]


def ask_terminal(chunk: TickChunk, count: int) -> dict[Timeframe, list[Bar]]:
    settings = AccountSettings(login=1, server="Test", currency="USD", balance=1, leverage=1)
    simulated = SimulatedTerminal(settings, [make_forex_symbol(chunk.symbol, 5)])
    columns = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
    for number, tick in enumerate(zip(*columns, strict=True)):
        simulated.feed_tick(number, *tick, chunk.symbol)
    terminal = open_terminal(simulated)
    terminal.connect()
    return {each: list(terminal.bars(chunk.symbol, each, count)) for each in TIMEFRAMES}


def test_the_shipped_days_give_the_terminals_bars() -> None:
    chunk = open_recording(EURUSD, "EURUSD").chunk
    chunk = chunk.part(0, 40_000)
    repeated = (np.diff(chunk.ts_ns) == 0) & (np.diff(chunk.bid) == 0) & (np.diff(chunk.ask) == 0)
    kept = np.concatenate(([True], ~repeated))
    chunk = make_chunk("EURUSD", chunk.ts_ns[kept], chunk.bid[kept], chunk.ask[kept])
    ours, theirs = build_bars(chunk, [4_096] * 9), ask_terminal(chunk, 5_000)
    for timeframe in TIMEFRAMES:
        assert show(ours[timeframe]) == show(theirs[timeframe]), timeframe
    assert len(ours["D1"]) > 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**9), month=st.sampled_from((1, 3, 7, 11)))
def test_weeks_around_the_change_of_the_clocks_give_the_terminals_bars(
    seed: int, month: int
) -> None:
    rng = random.Random(seed)
    start = int(np.datetime64(f"2024-{month:02d}-01", "s").astype(np.int64)) * S
    times = []
    for day in range(14):
        opened = start + day * 24 * HOUR_NS
        if np.datetime64(opened // S, "s").astype("datetime64[D]").astype(int) % 7 in (2, 3):
            continue  # Saturday and Sunday in UTC: closed but for the last hours
        times += sorted(opened + rng.randrange(24 * 3_600) * S for _ in range(40))
    bids = [137_000 + rng.randint(-40, 40) for _ in times]
    chunk = make_chunk("EURUSD", times, bids, [bid + 3 for bid in bids])
    distinct = np.concatenate(([True], np.diff(chunk.ts_ns) > 0))
    chunk = make_chunk("EURUSD", *(c[distinct] for c in (chunk.ts_ns, chunk.bid, chunk.ask)))
    cuts = [rng.randint(1, 90) for _ in range(5)]
    ours, theirs = build_bars(chunk, cuts), ask_terminal(chunk, 2_000)
    for timeframe in TIMEFRAMES:
        assert show(ours[timeframe]) == show(theirs[timeframe]), timeframe


def test_four_hours_and_days_follow_the_brokers_clock() -> None:
    summer = 1_399_449_600 * S  # 2014-05-07 08:00 UTC, 11:00 at the broker
    assert find_span("D1", summer, BrokerClock()) == (summer - 11 * HOUR_NS, summer + 13 * HOUR_NS)
    assert find_span("H4", summer, BrokerClock()) == (summer - 3 * HOUR_NS, summer + HOUR_NS)
    winter = 1_389_081_600 * S  # 2014-01-07 08:00 UTC, 10:00 at the broker
    assert find_span("H4", winter, BrokerClock()) == (winter - 2 * HOUR_NS, winter + 2 * HOUR_NS)


def test_a_broker_half_an_hour_off_has_its_hours_at_half_past() -> None:
    clock = BrokerClock("Asia/Kolkata", 0)
    noon = 1_399_464_000 * S  # 2014-05-07 12:00 UTC, 17:30 there
    assert find_span("H1", noon, clock) == (noon - HOUR_NS // 2, noon + HOUR_NS // 2)


@pytest.mark.parametrize("timeframe", HIGHER)
def test_a_bar_closes_when_the_clock_passes_its_end_without_a_later_tick(
    timeframe: Timeframe,
) -> None:
    bridge = MarketBridge("test", {"EURUSD": 5}, KeptMessages(), FixedClock())
    opened, end = find_span(timeframe, 1_399_449_600 * S, BrokerClock())
    bridge.ingest_tick("EURUSD", opened, 137_000, 137_002)
    assert (end - opened) // S == TIMEFRAME_SECONDS[timeframe]
    bridge.advance(end - 1)
    assert timeframe not in {closed.timeframe for closed in bridge.take_bars()}
    assert bridge.forming_bars("EURUSD")[timeframe].tick_volume == 1
    bridge.advance(end)
    assert timeframe in {closed.timeframe for closed in bridge.take_bars()}
    assert timeframe not in bridge.forming_bars("EURUSD")


def test_forming_bars_show_the_ticks_of_the_minute_under_way() -> None:
    bridge = MarketBridge("test", {"EURUSD": 5}, KeptMessages(), FixedClock())
    assert bridge.forming_bars("EURUSD") == {}
    start = 1_399_449_600 * S
    for number, bid in enumerate((137_000, 137_010, 136_990, 137_005)):
        bridge.ingest_tick("EURUSD", start + number * 40 * S, bid, bid + 2)
    shown = bridge.forming_bars("EURUSD")
    assert shown["M1"] == Bar(start + 2 * MINUTE_NS, 137_005, 137_005, 137_005, 137_005, 1, 2)
    assert shown["H1"] == Bar(start, 137_000, 137_010, 136_990, 137_005, 4, 2)
