"""A backtest gives what the paper replay gives: the same fills, closes and denials, in order."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.ai_orchestration import SignalIssued
from contracts.ids import derived_id
from contracts.trading_engine import OrderFilled
from edge_bridge.backtest.config import BacktestConfig, parse_config
from edge_bridge.backtest.market import TickMarket, judge
from edge_bridge.backtest.run import Backtest, Played
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.recording import Recording, open_recording
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.bridge.validation import ACCEPTED, TickRules
from edge_bridge.engine.engine import Engine
from edge_bridge.times import instant
from tests.edge_bridge.backtest.replays import (
    open_parts,
    pick_outcomes,
    play_replay,
    play_tick_by_tick,
)
from tests.edge_bridge.dirty_ticks import make_dirty_ticks, to_chunk

ROOT = Path(__file__).parents[3]
TICKS = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
START_NS = 1_400_054_400_000_000_000
HOUR_NS = 3_600_000_000_000


def record(hours: float, start_ns: int = START_NS) -> Recording:
    return open_recording(TICKS, "EURUSD", start_ns, start_ns + int(hours * HOUR_NS))


def configure(**sections: Any) -> BacktestConfig:
    signals = {"kind": "ema_cross", "fast": 20, "slow": 80, "stop": 60, "target": 90}
    limits = {"orders_per_minute_max": 600, "cooldown_s": 0}
    return parse_config(
        {"symbol": {"name": "EURUSD"}, "signals": signals, "limits": limits, **sections}
    )


def configure_file(path: Path, signals: list[SignalIssued], **sections: Any) -> BacktestConfig:
    path.write_text("".join(each.model_dump_json() + "\n" for each in signals), encoding="utf-8")
    return configure(signals={"kind": "file", "path": str(path)}, **sections)


def run(recording: Recording, config: BacktestConfig) -> Played:
    return Backtest(TickMarket(recording), config).run()


def tell(played: Played) -> list[tuple[Any, ...]]:
    return pick_outcomes([envelope.data for envelope in played.events])


def test_signals_from_a_file_fill_and_close_as_in_the_paper_replay(tmp_path: Path) -> None:
    recording, config = record(6), configure()
    heard, signals = play_replay(tmp_path, recording, config, every=2)
    played = run(recording, configure_file(tmp_path / "signals.jsonl", signals))
    expected = pick_outcomes(heard)
    assert tell(played) == expected
    kinds = Counter(outcome[0] for outcome in expected)
    assert kinds["OrderFilled"] == kinds["PositionClosed"] > 50
    reasons = {dict(o[1:])["reason"] for o in expected if o[0] == "PositionClosed"}
    assert {"stop_loss", "horizon"} <= reasons


def test_signals_across_a_weekend_fill_and_close_as_in_the_paper_replay(tmp_path: Path) -> None:
    friday_ns = 1_399_660_200_000_000_000  # 2014-05-09 18:30, the market closes at 21:00
    recording, config = record(54, friday_ns), configure()
    heard, signals = play_replay(tmp_path, recording, config, every=5)
    played = run(recording, configure_file(tmp_path / "signals.jsonl", signals))
    assert tell(played) == pick_outcomes(heard)
    assert played.signals == len(signals) > 20


@pytest.mark.parametrize("looks", ["minutes", "events"])
def test_crosses_found_in_whole_columns_fill_as_tick_by_tick(looks: str, tmp_path: Path) -> None:
    recording = record(2)
    config = configure(market={"looks": looks})
    heard, signals = play_tick_by_tick(tmp_path, recording, config)
    played = run(recording, config)
    expected = pick_outcomes(heard)
    assert tell(played) == expected
    assert played.signals == len(signals) > 50
    reasons = {dict(o[1:])["reason"] for o in expected if o[0] == "PositionClosed"}
    assert {"stop_loss", "take_profit"} <= reasons


def test_dirty_ticks_are_judged_as_in_the_paper_replay(tmp_path: Path) -> None:
    chunk = to_chunk(make_dirty_ticks(4_000, seed=7))
    recording, config = Recording(chunk, 5), configure()
    heard, signals = play_replay(tmp_path, recording, config, every=1)
    played = run(recording, configure_file(tmp_path / "signals.jsonl", signals))
    expected = pick_outcomes(heard)
    assert tell(played) == expected
    assert any(outcome[0] == "OrderFilled" for outcome in expected)
    assert played.market.count.accepted < 4_000
    assert "crossed" in played.market.count.rejected


@pytest.mark.parametrize("seed", range(5))
def test_every_verdict_is_the_one_of_playing_minute_by_minute(seed: int, tmp_path: Path) -> None:
    chunk = to_chunk(make_dirty_ticks(2_000, seed))
    recording = Recording(chunk, 5)
    journal, floor, engine = open_parts(tmp_path, recording, configure())
    accepted = _replay_accepted(recording, (journal, floor, engine))
    clock = np.maximum.accumulate(chunk.ts_ns)
    mine = np.flatnonzero(judge(chunk, clock, TickRules()) == ACCEPTED)
    assert mine.tolist() == accepted
    floor.close()
    journal.close()


def _replay_accepted(recording: Recording, parts: tuple[Any, Any, Engine]) -> list[int]:
    """Rows that the paper replay gives to its terminals."""
    from edge_bridge.replay import Replay
    from edge_bridge.times import SystemClock
    from tests.edge_bridge.backtest.replays import Answers

    journal, _, engine = parts
    fed: list[int] = []

    class Watched:
        last = None

        def feed(self, first: int, chunk: TickChunk, places: list[int]) -> None:
            fed.extend(first + place for place in places)

    bridge = MarketBridge("replay", {"EURUSD": 5}, journal, SystemClock())
    answers: Any = Answers(journal, 10**9)
    watched: Any = Watched()
    replay = Replay(recording, bridge, engine, watched, (answers, answers))
    replay.run("none", rows_max=10**6, decision_wait_s=1.0, end_ns=None)
    return fed


def test_the_same_backtest_gives_the_same_bytes_twice() -> None:
    recording, config = record(1), configure()
    first, second = (tell(run(recording, config)) for _ in range(2))
    assert first == second
    assert first


def test_latency_fills_at_a_later_price_and_never_earlier() -> None:
    recording = record(2)
    at_once = run(recording, configure())
    late = run(recording, configure(market={"latency_ms": 1_500}))
    fills = [
        {e.data.signal_id: e.data for e in played.events if isinstance(e.data, OrderFilled)}
        for played in (at_once, late)
    ]
    both = fills[0].keys() & fills[1].keys()
    waits = {(fills[1][k].filled_at - fills[0][k].filled_at).total_seconds() for k in both}
    assert both
    assert waits == {1.5}
    assert any(fills[0][key].price != fills[1][key].price for key in both)


def test_signals_after_the_last_price_wait_for_the_end_that_was_asked_for(tmp_path: Path) -> None:
    recording, config = record(1), configure()
    _, signals = play_replay(tmp_path, recording, config, every=1)
    last_ns = int(recording.chunk.ts_ns[-1])
    shift = instant(last_ns) - signals[-1].as_of
    late = [
        signals[-1].model_copy(
            update={
                "signal_id": derived_id("late", seconds),
                "bar_id": derived_id("late bar", seconds),
                "as_of": signals[-1].as_of + shift + timedelta(seconds=seconds),
                "expires_at": signals[-1].expires_at + shift + timedelta(seconds=seconds),
            }
        )
        for seconds in (5, 30, 90)
    ]
    config = configure_file(tmp_path / "late.jsonl", late)
    cut = Backtest(TickMarket(recording), config).run()
    longer = Backtest(TickMarket(recording), config).run(last_ns + 60 * 10**9)
    assert (cut.signals, cut.unplayed) == (0, 3)
    assert (longer.signals, longer.unplayed) == (2, 1)
    assert [outcome[0] for outcome in tell(longer)].count("OrderFilled") == 2
