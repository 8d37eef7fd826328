"""Signals: averages as by recursion, nothing that looks ahead, files that are read or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope
from contracts.ids import derived_id
from edge_bridge.backtest.config import EmaCrossSection, FileSection
from edge_bridge.backtest.market import MarketView, TickMarket
from edge_bridge.backtest.signals import (
    EmaCross,
    FileSignals,
    SignalsUnusable,
    average,
    find_crosses,
    read_signals,
)
from edge_bridge.bridge.recording import Recording
from edge_bridge.bridge.ticks import make_chunk
from edge_bridge.times import instant, nanoseconds

START_NS = 1_400_054_400_000_000_000
SECOND_NS = 10**9
prices = st.lists(st.integers(100_000, 140_000).map(lambda value: value / 2), min_size=1)


def look(mids: list[int], step_ns: int = SECOND_NS) -> MarketView:
    times = [START_NS + number * step_ns for number in range(len(mids))]
    chunk = make_chunk("EURUSD", times, [mid - 4 for mid in mids], [mid + 4 for mid in mids])
    return TickMarket(Recording(chunk, 5)).view


def wander(count: int, seed: int = 1) -> list[int]:
    steps = np.random.default_rng(seed).integers(-9, 10, count)
    return (137_000 + np.cumsum(steps)).tolist()  # type: ignore[no-any-return]


@given(prices, st.integers(1, 300))
def test_the_average_is_the_recursion(values: list[float], period: int) -> None:
    weight, expected = 2.0 / (period + 1), [values[0]]
    for value in values[1:]:
        expected.append(weight * value + (1.0 - weight) * expected[-1])
    assert average(np.array(values), period) == pytest.approx(expected, rel=1e-14)


def test_a_rise_and_a_fall_cross_once_each_and_at_once() -> None:
    mids = [1_000.0] * 20 + [1_100.0] * 20 + [900.0] * 20
    crossed, rising = find_crosses(np.array(mids), 3, 10)
    assert crossed.tolist() == [20, 40]
    assert rising.tolist() == [True, False]


def test_fewer_values_than_the_slow_average_give_no_signal() -> None:
    assert len(find_crosses(np.arange(10.0), 2, 10)[0]) == 0
    assert list(EmaCross(EmaCrossSection(kind="ema_cross", slow=200)).plan(look([5_000]), 0)) == []


@given(st.integers(60, 400))
def test_a_signal_depends_on_nothing_after_it(cut: int) -> None:
    source = EmaCross(EmaCrossSection(kind="ema_cross", fast=5, slow=20))
    mids = wander(400)
    whole = list(source.plan(look(mids), 0))
    part = list(source.plan(look(mids[:cut]), 0))
    assert part == [planned for planned in whole if planned.place <= cut]


def test_a_sell_carries_the_complement_of_the_probability() -> None:
    source = EmaCross(EmaCrossSection(kind="ema_cross", fast=5, slow=20, probability=0.7))
    signals = [planned.signal for planned in source.plan(look(wander(400)), 0)]
    told = {(signal.direction, round(signal.probability, 9)) for signal in signals}
    assert told == {("buy", 0.7), ("sell", 0.3)}
    assert all(SignalIssued.model_validate(s.model_dump()) == s for s in signals)


def test_latency_lets_the_market_go_on_before_the_engine_hears() -> None:
    source = EmaCross(EmaCrossSection(kind="ema_cross", fast=5, slow=20))
    view = look(wander(400))
    at_once, late = list(source.plan(view, 0)), list(source.plan(view, 2_500_000_000))
    assert [p.clock_ns + 2_500_000_000 for p in at_once] == [p.clock_ns for p in late]
    assert {b.place - a.place for a, b in zip(at_once, late, strict=True)} <= {0, 1, 2}
    assert max(b.place - a.place for a, b in zip(at_once, late, strict=True)) == 2


def make_signal(at_ns: int, symbol: str = "EURUSD") -> SignalIssued:
    at = instant(at_ns)
    return SignalIssued(
        signal_id=derived_id("s", at_ns), decision_id=derived_id("d"), bar_id=derived_id(at_ns),
        symbol=symbol, digits=5, timeframe="M1", direction="buy", probability=0.6,
        size_factor=1.0, stop_distance=100, target_distance=150, horizon_s=60, as_of=at,
        expires_at=instant(at_ns + 60 * SECOND_NS), model_version="test",
    )  # fmt: skip


def test_signals_of_a_file_come_in_the_order_of_time_before_the_tick_of_theirs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "signals.jsonl"
    signals = [make_signal(START_NS + 5 * SECOND_NS), make_signal(START_NS + 2 * SECOND_NS)]
    signals.append(make_signal(START_NS + 3 * SECOND_NS, "GBPUSD"))
    path.write_text("\n\n".join(s.model_dump_json() for s in signals), encoding="utf-8")
    planned = list(FileSignals(FileSection(kind="file", path=path)).plan(look(wander(9)), 0))
    assert [each.place for each in planned] == [2, 5]
    assert [each.clock_ns for each in planned] == [nanoseconds(s.as_of) for s in signals[1::-1]]


def test_an_envelope_around_a_signal_is_taken_off(tmp_path: Path) -> None:
    signal = make_signal(START_NS)
    envelope = Envelope.wrap(signal, tenant_id=None, now=signal.as_of)
    path = tmp_path / "signals.jsonl"
    path.write_text(envelope.to_json(), encoding="utf-8")
    assert read_signals(path) == [signal]


def test_signals_are_read_from_parquet(tmp_path: Path) -> None:
    signals = [make_signal(START_NS + number * SECOND_NS) for number in range(3)]
    path = tmp_path / "signals.parquet"
    rows = [json.loads(signal.model_dump_json()) for signal in signals]
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert read_signals(path) == signals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"symbol": "EURUSD"}', "row 1: signal_id"),
        ("[1]", "row 1"),
        ("no json", "Expecting value"),
    ],
)
def test_a_file_that_holds_no_signals_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SignalsUnusable, match=said):
        read_signals(path)


@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet"])
def test_a_file_of_signals_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SignalsUnusable, match="none"):
        read_signals(tmp_path / name)


def test_a_signal_out_of_range_is_refused(tmp_path: Path) -> None:
    values: dict[str, Any] = json.loads(make_signal(START_NS).model_dump_json())
    path = tmp_path / "signals.jsonl"
    path.write_text(json.dumps({**values, "size_factor": 1.5}), encoding="utf-8")
    with pytest.raises(SignalsUnusable, match="size_factor"):
        read_signals(path)
