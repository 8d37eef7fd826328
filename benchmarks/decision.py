"""How long a warm decision takes: features, model and ensemble, over real bars.

The model is trained here on the first days of the shipped recording; the bars after them are
decided one by one, as the function does. A bare ONNX Runtime call on the same rows is the floor.
"""

import hashlib
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in (".", "layers/contracts/src", "layers/kit/src")]

from contracts.data_bridge import Bar, BarClosed  # noqa: E402 - after the import roots
from contracts.ids import derived_id  # noqa: E402
from contracts.ml_processing import TrainModel  # noqa: E402
from functions.ai_orchestration.logic import decide, load_model, take_bars  # noqa: E402
from functions.ai_orchestration.models import ActiveModel, ServedModel, View  # noqa: E402
from functions.ml_processing.logic import train_model  # noqa: E402
from functions.ml_processing.models import TrainedModel  # noqa: E402
from kit.feature_set import FEATURES  # noqa: E402

TICKS = ROOT / "iac/local/demo/data/eurusd_oanda_2014-05.parquet"
MINUTE_NS = 60_000_000_000
TRAINING_BARS = 8_000
WARM_UP = 200


def read_bars(path: Path = TICKS) -> dict[str, NDArray[Any]]:
    """M1 bars of a tick file, in the columns that trainings read."""
    table = pyarrow.parquet.read_table(path)
    ts, bid, ask = (
        table.column(name).to_numpy().astype(np.int64) for name in ("ts_ns", "bid", "ask")
    )
    minute = ts // MINUTE_NS
    first = np.flatnonzero(np.concatenate([[True], np.diff(minute) != 0]))
    ticks = np.diff(np.concatenate([first, [ts.size]]))
    return {
        "ts_ns": minute[first] * MINUTE_NS,
        "open": bid[first],
        "high": np.maximum.reduceat(bid, first),
        "low": np.minimum.reduceat(bid, first),
        "close": bid[first + ticks - 1],
        "spread": np.rint(np.add.reduceat(ask - bid, first) / ticks).astype(np.int64),
        "ticks": ticks,
    }


def train(columns: dict[str, NDArray[Any]], rows: int = TRAINING_BARS) -> TrainedModel:
    """A model of the first bars."""
    command = TrainModel(
        training_id=derived_id("benchmark"), symbol="EURUSD", dataset_key="datasets/benchmark"
    )
    return train_model(command, {name: c[:rows] for name, c in columns.items()}, "0" * 64)


def serve(trained: TrainedModel) -> ServedModel:
    """The model as the function holds it."""
    active = ActiveModel(
        version=trained.card.version,
        generation=1,
        artifact_key="",
        card_key="",
        sha256=hashlib.sha256(trained.artifact).hexdigest(),
        card_sha256=trained.card_sha256,
    )
    return load_model(active, trained.artifact, trained.card_json)


def close_bars(columns: dict[str, NDArray[Any]], start: int, count: int) -> list[BarClosed]:
    """Messages as the edge sends them, 63 bars of history each."""
    names = ("open", "high", "low", "close", "spread", "ticks")
    bars = [
        Bar(open_ns=int(columns["ts_ns"][i]), **{name: int(columns[name][i]) for name in names})
        for i in range(start - 63, start + count)
    ]
    return [
        BarClosed.model_validate(
            {
                "stream": "benchmark",
                "bar_id": derived_id("benchmark-bar", i),
                "symbol": "EURUSD",
                "digits": 5,
                "timeframe": "M1",
                "bar": bars[i],
                "closed_at": (bars[i].open_ns + MINUTE_NS) / 1e9,
                "history": tuple(bars[i - 63 : i]),
            }
        )
        for i in range(63, len(bars))
    ]


def summarise(latencies_us: NDArray[np.float64]) -> dict[str, float]:
    """Percentiles in microseconds."""
    p50, p99 = np.percentile(latencies_us, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(latencies_us.max())}


def run(count: int = 3_000) -> dict[str, Any]:
    """Train, decide ``count`` bars, and run the bare model on the same number of rows."""
    columns = read_bars()
    model = serve(train(columns))
    events = close_bars(columns, TRAINING_BARS, count + WARM_UP)
    views = (View("v", "reviewer", "bullish", 0.6, 0.8, False),)
    decisions = np.empty(len(events))
    floor = np.empty(len(events))
    signals = 0
    row = np.zeros((1, len(FEATURES)), dtype=np.float32)
    for i, event in enumerate(events):
        started = perf_counter_ns()
        decision = decide(
            bar_id=event.bar_id,
            symbol=event.symbol,
            timeframe=event.timeframe,
            bars=take_bars(event),
            model=model,
            any_model=True,
            views=views,
        )
        decided = perf_counter_ns()
        model.predict(row)
        floor[i] = (perf_counter_ns() - decided) / 1_000
        decisions[i] = (decided - started) / 1_000
        signals += decision.outcome.direction is not None
        if decision.features is not None:
            row = np.array([decision.features], dtype=np.float32)
    decided_us, floor_us = summarise(decisions[WARM_UP:]), summarise(floor[WARM_UP:])
    return {
        "decisions": len(events) - WARM_UP,
        "signals": signals,
        "decision_us": decided_us,
        "bare_model_us": floor_us,
        "ratio_p50": decided_us["p50"] / floor_us["p50"],
    }


def main() -> int:
    """Print the figures."""
    result = run()
    for name in ("decision_us", "bare_model_us"):
        figures = ", ".join(f"{key} {value:.1f}" for key, value in result[name].items())
        print(f"{name}: {figures}")
    print(f"{result['decisions']} decisions, {result['ratio_p50']:.1f} times the bare model")
    return 0


if __name__ == "__main__":
    sys.exit(main())
