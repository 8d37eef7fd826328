"""``make bench``: every figure in one run, printed and written to ``var/bench.json``.

Each beside a floor or a peer of the same run: machines differ, ratios less.
"""

import json
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks import cold_start, decision, edge_ticks, engine_race, identity, order_path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "var" / "bench.json"
TICKS = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"


def main() -> int:
    """Run all benchmarks."""
    results: dict[str, Any] = {"python": platform.python_version()}
    results["edge_ticks"] = ticks = edge_ticks.run(TICKS)
    print(
        f"bridge: {ticks['ticks_per_s']:,} ticks/s through validation, bars, batching and the"
        f" durable outbox on one core (aim 100,000)"
    )
    results["order_path"] = orders = order_path.run()
    one = orders["one_tenant"]
    print(
        f"order path, one tenant: p50 {one['p50_us']:.0f}, p99 {one['p99_us']:.0f} us"
        f" (asked p99 < 1,200, aim 200); a bare send to the same terminal:"
        f" p50 {one['floor_p50_us']:.0f}, p99 {one['floor_p99_us']:.0f} us"
    )
    results["engine_race"] = raced = engine_race.run()
    print(engine_race.describe(raced))
    results["decision"] = decided = decision.run()
    print(
        f"decision: p50 {decided['decision_us']['p50']:.0f}, p99"
        f" {decided['decision_us']['p99']:.0f} us (asked p99 < 15,000, aim 2,000); the bare model:"
        f" p50 {decided['bare_model_us']['p50']:.0f}, p99 {decided['bare_model_us']['p99']:.0f} us"
    )
    results["identity"] = signed_in = identity.run()
    print(identity.describe(signed_in))
    print("cold starts:")
    results["cold_start"] = cold_start.run()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"written to {OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
