"""The broker's clock, and price history written on it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.paper import tape as tape_module
from edge_bridge.adapters.paper.settings import AccountSettings
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.tape import SymbolTape, Tape, merge_bars
from tests.edge_bridge.adapters.terminals import (
    EURUSD,
    SECOND_NS,
    START_NS,
    make_terminal,
    move_price,
)

CLOCK = BrokerClock()
BROKER_START_S = START_NS // SECOND_NS + 3 * 3600


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("utc", "hours"),
    [
        ("2014-01-15T12:00", 2),
        ("2014-03-09T06:59", 2),
        ("2014-03-09T07:00", 3),
        ("2014-11-02T05:59", 3),
        ("2014-11-02T06:00", 2),
    ],
)
def test_the_brokers_clock_follows_american_daylight_saving(utc: str, hours: int) -> None:
    assert CLOCK.offset_s(at(utc)) == hours * 3600


@given(st.integers(at("2001-01-01T00:00") * 1000, at("2037-01-01T00:00") * 1000))
def test_times_survive_the_way_to_the_broker_and_back(utc_ms: int) -> None:
    back_ms = CLOCK.to_utc_ns(CLOCK.to_broker_ms(utc_ms * 1_000_000)) // 1_000_000
    repeated = CLOCK.offset_s(utc_ms // 1000) != CLOCK.offset_s(utc_ms // 1000 - 3600) or (
        CLOCK.offset_s(utc_ms // 1000) != CLOCK.offset_s(utc_ms // 1000 + 3600)
    )
    assert back_ms == utc_ms or (repeated and abs(back_ms - utc_ms) == 3_600_000)


def test_the_brokers_midnight_is_five_in_the_afternoon_in_new_york() -> None:
    midnight = CLOCK.next_midnight_ns(at("2014-05-01T12:00") * SECOND_NS)
    assert midnight == at("2014-05-01T21:00") * SECOND_NS
    assert CLOCK.next_midnight_ns(midnight) == at("2014-05-02T21:00") * SECOND_NS


def feed_hours(terminal: SimulatedTerminal, hours: int) -> None:
    """One tick every ten minutes, a point higher each."""
    for step in range(1, hours * 6):
        move_price(terminal, 110_000 + step, time_ns=START_NS + step * 600 * SECOND_NS)


def read_bars(terminal: SimulatedTerminal, timeframe: int) -> Any:
    return terminal.copy_rates_from_pos("EURUSD", timeframe, 0, 10_000)


def test_bars_have_the_modules_layout_and_add_up_in_every_timeframe() -> None:
    terminal = make_terminal()
    feed_hours(terminal, 48)
    minutes = read_bars(terminal, c.TIMEFRAME_M1)
    assert minutes.dtype.itemsize == 60
    assert len(minutes) == 48 * 6
    for timeframe, hours in ((c.TIMEFRAME_H1, 1), (c.TIMEFRAME_H4, 4), (c.TIMEFRAME_D1, 24)):
        bars = read_bars(terminal, timeframe)
        assert bars["tick_volume"].sum() == 48 * 6
        assert bars["high"].max() == minutes["high"].max()
        assert not (bars["time"] % (hours * 3600)).any(), "bars open on the broker's clock"
    days = read_bars(terminal, c.TIMEFRAME_D1)
    assert list(days["tick_volume"]) == [21 * 6, 24 * 6, 3 * 6]
    assert len(read_bars(terminal, c.TIMEFRAME_W1)) == 1
    month = read_bars(terminal, c.TIMEFRAME_MN1)
    assert list(month["time"]) == [at("2014-05-01T00:00")]


def test_bars_are_chosen_by_place_by_date_and_by_range() -> None:
    terminal = make_terminal()
    feed_hours(terminal, 5)
    hour = c.TIMEFRAME_H1

    def times(bars: Any) -> list[int]:
        return [(int(time) - BROKER_START_S) // 3600 for time in bars["time"]]

    assert times(terminal.copy_rates_from_pos("EURUSD", hour, 0, 2)) == [3, 4]
    assert times(terminal.copy_rates_from_pos("EURUSD", hour, 4, 9)) == [0]
    assert times(terminal.copy_rates_from_pos("EURUSD", hour, 5, 9)) == []
    date = BROKER_START_S + 2 * 3600
    assert times(terminal.copy_rates_from("EURUSD", hour, date, 2)) == [1, 2]
    assert times(terminal.copy_rates_range("EURUSD", hour, date, date + 3600)) == [2, 3]
    when = datetime.fromtimestamp(date, UTC)
    assert times(terminal.copy_rates_range("EURUSD", hour, when, when)) == [2]
    assert terminal.copy_rates_from_pos("EURUSD", 7, 0, 1) is None
    assert terminal.last_error()[0] == -2
    assert terminal.copy_rates_from_pos("NOPE", hour, 0, 1) is None
    assert terminal.copy_rates_from_pos("EURUSD", hour, 0) is None


def test_ticks_are_chosen_by_second_and_carry_what_changed() -> None:
    terminal = make_terminal()
    move_price(terminal, 110_001, 110_010, time_ns=START_NS + SECOND_NS // 2)
    move_price(terminal, 110_001, 110_011, time_ns=START_NS + SECOND_NS)
    ticks: Any = terminal.copy_ticks_from("EURUSD", BROKER_START_S, 10, -1)
    assert ticks.dtype.itemsize == 60
    assert list(ticks["flags"]) == [6, 2, 4]
    assert list(ticks["time_msc"] - BROKER_START_S * 1000) == [0, 500, 1000]
    assert ticks["bid"][1] == 1.10001
    later: Any = terminal.copy_ticks_from("EURUSD", BROKER_START_S + 1, 10, -1)
    assert len(later) == 1
    until: Any = terminal.copy_ticks_range("EURUSD", BROKER_START_S, BROKER_START_S, -1)
    assert len(until) == 1
    trades: Any = terminal.copy_ticks_from("EURUSD", 1, 10, c.COPY_TICKS_TRADE)
    assert len(trades) == 0


def test_terminals_on_one_tape_record_each_tick_once() -> None:
    tape = Tape()
    terminals = [SimulatedTerminal(AccountSettings(), [EURUSD], tape=tape) for _ in range(3)]
    for seq in range(5):
        for terminal in terminals:
            terminal.feed_tick(seq, START_NS + seq, 110_000, 110_010, "EURUSD")
    assert len(tape.of("EURUSD").ticks()) == 5


def test_a_full_tape_keeps_its_bars_and_its_last_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "TICKS_KEPT", 100)
    tape = SymbolTape()
    for seq in range(1_000):
        tape.record(seq, START_NS + seq * 20 * SECOND_NS, 110_000 + seq, 110_010 + seq)
        if seq == 333:
            assert tape.minute_bars()[:, 5].sum() == 334
    bars = tape.minute_bars()
    assert bars[:, 5].sum() == 1_000
    assert len(np.unique(bars[:, 0])) == len(bars) == 334
    ticks = tape.ticks()
    assert 100 <= len(ticks) < 200
    assert ticks[-1, 1] == 110_999
    past = bars[:2] - np.array([3_600 * SECOND_NS, 0, 0, 0, 0, 0, 0])
    tape.load_bars(past)
    assert len(tape.minute_bars()) == 336


def test_merging_no_bars_gives_none() -> None:
    assert len(merge_bars(np.empty((0, 7), np.int64), np.empty(0, np.int64))) == 0
