"""How a market reaches the terminal: as shown, in whole columns, and what is ignored."""

from array import array
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import SimulatedTerminal, TickRefused
from edge_bridge.adapters.paper import tape as tape_module
from edge_bridge.ports import SymbolUnknown
from tests.edge_bridge.adapters.paper_market import OPEN_MSC, open_market
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    START_NS,
    deal,
    list_deals,
    list_open,
    pending,
)
from tests.edge_bridge.adapters.test_properties import SYMBOLS


def test_what_is_fed_is_what_is_shown() -> None:
    market = open_market()
    assert market.mt5.feed("EURUSD", OPEN_MSC + 5_123, 1.23456, 1.23467) is True
    tick = market.mt5.symbol_info_tick("EURUSD")
    assert (tick.time_msc, tick.time) == (OPEN_MSC + 5_123, (OPEN_MSC + 5_123) // 1000)
    assert (tick.bid, tick.ask) == (1.23456, 1.23467)
    opened = market.buy()
    assert market.position.time_msc == OPEN_MSC + 5_123
    assert market.mt5.history_deals_get(ticket=opened.deal)[0].time_msc == OPEN_MSC + 5_123


def test_an_older_tick_is_ignored_and_one_of_the_same_millisecond_is_not() -> None:
    market = open_market()
    assert market.mt5.feed("EURUSD", market.time_msc - 1, 1.5, 1.6) is False
    assert market.mt5.symbol_info_tick("EURUSD").bid == 1.1
    assert market.mt5.feed("EURUSD", market.time_msc, 1.2, 1.3) is True
    assert market.mt5.symbol_info_tick("EURUSD").bid == 1.2
    assert len(market.mt5.copy_ticks_from("EURUSD", 1, 10, -1)) == 2


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(price: float) -> None:
    market = open_market()
    for bid, ask in ((price, 1.1), (1.1, price)):
        with pytest.raises(TickRefused):
            market.tick(bid, ask)
    with pytest.raises(TickRefused):
        market.mt5.feed("EURUSD", 0, 1.1, 1.2)
    with pytest.raises(SymbolUnknown):
        market.mt5.feed("NOPE", OPEN_MSC, 1.1, 1.2)


def test_broken_ticks_are_shown_and_a_price_of_zero_moves_nothing() -> None:
    market = open_market()
    market.buy(1.0, sl=1.09)
    market.tick(0.0, 1.1001)
    tick = market.mt5.symbol_info_tick("EURUSD")
    assert (tick.bid, tick.ask, tick.time_msc) == (0.0, 1.1001, market.time_msc)
    assert market.position.profit == -10.0
    assert market.mt5.copy_rates_from_pos("EURUSD", 1, 0, 1)["low"][0] == 1.1
    market.tick(1.1005, 1.1001)
    tick = market.mt5.symbol_info_tick("EURUSD")
    assert (tick.bid, tick.ask) == (1.1005, 1.1001)
    ticks = market.mt5.copy_ticks_from("EURUSD", 1, 9, -1)
    assert list(ticks["bid"]) == [1.1, 0.0, 1.1005]
    market.tick(1.08, 1.0801)
    assert market.deals[-1].reason == c.REASON_SL


def test_small_times_and_numpy_numbers_are_times_too() -> None:
    market = open_market()
    market.mt5.feed("EURUSD", np.int64(market.time_msc + 1), np.float64(1.2), np.float32(1.25))
    assert market.mt5.symbol_info_tick("EURUSD").ask == 1.25
    early: Any = SimulatedTerminal(ACCOUNT, [EURUSD])
    early.initialize()
    early.feed("EURUSD", 1_000, 1.1, 1.1001)
    assert early.symbol_info_tick("EURUSD").time_msc == 1_000
    early.order_send(deal())
    assert early.positions_get()[0].time_msc == 1_000


def test_ticks_are_copied_from_a_second_on_and_never_from_the_middle_of_one() -> None:
    market = open_market()
    for step in range(1, 2_000):
        market.tick(1.1 + step / 1e5, 1.1001 + step / 1e5, ms=100)
    start = market.time_msc // 1000 - 3
    ticks = market.mt5.copy_ticks_from("EURUSD", start, 1_000, c.COPY_TICKS_ALL)
    assert ticks["time_msc"][0] == start * 1000
    assert len(ticks) == (market.time_msc - start * 1000) // 100 + 1
    cut = market.mt5.copy_ticks_range("EURUSD", start, start + 1, c.COPY_TICKS_INFO)
    assert list(cut["time_msc"]) == list(ticks["time_msc"][:11])
    assert len(market.mt5.copy_ticks_from("EURUSD", start + 99, 5, -1)) == 0
    assert len(market.mt5.copy_ticks_range("EURUSD", start + 1, start, -1)) == 0
    assert market.mt5.copy_ticks_from("EURUSD", start, 5, 77) is None
    market.mt5.symbol_select("EURUSD", False)
    assert market.mt5.copy_ticks_from("EURUSD", start, 5, -1) is None
    assert market.mt5.last_error()[0] == -4


moves = st.lists(
    st.tuples(st.integers(-250, 250), st.integers(0, 30), st.sampled_from([1, 60, 30_000])),
    min_size=1,
    max_size=120,
)
cuts = st.lists(st.integers(0, 120), max_size=4)


@given(moves, cuts, st.sampled_from(["EURUSD", "USDJPY"]), st.sampled_from([0, 2]))
@settings(max_examples=80, deadline=None)
def test_columns_give_the_same_deals_as_single_ticks(
    walk: list[tuple[int, int, int]], parts: list[int], symbol: str, mode: int
) -> None:
    rows, now, bid = [], START_NS, 110_000
    for move, spread, seconds in walk:
        now, bid = now + seconds * 1_000_000_000, max(50_000, bid + move)
        rows.append((now, bid, bid + spread))
    pair = [_open_with_orders(symbol, mode) for _ in range(2)]
    for seq, (at, low, high) in enumerate(rows, start=2):
        pair[0].feed_tick(seq, at, low, high, symbol)
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in parts)})
    for begin, end in pairwise(edges):
        overlap = max(0, begin - 2)  # ticks that are known already are ignored
        columns = [array("q", column) for column in zip(*rows[overlap:end], strict=True)]
        pair[1].feed_chunk(symbol, overlap + 2, *columns)
    single, chunked = pair
    assert list_deals(single) == list_deals(chunked)
    assert [tuple(row) for row in list_open(single)] == [tuple(row) for row in list_open(chunked)]
    assert single.account_info() == chunked.account_info()
    assert single.orders_get() == chunked.orders_get()
    assert single.last_seq == chunked.last_seq
    copies = [each.copy_ticks_from(symbol, 1, 1_000, -1) for each in pair]
    assert np.array_equal(*copies)
    bars = [each.copy_rates_from_pos(symbol, c.TIMEFRAME_M5, 0, 1_000) for each in pair]
    assert np.array_equal(*bars)


def _open_with_orders(symbol: str, mode: int) -> Any:
    account = replace(ACCOUNT, balance=300_000, margin_mode=mode)
    terminal: Any = SimulatedTerminal(account, SYMBOLS)
    terminal.initialize()
    terminal.feed_tick(0, START_NS, 110_000, 110_010, "EURUSD")
    terminal.feed_tick(1, START_NS, 110_000, 110_010, "USDJPY")
    scale = 100_000 if symbol == "EURUSD" else 1_000
    terminal.order_send(deal(0, 1.2, symbol=symbol, sl=109_000 / scale, tp=111_000 / scale))
    terminal.order_send(deal(1, 0.4, symbol=symbol, tp=109_300 / scale))
    for kind, price in ((2, 109_600), (3, 110_400), (4, 110_700), (5, 109_200)):
        terminal.order_send(pending(kind, price / scale, volume=0.3, symbol=symbol))
    terminal.order_send(
        pending(6, 110_500 / scale, stoplimit=110_300 / scale, volume=0.2, symbol=symbol)
    )
    return terminal


def test_columns_of_different_lengths_are_refused() -> None:
    terminal = SimulatedTerminal(ACCOUNT, [EURUSD])
    with pytest.raises(ValueError, match="length"):
        terminal.feed_chunk("EURUSD", 0, array("q", [1]), array("q", [1]), array("q"))
    with pytest.raises(SymbolUnknown):
        terminal.feed_chunk("NOPE", 0, array("q"), array("q"), array("q"))


def test_a_chunk_larger_than_the_tape_keeps_every_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "TICKS_KEPT", 100)
    terminal: Any = SimulatedTerminal(ACCOUNT, [EURUSD])
    terminal.initialize()
    times = START_NS + np.arange(1_000, dtype=np.int64) * 20_000_000_000
    terminal.feed_chunk("EURUSD", 0, times, np.full(1_000, 110_000), np.full(1_000, 110_010))
    assert terminal.copy_rates_from_pos("EURUSD", 1, 0, 1_000)["tick_volume"].sum() == 1_000
    assert 100 <= len(terminal.copy_ticks_from("EURUSD", 1, 1_000, -1)) < 300
    assert terminal.last_seq == 999


def test_a_restored_terminal_goes_on_after_its_last_tick(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    before = open_market(journal=journal)
    before.buy(0.1, sl=1.09)
    after = open_market(journal=journal)
    assert after.mt5.positions_get() == before.mt5.positions_get()
    assert after.mt5.feed("EURUSD", OPEN_MSC, 1.0, 1.0001) is False, "older than the journal"
    after.tick(1.08, 1.0801)
    assert after.deals[-1].reason == c.REASON_SL


def test_the_last_bars_are_those_of_all_bars_in_every_timeframe() -> None:
    terminal: Any = SimulatedTerminal(ACCOUNT, [EURUSD])
    terminal.initialize()
    count = 6_000
    times = START_NS + np.arange(count, dtype=np.int64) * 420_000_000_000
    bid = 110_000 + (np.arange(count, dtype=np.int64) * 37) % 501
    for first in range(0, count, 1_500):  # bars are asked for between the chunks
        cut = slice(first, first + 1_500)
        terminal.feed_chunk("EURUSD", first, times[cut], bid[cut], bid[cut] + 10)
        assert terminal.copy_rates_from_pos("EURUSD", 1, 0, 3)["tick_volume"].sum() == 3
    for name, timeframe in vars(c).items():
        if not name.startswith("TIMEFRAME_"):
            continue
        everything = terminal.copy_rates_from("EURUSD", timeframe, 2**31 - 1, 100_000)
        assert everything["tick_volume"].sum() == count
        for start, size in ((0, 1), (0, 5), (2, 3), (7, 1_000)):
            stop = max(0, len(everything) - start)
            expected = everything[max(0, stop - size) : stop]
            found = terminal.copy_rates_from_pos("EURUSD", timeframe, start, size)
            assert np.array_equal(found, expected), (name, start, size)
