"""A day of a busy host: 20 symbols, 2 million ticks, 20 accounts that trade; does memory grow?

`python -m benchmarks.day` plays the day minute by minute through bridge, journal and publisher, as
a live host would but without waiting, and tells the resident memory after a tenth of it and at the
end. Every bar of every timeframe is then compared with the bars made of all ticks in one go.
"""

import argparse
import gc
import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "edge-bridge" / "src"), str(ROOT / "layers" / "contracts" / "src")]

from benchmarks.order_path import make_signal, open_engine  # noqa: E402 - after the import roots
from contracts.data_bridge import TIMEFRAME_SECONDS  # noqa: E402
from contracts.envelope import Envelope  # noqa: E402
from edge_bridge.adapters.clock import BrokerClock  # noqa: E402
from edge_bridge.bridge.market import MarketBridge  # noqa: E402
from edge_bridge.bridge.ticks import Int64s, TickChunk, make_chunk  # noqa: E402
from edge_bridge.bridge.timeframes import HIGHER, TimeframeBar  # noqa: E402
from edge_bridge.link.aws import Taken  # noqa: E402
from edge_bridge.link.journal import Journal, OutboxRow  # noqa: E402
from edge_bridge.link.outbox import Lane, OutboxBounds, OutboxGuard  # noqa: E402
from edge_bridge.link.publisher import Publisher  # noqa: E402
from edge_bridge.times import SystemClock  # noqa: E402
from edge_bridge.values import Quote, Timeframe  # noqa: E402

S = 10**9
MINUTE_NS, DAY_NS = 60 * S, 86_400 * S
MIDNIGHT_NS = 1_399_410_000 * S
"""2014-05-06 21:00 UTC: the broker's midnight."""
DIGITS = 5
TIMEFRAMES: tuple[Timeframe, ...] = ("M1", *HIGHER)
DRAIN_S = 60.0
SIGNAL_MINUTES = 15


class Traders:
    """Accounts that trade one symbol of the day, with a journal of their own."""

    def __init__(self, folder: Path, cloud: "Cloud", accounts: int) -> None:
        self.engine, self._floor, self.journal, _ = open_engine(folder, accounts)
        self.publisher = Publisher(self.journal, {"bus": cloud, "market": cloud})
        self.publisher.start()
        self._fed = 1

    def pass_minute(self, day: TickChunk, places: list[int], minute: int, end_ns: int) -> None:
        """Feed a minute's accepted ticks, let the engine look, trade each quarter of an hour."""
        self._floor.feed(self._fed, day, places)
        self._fed += len(day)
        last = self._floor.last
        if last is None:
            return
        self.engine.advance(end_ns, [Quote(day.symbol, last[2], last[3], last[1])])
        if minute % SIGNAL_MINUTES == 0:
            signal = make_signal(minute, end_ns)
            now = datetime.now(UTC)
            self.engine.handle(Envelope.wrap(signal, tenant_id=None, now=now))

    def close(self) -> bool:
        """End; tell whether everything was sent."""
        drained = self.publisher.wait_below(0, DRAIN_S)
        self.publisher.stop()
        self.journal.close()
        self._floor.close()
        return drained


class Cloud:
    """The other side: takes everything, counts it, keeps nothing."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.bytes = 0

    def send(self, rows: Sequence[OutboxRow]) -> Taken:
        """Take all rows."""
        self.taken.update(row.detail_type for row in rows)
        self.bytes += sum(len(row.body) for row in rows)
        return Taken(list(rows), [])


def make_day(symbol: str, ticks: int, seed: int) -> TickChunk:
    """A random walk of a day, to the millisecond, no tick twice."""
    rng = np.random.default_rng(seed)
    ts_ns = MIDNIGHT_NS + np.sort(rng.choice(DAY_NS // 10**6, ticks, replace=False)) * 10**6
    bid = 137_000 + np.cumsum(rng.integers(-2, 3, ticks))
    return make_chunk(symbol, ts_ns, bid, bid + rng.integers(1, 12, ticks))


class BarDigest:
    """The bars of a symbol and timeframe as one hash, so that comparing them keeps none."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[str, str], Any] = {}
        self.bars = 0

    def add(self, bar: TimeframeBar) -> None:
        """Take the next bar."""
        each = bar.bar
        row = (each.time_ns, each.open, each.high, each.low, each.close, each.tick_volume)
        self._of(bar.symbol, bar.timeframe).update(np.array(row, dtype=np.int64).tobytes())
        self.bars += 1

    def add_rows(self, symbol: str, timeframe: str, rows: Int64s) -> None:
        """Take bars as rows."""
        self._of(symbol, timeframe).update(np.ascontiguousarray(rows, dtype=np.int64).tobytes())

    def find_drift(self, other: "BarDigest") -> list[tuple[str, str]]:
        """Symbols and timeframes whose bars differ."""
        names = self._hashes.keys() | other._hashes.keys()
        return sorted(
            name for name in names if self._of(*name).digest() != other._of(*name).digest()
        )

    def _of(self, symbol: str, timeframe: str) -> Any:
        return self._hashes.setdefault((symbol, timeframe), hashlib.sha256())


def build_at_once(chunk: TickChunk, timeframe: Timeframe) -> Int64s:
    """All bars of a day: opening time, open, high, low, close, ticks."""
    length_ns = TIMEFRAME_SECONDS[timeframe] * S
    # The day has no change of the clocks: one offset serves all of it.
    offset_ns = BrokerClock().offset_s(MIDNIGHT_NS // S) * S
    opens = (chunk.ts_ns + offset_ns) // length_ns * length_ns - offset_ns
    starts = np.flatnonzero(np.diff(opens, prepend=-1))
    ends = np.append(starts[1:], len(opens))
    bid = chunk.bid
    return np.column_stack(
        [
            opens[starts],
            bid[starts],
            np.maximum.reduceat(bid, starts),
            np.minimum.reduceat(bid, starts),
            bid[ends - 1],
            ends - starts,
        ]
    )


def read_memory() -> int | None:
    """Resident bytes of this process; None where the system does not tell."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * 4_096


def run(ticks: int = 2_000_000, symbols: int = 20, accounts: int = 20) -> dict[str, Any]:
    """Play a day of so many ticks; return the figures."""
    names = ["EURUSD", *(f"SYM{n:02d}" for n in range(1, symbols))]
    days = [make_day(name, ticks // symbols, n) for n, name in enumerate(names)]
    cloud, ours, told = Cloud(), BarDigest(), Cloud()
    senders: dict[Lane, Cloud] = {"bus": cloud, "market": cloud}
    memory: list[int | None] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "edge.db")
        guard = OutboxGuard(journal.outbox, OutboxBounds(rows_max=5_000))
        bridge = MarketBridge("day", {day.symbol: DIGITS for day in days}, journal, SystemClock())
        publisher = Publisher(journal, senders)
        publisher.start()
        traders = Traders(Path(folder) / "engine", told, accounts)
        started = time.perf_counter()
        minutes = DAY_NS // MINUTE_NS
        waits = deepest = 0
        for minute in range(minutes):
            end_ns = MIDNIGHT_NS + (minute + 1) * MINUTE_NS
            while not guard.takes_ticks():
                waits += 1
                publisher.wait_below(2_000, 0.5)
            for day in days:
                edges = np.searchsorted(day.ts_ns, [end_ns - MINUTE_NS, end_ns])
                part = day.part(int(edges[0]), int(edges[1]))
                bridge.ingest(part)
                if day is days[0]:
                    places = bridge.find_accepted(day.symbol).tolist() if len(part) else []
                    traders.pass_minute(part, places, minute, end_ns)
            bridge.advance(end_ns)
            bridge.commit({"minute": minute})
            for bar in bridge.take_bars():
                ours.add(bar)
            deepest = max(deepest, journal.depth())
            if minute + 1 in (minutes // 10, minutes // 2, minutes):
                memory.append(read_memory())
        bridge.flush()
        bridge.commit({})
        seconds = time.perf_counter() - started
        drained = publisher.wait_below(0, DRAIN_S) and traders.close()
        publisher.stop()
        journal.checkpoint()
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        journal.close()
    at_once = BarDigest()
    for day in days:
        for timeframe in TIMEFRAMES:
            at_once.add_rows(day.symbol, timeframe, build_at_once(day, timeframe))
    read, accepted, rejected = bridge.count_ticks()
    return {
        "ticks": read,
        "accepted": accepted,
        "rejected": rejected,
        "bars": ours.bars,
        "drift": ours.find_drift(at_once),
        "accounts": accounts,
        "orders_filled": told.taken["OrderFilled"],
        "sent": dict(cloud.taken),
        "sent_bytes": cloud.bytes,
        "all_sent": drained and cloud.taken["TickBatch"] == bridge.batches_made(),
        "outbox_rows_max": deepest,
        "waits": waits,
        "file_bytes": size,
        "memory_tenth_half_end": memory,
        "seconds": round(seconds, 3),
        "ticks_per_s": round(read / seconds),
    }


def describe(result: dict[str, Any]) -> str:
    """The figures in a line."""
    first, _, last = result["memory_tenth_half_end"]
    memory = (
        f"memory {first / 1e6:.0f} MB after a tenth, {last / 1e6:.0f} MB at the end"
        if first and last
        else "memory not told by this system"
    )
    drift = "no drift" if not result["drift"] else f"drift in {result['drift']}"
    return (
        f"a day, {result['ticks']:,} ticks, {result['accounts']} accounts with"
        f" {result['orders_filled']:,} orders: {result['ticks_per_s']:,} ticks/s with the publisher"
        f" draining; {memory}; {result['bars']:,} bars of seven timeframes, {drift}; outbox at"
        f" most {result['outbox_rows_max']:,} messages, file {result['file_bytes'] / 1e6:.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ticks", type=int, default=2_000_000)
    parser.add_argument("--symbols", type=int, default=20)
    given = parser.parse_args()
    result = run(given.ticks, given.symbols)
    for name, value in result.items():
        print(f"{name}: {value}")
    print(describe(result))


if __name__ == "__main__":
    main()
