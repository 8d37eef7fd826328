"""What a run did, counted from the journal, so that a restart in the middle changes nothing."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_bridge.bridge.market import MarketBridge
from edge_bridge.engine.models import Order, read_value
from edge_bridge.link.journal import Journal

HISTOGRAM_US = (25, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 5_000, 10_000)
"""Upper bounds of the order path's histogram; the last bucket is what is above."""


def count_outcomes(orders: Sequence[Order]) -> dict[str, Any]:
    """Outcomes by type and reason."""
    denied = Counter(order.denial for order in orders if order.denial)
    rejected = Counter(order.reason for order in orders if order.state == "rejected")
    closed = Counter(order.reason for order in orders if order.state == "closed")
    states = Counter(order.state for order in orders)
    return {
        "filled": states["filled"] + states["closed"],
        "rejected": dict(rejected),
        "denied": dict(denied),
        "closed": dict(closed),
        "open": states["filled"],
        "unknown": states["unknown"] + states["intended"],
        "sent": sum(order.magic > 0 for order in orders),
    }


def measure_paths(orders: Sequence[Order]) -> dict[str, Any]:
    """The order path in microseconds: percentiles (nearest rank) and a histogram."""
    paths = sorted(order.order_path_us for order in orders if order.order_path_us > 0)
    buckets = Counter(next((b for b in HISTOGRAM_US if path <= b), "more") for path in paths)
    histogram = [[str(bound), buckets.get(bound, 0)] for bound in (*HISTOGRAM_US, "more")]
    return {
        "count": len(paths),
        "p50": pick_rank(paths, 0.50),
        "p99": pick_rank(paths, 0.99),
        "max": paths[-1] if paths else None,
        "histogram": histogram,
    }


def pick_rank(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of ordered values."""
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * round(share * 10_000) // 10_000))
    return ordered[rank - 1]


def make_summary(
    journal: Journal, bridge: MarketBridge, seconds: float, ticks_played: int
) -> dict[str, Any]:
    """Counts of the whole stream; `seconds` and the rate are this process's own."""
    read, accepted, rejected = bridge.count_ticks()
    messages = journal.count_messages()
    orders = [read_value(Order, text) for text in journal.load("order").values()]
    return {
        "stream": bridge.stream,
        "ticks": {"read": read, "accepted": accepted, "rejected": rejected},
        "batches": bridge.batches_made(),
        "bars": bridge.bars_closed,
        "signals": messages.get("SignalIssued", 0),
        "withheld": messages.get("SignalWithheld", 0),
        "outcomes": count_outcomes(orders),
        "predictions": len({(o.tenant_id, o.signal_id) for o in orders if o.delivered_day}),
        "order_path_us": measure_paths(orders),
        "outbox": {"waiting": journal.depth(), "set_aside": journal.count_set_aside()},
        "seconds": round(seconds, 3),
        "ticks_played": ticks_played,
        "ticks_per_s": round(ticks_played / seconds) if seconds > 0 else None,
    }


class ProgressFile:
    """A small JSON file for a display, rewritten whole about five times a second.

    Replacing a file may wait for the disk, so a thread of its own does it.
    """

    PERIOD_S = 0.2

    def __init__(self, path: Path | None, describe: Callable[[], dict[str, Any]]) -> None:
        self._path, self._describe = path, describe
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        """Start to write, if there is a file to write to."""
        if self._path is not None:
            self._thread.start()

    def stop(self) -> None:
        """Write the last line and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        assert self._path is not None  # else it was not started
        while not self._stopping.wait(self.PERIOD_S):
            write_whole(self._path, json.dumps(self._describe()) + "\n")
        write_whole(self._path, json.dumps(self._describe()) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once: a reader sees the old text or the new."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def show_time(time_ns: int) -> str:
    """A market time for a display, to the second."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).isoformat()
