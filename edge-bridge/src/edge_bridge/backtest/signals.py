"""Where a backtest's signals come from, behind one Protocol: computed here, or made elsewhere.

A source sees all prices at once, so that it can work on whole columns; a signal's place says how
much of the recording is played when it is known, and it must depend on nothing after that.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from contracts.ai_orchestration import SignalIssued
from contracts.ids import derived_id
from edge_bridge.backtest.config import EmaCrossSection, FileSection
from edge_bridge.backtest.market import MarketView
from edge_bridge.errors import EdgeError
from edge_bridge.ports import quick
from edge_bridge.times import instant, nanoseconds

LIFETIME = timedelta(seconds=60)


class SignalsUnusable(EdgeError):
    """The file of signals cannot be read as one; the message names the row."""


@quick
@dataclass(frozen=True, slots=True)
class PlannedSignal:
    """A signal, and when the engine gets it: so much played, at that market time."""

    place: int
    clock_ns: int
    signal: SignalIssued


class SignalSource(Protocol):
    """Makes signals from prices."""

    name: str

    def plan(self, view: MarketView, latency_ns: int) -> Iterable[PlannedSignal]:
        """Give the signals in the order of their times."""


class EmaCross:
    """Two exponential averages of the mid; a cross is a signal in the fast one's direction."""

    def __init__(self, settings: EmaCrossSection) -> None:
        self._settings = settings
        self.name = f"ema_cross {settings.fast}/{settings.slow}"

    def plan(self, view: MarketView, latency_ns: int) -> Iterator[PlannedSignal]:
        """A signal for every cross after the slow average's first ``slow`` values."""
        given = self._settings
        crossed, rising = find_crosses((view.bid + view.ask) / 2.0, given.fast, given.slow)
        known_ns, places = view.known_ns[crossed], view.places[crossed]
        rows = zip(
            crossed.tolist(), known_ns.tolist(), places.tolist(), rising.tolist(), strict=True
        )
        for index, time_ns, place, up in rows:
            signal = self._make_signal(view, index, time_ns, up)
            yield _delay(signal, place, time_ns, latency_ns, view)

    def _make_signal(self, view: MarketView, index: int, time_ns: int, up: bool) -> SignalIssued:
        given = self._settings
        bar_id = derived_id("backtest", self.name, view.symbol, index, time_ns)
        as_of = instant(time_ns)
        # Not checked again, for speed: everything comes from a checked configuration.
        return SignalIssued.model_construct(
            signal_id=derived_id("signal", bar_id), decision_id=bar_id, bar_id=bar_id,
            symbol=view.symbol, digits=view.digits, timeframe="M1",
            direction="buy" if up else "sell",
            probability=given.probability if up else 1 - given.probability,
            size_factor=given.size_factor, stop_distance=given.stop, target_distance=given.target,
            horizon_s=given.horizon_s, as_of=as_of, expires_at=as_of + LIFETIME,
            model_version=self.name,
        )  # fmt: skip


def find_crosses(
    prices: NDArray[np.float64], fast: int, slow: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where the fast average changes its side of the slow one, and whether it rose.

    Both start at the first price; the first ``slow`` values only warm them up.
    """
    if len(prices) <= slow:
        return np.empty(0, np.intp), np.empty(0, np.bool_)
    above = average(prices, fast) > average(prices, slow)
    crossed = np.flatnonzero(above[slow:] != above[slow - 1 : -1]) + slow
    return crossed, above[crossed]


def average(prices: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """The exponential moving average with a weight of 2 / (period + 1) for the newest price."""
    from scipy.signal import lfilter

    weight = 2.0 / (period + 1)
    start = np.array([(1.0 - weight) * prices[0]])
    values: NDArray[np.float64] = lfilter([weight], [1.0, weight - 1.0], prices, zi=start)[0]
    return values


class FileSignals:
    """Signals that were made elsewhere, such as those of a replay or of a model's own test."""

    def __init__(self, settings: FileSection) -> None:
        self._path = settings.path
        self.name = f"file {settings.path.name}"

    def plan(self, view: MarketView, latency_ns: int) -> Iterator[PlannedSignal]:
        """Each when its time has come: everything before it is played, nothing at it or after.

        That is when the paper replay gets a bar's decision. Raises SignalsUnusable.
        """
        signals = sorted(read_signals(self._path), key=lambda each: (each.as_of, each.signal_id))
        for signal in signals:
            if signal.symbol == view.symbol:
                time_ns = nanoseconds(signal.as_of)
                place = bisect_left(view.clock, time_ns)
                yield _delay(signal, place, time_ns, latency_ns, view)


def _delay(
    signal: SignalIssued, place: int, time_ns: int, latency_ns: int, view: MarketView
) -> PlannedSignal:
    """The signal as the engine gets it; with latency, all ticks up to then are played before."""
    if not latency_ns:
        return PlannedSignal(place, time_ns, signal)
    arrival_ns = time_ns + latency_ns
    return PlannedSignal(max(place, bisect_right(view.clock, arrival_ns)), arrival_ns, signal)


def read_signals(path: Path) -> list[SignalIssued]:
    """Read SignalIssued from JSON lines or Parquet; an envelope around one is taken off."""
    found: list[SignalIssued] = []
    for number, row in enumerate(_read_rows(path), 1):
        try:
            found.append(SignalIssued.model_validate(row.get("data", row)))
        except (ValidationError, AttributeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
            raise SignalsUnusable(f"{path}, row {number}: {said}") from error
    return found


def _read_rows(path: Path) -> list[Any]:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            rows: list[Any] = pq.read_table(path).to_pylist()
            return rows
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:  # ArrowInvalid and JSONDecodeError are ValueErrors
        raise SignalsUnusable(f"{path}: {error}") from error


def open_source(settings: EmaCrossSection | FileSection) -> SignalSource:
    """The source that a configuration names."""
    return EmaCross(settings) if isinstance(settings, EmaCrossSection) else FileSignals(settings)
