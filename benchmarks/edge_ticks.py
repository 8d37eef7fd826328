"""How many ticks a second one core takes through validation, bars, batches and the journal.

`python benchmarks/edge_ticks.py --ticks FILE.parquet` ends with a line `N ticks/s`. The clock runs
over everything the bridge does in production up to the durable outbox: bars M1 to D1, every batch
packed, every message written; reading the file is not part of it. On a machine that has other work
too, `cpu_s` says what this process itself used.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "edge-bridge" / "src"), str(ROOT / "layers" / "contracts" / "src")]

from edge_bridge.bridge.market import MarketBridge  # noqa: E402 - after the import roots
from edge_bridge.bridge.recording import open_recording  # noqa: E402
from edge_bridge.link.journal import Journal  # noqa: E402
from edge_bridge.times import SystemClock  # noqa: E402

CHUNK_TICKS = 4_096
CHECKPOINT_CHUNKS = 16
ROUNDS = 3


def measure(ticks: Path, chunk_ticks: int, *, one_by_one: bool = False) -> dict[str, Any]:
    """Run a recording through a bridge over a journal on disk, once."""
    recording = open_recording(ticks, "EURUSD")
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "edge.db")
        bridge = MarketBridge("bench", {"EURUSD": recording.digits}, journal, SystemClock())
        total = len(recording.chunk)
        started, cpu_started = time.perf_counter(), time.process_time()
        for number, start in enumerate(range(0, total, chunk_ticks)):
            stop = min(total, start + chunk_ticks)
            part = recording.chunk.part(start, stop)
            if one_by_one:
                columns = part.ts_ns.tolist(), part.bid.tolist(), part.ask.tolist()
                for ts_ns, bid, ask in zip(*columns, strict=True):
                    bridge.ingest_tick("EURUSD", ts_ns, bid, ask)
            else:
                bridge.ingest(part)
            bridge.commit({"next": stop})
            if number % CHECKPOINT_CHUNKS == 0:
                journal.checkpoint()
        bridge.flush()
        bridge.commit({"next": total})
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        outbox = journal.outbox
        read, accepted, rejected = bridge.count_ticks()
        batches, bars = bridge.batches_made(), bridge.bars_closed
        journal.close()
    assert read == total
    return {
        "ticks": total,
        "accepted": accepted,
        "rejected": rejected,
        "batches": batches,
        "bars": bars,
        "batch_bytes_a_tick": round(outbox.bytes["market"] / accepted, 2),
        "seconds": round(seconds, 4),
        "cpu_s": round(cpu_s, 4),
        "ticks_per_s": round(total / seconds),
    }


def run(ticks: Path, chunk_ticks: int = CHUNK_TICKS, rounds: int = ROUNDS) -> dict[str, Any]:
    """The median of some rounds; all of them are told."""
    results = [measure(ticks, chunk_ticks) for _ in range(rounds)]
    results.sort(key=lambda result: int(result["ticks_per_s"]))
    middle = results[len(results) // 2]
    middle["rounds_ticks_per_s"] = [result["ticks_per_s"] for result in results]
    middle["one_by_one_ticks_per_s"] = measure(ticks, chunk_ticks, one_by_one=True)["ticks_per_s"]
    return middle


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ticks", type=Path, required=True)
    parser.add_argument("--chunk", type=int, default=CHUNK_TICKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    result = run(given.ticks, given.chunk, given.rounds)
    for name, value in result.items():
        print(f"{name}: {value}")
    print(f"{result['ticks_per_s']} ticks/s")


if __name__ == "__main__":
    main()
