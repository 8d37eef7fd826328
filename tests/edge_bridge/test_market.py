"""Bars and batches: the same from chunks as from ticks, the same as a brute-force reading, and
nothing lost or doubled when the bridge is opened again."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.data_bridge import Bar, BarClosed, TickBatch
from edge_bridge.bridge.bars import HISTORY_BARS, MINUTE_NS
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.messages import write_event_id
from edge_bridge.bridge.recording import open_recording
from edge_bridge.bridge.ticks import TickChunk, make_chunk
from edge_bridge.bridge.validation import TickRules, TickValidator
from edge_bridge.errors import RecordingUnusable
from edge_bridge.link.journal import Journal
from tests.edge_bridge.dirty_ticks import START_NS, make_dirty_ticks, to_chunk
from tests.edge_bridge.market_kit import KeptMessages
from tests.support.builders import FixedClock

TESTS = Path(__file__).parents[1]
EURUSD = TESTS.parent / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"


def open_bridge(kept: Any, rules: TickRules | None = None) -> MarketBridge:
    return MarketBridge("test", {"EURUSD": 5, "NZDUSD": 5}, kept, FixedClock(), rules=rules)


def play(chunk: TickChunk, cuts: list[int], *, one_by_one: bool, advance: bool) -> KeptMessages:
    kept = KeptMessages()
    bridge = open_bridge(kept)
    start = 0
    for size in [*cuts, len(chunk)]:
        part = chunk.part(start, start + size)
        start += size
        if one_by_one:
            for row in zip(part.ts_ns.tolist(), part.bid.tolist(), part.ask.tolist(), strict=True):
                bridge.ingest_tick(chunk.symbol, *row)
        else:
            bridge.ingest(part)
        if advance and len(part):
            bridge.advance(int(part.ts_ns.max()) + 1)
        bridge.commit({"next": start})
        kept.bars += bridge.take_bars()
    bridge.flush()
    bridge.commit({})
    kept.forming = bridge.forming_bars(chunk.symbol)
    return kept


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    count=st.integers(1, 3_000),
    dirt=st.sampled_from((0.0, 0.02, 0.3)),
    cuts=st.lists(st.integers(1, 800), max_size=8),
    advance=st.booleans(),
)
def test_chunks_and_ticks_give_the_same_batches_and_bars(
    seed: int, count: int, dirt: float, cuts: list[int], advance: bool
) -> None:
    chunk = to_chunk(make_dirty_ticks(count, seed, dirt))
    many = play(chunk, cuts, one_by_one=False, advance=advance)
    one = play(chunk, cuts, one_by_one=True, advance=advance)
    assert many.data() == one.data()
    assert many.records == one.records
    assert (many.bars, many.forming) == (one.bars, one.forming)


def build_bars(chunk: TickChunk, accepted: list[int]) -> list[Bar]:
    """Bars by the book: a dictionary of minutes."""
    minutes: dict[int, list[tuple[int, int]]] = {}
    ts, bid, ask = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
    for i in accepted:
        minutes.setdefault(ts[i] // MINUTE_NS, []).append((bid[i], ask[i]))
    bars = []
    for minute, quotes in sorted(minutes.items()):
        bids = [b for b, _ in quotes]
        spread = sum(a - b for b, a in quotes)
        bars.append(
            Bar(
                open_ns=minute * MINUTE_NS, open=bids[0], high=max(bids), low=min(bids),
                close=bids[-1], spread=(2 * spread + len(bids)) // (2 * len(bids)),
                ticks=len(bids),
            )
        )  # fmt: skip
    return bars


@pytest.mark.parametrize(
    ("path", "symbol", "ticks"),
    [(EURUSD, "EURUSD", 60_000), (TESTS / "data" / "nzdusd_fxcm_dirty.parquet", "NZDUSD", 20_000)],
)
def test_real_ticks_give_the_bars_that_a_plain_reading_gives(
    path: Path, symbol: str, ticks: int
) -> None:
    chunk = open_recording(path, symbol).chunk.part(0, ticks)
    kept = play(chunk, [997] * (ticks // 997), one_by_one=False, advance=False)
    accepted = (TickValidator(TickRules()).judge_chunk(chunk) == 0).nonzero()[0].tolist()
    expected = build_bars(chunk, accepted)
    closed = [e.data for e in kept.events if isinstance(e.data, BarClosed)]
    assert [event.bar for event in closed] == expected[:-1]  # the last minute is still forming
    for number, event in enumerate(closed):
        assert list(event.history) == expected[max(0, number - HISTORY_BARS) : number]
    batches = [e.data for e in kept.batches if isinstance(e.data, TickBatch)]
    assert [b.sequence for b in batches] == list(range(len(batches)))
    assert sum(b.read for b in batches) == ticks
    stored = [b.columns() for b in batches]
    assert [t for ticks in stored for t in ticks.ts_ns] == chunk.ts_ns[accepted].tolist()
    assert [x for ticks in stored for x in ticks.bid] == chunk.bid[accepted].tolist()
    assert [x for ticks in stored for x in ticks.ask] == chunk.ask[accepted].tolist()
    firsts = [b.first_index for b in batches]
    assert firsts == [sum(b.accepted for b in batches[:i]) for i in range(len(batches))]


def test_a_bridge_opened_again_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    chunk = to_chunk(make_dirty_ticks(6_000, seed=11, dirt=0.1))
    whole = play(chunk, [500] * 12, one_by_one=False, advance=False)
    rng, start = random.Random(5), 0
    journal = Journal(tmp_path / "edge.db")
    while start < len(chunk):
        bridge = open_bridge(journal)
        assert bridge.cursor.get("next", 0) == start
        for _ in range(rng.randint(1, 4)):
            size = rng.randint(1, 900)
            bridge.ingest(chunk.part(start, start + size))
            start = min(len(chunk), start + size)
            bridge.commit({"next": start})
        bridge.ingest(chunk.part(start, start + 100))  # taken, never committed: as if killed
        journal.close()
        journal = Journal(tmp_path / "edge.db")
    bridge = open_bridge(journal)
    bridge.flush()
    bridge.commit({})
    batches = [
        TickBatch.model_validate_json(_data(row.body))
        for row in journal.read_outbox("market", 10_000)
    ]
    bars = [
        BarClosed.model_validate_json(_data(row.body)) for row in journal.read_outbox("bus", 10_000)
    ]
    assert batches == [e.data for e in whole.batches]
    assert bars == [e.data for e in whole.events]
    journal.close()


def _data(body: str) -> str:
    return body[body.index(',"data":') + len(',"data":') : -1]


def test_a_bar_closes_when_the_clock_passes_its_minute_without_a_later_tick() -> None:
    kept = KeptMessages()
    bridge = open_bridge(kept)
    bridge.ingest_tick("EURUSD", START_NS + 1, 1000, 1002)
    assert bridge.advance(START_NS + MINUTE_NS - 1) == []
    closed = bridge.advance(START_NS + MINUTE_NS)
    assert [minute.bar.tick_volume for minute in closed] == [1]
    assert bridge.advance(START_NS + 2 * MINUTE_NS) == []  # no ticks, no bar


def test_a_minute_of_rejected_ticks_is_still_counted_in_a_batch() -> None:
    kept = KeptMessages()
    bridge = open_bridge(kept)
    for i in range(3):
        bridge.ingest_tick("EURUSD", START_NS + i, 1002, 1000)
    bridge.advance(START_NS + MINUTE_NS)
    bridge.commit({})
    (batch,) = kept.data()
    assert batch.read == 3
    assert batch.rejected == {"crossed": 3}
    assert (batch.accepted, batch.packed) == (0, None)


def test_an_unknown_symbol_is_rejected_and_counted_and_cannot_flood_us() -> None:
    kept = KeptMessages()
    bridge = open_bridge(kept)
    for number in range(150):
        bridge.ingest(make_chunk(f"ODD{number}", [START_NS], [1000], [1001]))
    bridge.flush()
    bridge.commit({})
    batches = kept.data()
    assert len(batches) == 101
    assert sum(b.rejected["unknown_symbol"] for b in batches) == 150
    assert bridge.count_ticks() == (150, 0, {"unknown_symbol": 150})


def test_the_same_bar_of_the_same_stream_has_the_same_id() -> None:
    one, other = open_bridge(KeptMessages()), open_bridge(KeptMessages())
    assert one.name_bar("EURUSD", START_NS) == other.name_bar("EURUSD", START_NS)
    assert one.name_bar("EURUSD", START_NS) != one.name_bar("EURUSD", START_NS + MINUTE_NS)


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(RecordingUnusable):
        open_recording(path, "EURUSD")


def test_event_ids_are_time_ordered_and_never_the_same() -> None:
    ids = [UUID(write_event_id(now_ms)) for now_ms in (5, 5, 1_774_000_000_000) for _ in range(500)]
    assert len(set(ids)) == len(ids)
    assert {(made.version, made.variant) for made in ids} == {(7, "specified in RFC 4122")}
    assert {made.int >> 80 for made in ids} == {5, 1_774_000_000_000}
