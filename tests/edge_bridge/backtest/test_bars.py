"""Bars as a market: the worse way through each, stops before targets, fills at the level."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ai_orchestration import SignalIssued
from contracts.ids import derived_id
from contracts.trading_engine import PositionClosed
from edge_bridge.backtest.bars import BarMarket, open_bars, walk
from edge_bridge.backtest.config import parse_config
from edge_bridge.backtest.figures import find_figures
from edge_bridge.backtest.run import Backtest, Played
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.errors import RecordingUnusable
from edge_bridge.times import instant

START_NS = 1_400_054_400_000_000_000
SPREAD = 10
Bar = tuple[int, int, int, int]


def make_market(bars: list[Bar]) -> BarMarket:
    times = [START_NS + number * MINUTE_NS for number in range(len(bars))]
    columns = [times, *zip(*bars, strict=True)]
    return BarMarket("EURUSD", 5, tuple(np.array(c, dtype=np.int64) for c in columns), SPREAD)


def play(tmp_path: Path, bars: list[Bar], direction: str, **values: Any) -> Played:
    """Play bars with one signal at the end of the first; stop 100 and target 150 points away."""
    at = instant(START_NS + MINUTE_NS)
    signal = SignalIssued(
        signal_id=derived_id("s"), decision_id=derived_id("d"), bar_id=derived_id("b"),
        symbol="EURUSD", digits=5, timeframe="M1", direction=direction,
        probability=0.6, size_factor=1.0, stop_distance=100, target_distance=150,
        horizon_s=values.get("horizon_s", 3_600), as_of=at,
        expires_at=instant(START_NS + 2 * MINUTE_NS), model_version="test",
    )  # fmt: skip
    path = tmp_path / "signals.jsonl"
    path.write_text(signal.model_dump_json(), encoding="utf-8")
    config = parse_config(
        {"symbol": {"name": "EURUSD"}, "signals": {"kind": "file", "path": str(path)}}
    )
    return Backtest(make_market(bars), config).run()


def read_close(played: Played) -> PositionClosed:
    closes = [e.data for e in played.events if isinstance(e.data, PositionClosed)]
    assert len(closes) == 1
    return closes[0]


FLAT = (137_000, 137_000, 137_000, 137_000)
# A buy opens at the ask, 137_010: stop 136_910, target 137_160 (bids).
# A sell opens at the bid, 137_000: stop 137_100, target 136_850 (asks), bids 137_090 and 136_840.
BOTH_WAYS = (137_000, 137_400, 136_500, 137_000)


def test_a_bar_that_reaches_both_stops_a_long_position(tmp_path: Path) -> None:
    close = read_close(play(tmp_path, [FLAT, BOTH_WAYS], "buy"))
    assert (close.reason, close.price_close) == ("stop_loss", 136_910)


def test_a_bar_that_reaches_both_stops_a_short_position(tmp_path: Path) -> None:
    close = read_close(play(tmp_path, [FLAT, BOTH_WAYS], "sell"))
    assert (close.reason, close.price_close) == ("stop_loss", 137_100)


def test_a_target_is_filled_at_its_price_and_not_at_the_bars_extreme(tmp_path: Path) -> None:
    up, down = (137_000, 137_900, 137_000, 137_800), (137_000, 137_000, 136_100, 136_200)
    buy = read_close(play(tmp_path, [FLAT, up], "buy"))
    sell = read_close(play(tmp_path, [FLAT, down], "sell"))
    assert (buy.reason, buy.price_close) == ("take_profit", 137_160)
    assert (sell.reason, sell.price_close) == ("take_profit", 136_850)


def test_an_open_beyond_the_stop_is_filled_at_the_open(tmp_path: Path) -> None:
    gap = (136_400, 136_450, 136_300, 136_420)
    close = read_close(play(tmp_path, [FLAT, gap], "buy"))
    assert (close.reason, close.price_close) == ("stop_loss", 136_400)


def test_a_horizon_closes_at_the_end_of_its_bar(tmp_path: Path) -> None:
    bars = [FLAT, (137_000, 137_050, 136_950, 137_040), (137_040, 137_060, 137_000, 137_010)]
    close = read_close(play(tmp_path, bars, "buy", horizon_s=30))
    assert (close.reason, close.price_close) == ("horizon", 137_040)


def test_excursions_are_those_of_the_bars(tmp_path: Path) -> None:
    bars = [FLAT, (137_000, 137_050, 136_950, 137_040)]
    played = play(tmp_path, bars, "buy")
    config = parse_config({"symbol": {"name": "EURUSD"}, "signals": {"kind": "ema_cross"}})
    trade = find_figures(played, config).trades[0]
    assert (trade.price_open, trade.adverse, trade.favourable) == (137_010, 60, 40)


@given(
    st.tuples(*[st.integers(1_000, 1_100)] * 4), st.lists(st.integers(990, 1_110)), st.booleans()
)
def test_the_way_through_a_bar_is_steady_and_stops_at_every_level_it_passes(
    prices: tuple[int, int, int, int], levels: list[int], high_first: bool
) -> None:
    opened, close = prices[:2]
    high, low = max(prices), min(prices)
    path = walk((START_NS, opened, high, low, close), levels, high_first=high_first)
    times, bids = [point[0] for point in path], [point[1] for point in path]
    assert times == sorted(times)
    assert times[0] >= START_NS and times[-1] < START_NS + MINUTE_NS
    assert (bids[0], max(bids), min(bids), bids[-1]) == (opened, high, low, close)
    for level in levels:
        assert (level in bids) == (low <= level <= high)
    first = bids.index(high) if high_first else bids.index(low)
    other = bids.index(low) if high_first else bids.index(high)
    assert first <= other or bids[0] in (high, low)


def test_bars_that_cannot_be_are_left_out_and_counted() -> None:
    market = make_market(
        [
            (100, 120, 90, 110),
            (100, 99, 90, 95),
            (100, 120, 0, 110),
            (100, 120, 105, 110),
            (100, 120, 90, 110),
        ]
    )
    assert market.count.read == 5
    assert market.count.accepted == 2
    assert market.count.rejected == {"zero": 1, "inconsistent": 2}


def write_bars(path: Path, times: list[int], digits: str | None = "5") -> Path:
    columns = {"ts_ns": times, **{name: [100] * len(times) for name in ("open", "high", "low")}}
    table = pa.table({**columns, "close": [100] * len(times)})
    metadata = {} if digits is None else {"digits": digits}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_a_file_of_minute_bars_is_read_between_two_times(tmp_path: Path) -> None:
    times = [START_NS + number * MINUTE_NS for number in range(5)]
    path = write_bars(tmp_path / "bars.parquet", times)
    market = open_bars(path, "EURUSD", SPREAD, times[1], times[4])
    assert market.clock == times[1:4]
    assert market.digits == 5


@pytest.mark.parametrize(
    ("times", "digits", "said"),
    [
        ([START_NS, START_NS + 60 * MINUTE_NS], "5", "one minute"),
        ([START_NS + 1], "5", "one minute"),
        ([START_NS], None, "digits"),
    ],
)
def test_other_files_are_refused(
    times: list[int], digits: str | None, said: str, tmp_path: Path
) -> None:
    path = write_bars(tmp_path / "bars.parquet", times, digits)
    with pytest.raises(RecordingUnusable, match=said):
        open_bars(path, "EURUSD", SPREAD)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnusable):
        open_bars(tmp_path / "none.parquet", "EURUSD", SPREAD)
