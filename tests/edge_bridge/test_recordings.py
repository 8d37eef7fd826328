"""Whole recordings: what is rejected, counted; and bars as a data-frame library builds them.

The shipped slice is always read. Longer files are read from the folder that SINYAL_DATA names, or
from `shared/data` beside the checkout, where there is one.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.data_bridge import TIMEFRAME_SECONDS
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.recording import open_recording
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.bridge.timeframes import HIGHER
from edge_bridge.bridge.validation import TickRules, TickValidator, count_reasons
from edge_bridge.values import Timeframe
from tests.edge_bridge.market_kit import KeptMessages
from tests.support.builders import FixedClock

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
DIRTY = ROOT / "tests" / "data" / "nzdusd_fxcm_dirty.parquet"
NAMED = os.environ.get("SINYAL_DATA")
FOLDER = Path(NAMED) if NAMED else ROOT.parent / "shared" / "data"
S = 10**9


def find_recordings() -> list[tuple[Path, str]]:
    longer = [
        (FOLDER / "tick_eurusd_oanda_201405.parquet", "EURUSD"),
        (FOLDER / "tick_nzdusd_fxcm_201405.parquet", "NZDUSD"),
    ]
    return [(SHIPPED, "EURUSD"), (DIRTY, "NZDUSD"), *(row for row in longer if row[0].exists())]


RECORDINGS = pytest.mark.parametrize(
    ("path", "symbol"), find_recordings(), ids=[path.stem for path, _ in find_recordings()]
)


def judge(chunk: TickChunk) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    validator = TickValidator(TickRules())
    parts = [validator.judge_chunk(chunk.part(i, i + 4_096)) for i in range(0, len(chunk), 4_096)]
    return np.concatenate(parts)


@pytest.mark.slow
@RECORDINGS
def test_every_crossed_and_zero_tick_is_counted_and_none_comes_through(
    path: Path, symbol: str
) -> None:
    chunk = open_recording(path, symbol).chunk
    verdicts = judge(chunk)
    counts = count_reasons(verdicts)
    crossed, locked = int((chunk.bid > chunk.ask).sum()), int((chunk.bid == chunk.ask).sum())
    assert (counts.get("crossed", 0), counts.get("zero", 0)) == (crossed, locked)
    accepted = verdicts == 0
    assert (chunk.bid[accepted] < chunk.ask[accepted]).all()
    assert counts.get("price_jump", 0) == 0  # no move of a real market here is taken for a spike
    assert int(accepted.sum()) + sum(counts.values()) == len(chunk)
    if path.stem == "tick_nzdusd_fxcm_201405":
        assert (crossed, locked) == (18_958, 13_814)


def build_with_pandas(chunk: TickChunk, timeframe: Timeframe) -> pd.DataFrame:
    """Bars on the broker's clock: New York's wall time and seven hours."""
    frame = pd.DataFrame(
        {"bid": chunk.bid, "spread": chunk.ask - chunk.bid},
        index=pd.to_datetime(chunk.ts_ns, utc=True).tz_convert("America/New_York"),
    )
    frame.index = frame.index.tz_localize(None) + pd.Timedelta(hours=7)
    groups = frame.groupby(frame.index.floor(f"{TIMEFRAME_SECONDS[timeframe]}s"))
    bars = groups["bid"].agg(["first", "max", "min", "last", "count"])
    total, count = groups["spread"].sum(), bars["count"]
    bars["spread"] = (2 * total + count) // (2 * count)
    return bars


@pytest.mark.slow
@RECORDINGS
def test_bars_of_every_timeframe_are_those_that_pandas_builds(path: Path, symbol: str) -> None:
    chunk = open_recording(path, symbol).chunk
    kept = judge(chunk) == 0
    accepted = TickChunk(symbol, chunk.ts_ns[kept], chunk.bid[kept], chunk.ask[kept])
    bridge, clock = MarketBridge("test", {symbol: 5}, KeptMessages(), FixedClock()), BrokerClock()
    bars: dict[Timeframe, list[tuple[int, ...]]] = {each: [] for each in ("M1", *HIGHER)}
    for start in range(0, len(chunk), 4_096):
        bridge.ingest(chunk.part(start, start + 4_096))
        for each in bridge.take_bars():
            bar = each.bar
            opened = clock.to_broker_ms(bar.time_ns) * 10**6
            bars[each.timeframe].append(
                (opened, bar.open, bar.high, bar.low, bar.close, bar.tick_volume, bar.spread)
            )
    for timeframe, ours in bars.items():
        theirs = build_with_pandas(accepted, timeframe)
        times = theirs.index.astype("datetime64[ns]").astype(np.int64).tolist()
        rows = [(time, *row) for time, row in zip(times, theirs.to_numpy().tolist(), strict=True)]
        assert ours == rows[: len(ours)], timeframe
        assert len(rows) - len(ours) in (0, 1)  # the last one is still forming
