"""``make bench``: every figure in one run, printed and written to ``var/bench.json``.

Each beside a floor or a peer of the same run: machines differ, ratios less.
``TICKS=FILE`` takes other ticks than the shipped ones; ``ONLY=order_path,risk`` runs some.
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    cold_start,
    day,
    decision,
    edge_ticks,
    engine_race,
    identity,
    order_path,
    risk,
    stream,
    workers,
)

ROOT = Path(__file__).parents[1]
OUT = ROOT / "var" / "bench.json"
SHIPPED = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"


def describe_ticks(ticks: dict[str, Any]) -> str:
    """What the bridge takes."""
    return (
        f"bridge: {ticks['ticks_per_s']:,} ticks/s through validation, bars, packed batches and the"
        f" durable outbox on one core (asked 200,000)"
    )


def describe_decision(decided: dict[str, Any]) -> str:
    """What a decision takes."""
    whole, bare = decided["decision_us"], decided["bare_model_us"]
    return (
        f"decision: p50 {whole['p50']:.0f}, p99 {whole['p99']:.0f} us (asked p99 < 15,000, aim"
        f" 2,000); the bare model: p50 {bare['p50']:.0f}, p99 {bare['p99']:.0f} us"
    )


def run_ticks() -> dict[str, Any]:
    """The bridge over the chosen file."""
    return edge_ticks.run(Path(os.environ.get("TICKS", SHIPPED)))


def describe_cold_starts(_: dict[str, Any]) -> str:
    """Told while they were measured."""
    return "cold starts: above"


BENCHES: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[dict[str, Any]], str]]] = {
    "order_path": (order_path.run, order_path.describe),
    "risk": (risk.run, risk.describe),
    "engine_race": (engine_race.run, engine_race.describe),
    "edge_ticks": (run_ticks, describe_ticks),
    "day": (day.run, day.describe),
    "workers": (workers.run, workers.describe),
    "stream": (stream.run, stream.describe),
    "decision": (decision.run, describe_decision),
    "identity": (identity.run, identity.describe),
    "cold_start": (cold_start.run, describe_cold_starts),
}


def main() -> int:
    """Run all benchmarks, or those that ``ONLY`` names."""
    chosen = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else list(BENCHES)
    unknown = sorted(set(chosen) - BENCHES.keys())
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
        return 2
    results: dict[str, Any] = {"python": platform.python_version()}
    for name in chosen:
        measure, describe = BENCHES[name]
        results[name] = measure()
        print(describe(results[name]), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2, default=str) + "\n")
    print(f"written to {OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
