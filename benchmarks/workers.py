"""What one worker process an account costs: memory, start, hand-over, round trip, restart.

`python benchmarks/workers.py --workers 20` starts real processes over simulated terminals. The
hand-over is what the engine waits for; the round trip crosses two processes and back.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "edge-bridge" / "src"), str(ROOT / "layers" / "contracts" / "src")]

from edge_bridge.ports import Done, OrderRequest, TerminalUnavailable, TickColumns  # noqa: E402
from edge_bridge.summary import pick_rank  # noqa: E402
from edge_bridge.workers.messages import Opening  # noqa: E402
from edge_bridge.workers.plan import WorkerSpec  # noqa: E402
from edge_bridge.workers.policy import WatchSettings  # noqa: E402
from edge_bridge.workers.remote import RemoteTerminal  # noqa: E402
from edge_bridge.workers.supervisor import Supervisor, SupervisorSettings  # noqa: E402
from edge_bridge.workers.wire import Ticks  # noqa: E402

WORKERS = 20
ORDERS = 2_000
FAN_OUTS = 50
TICKS = 100_000
QUIET_S = 3.0
WAIT_S = 120.0
DESIGN_LOAD = 200
START_NS = 1_398_902_400_000_000_000
SECOND_NS = 1_000_000_000
SILENCE_NS = 2 * SECOND_NS
"""Short of the 20 s in production: the restart is measured from the kill on."""


class Fleet:
    """A supervisor and its paper accounts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.told: list[tuple[float, str, str]] = []
        watch = replace(WatchSettings(), silence_max_ns=SILENCE_NS)
        self.supervisor = Supervisor(
            lambda _, change: self.told.append(
                (time.monotonic(), str(change.account_id), change.health)
            ),
            lambda *_: "",
            SupervisorSettings(watch=watch),
        )
        self._seq = 0
        self.supervisor.start()
        self.feed(1)

    def feed(self, count: int) -> None:
        """Give the market so many ticks."""
        numbers = range(self._seq, self._seq + count)
        bid = [110_000 + (number * 7_919) % 41 - 20 for number in numbers]
        ts_ns = [START_NS + number * 100_000_000 for number in numbers]
        columns = TickColumns(ts_ns, bid, [each + 10 for each in bid])
        self.supervisor.feed_market(Ticks("EURUSD", self._seq, columns))
        self._seq += count

    def add(self) -> RemoteTerminal:
        """Serve one more account."""
        account_id = uuid4()
        opening = Opening(
            str(account_id), "paper", 1, "Paper", str(self._folder / f"{account_id}.journal"),
            (("EURUSD", 5),), balance=100_000_000,
        )  # fmt: skip
        return self.supervisor.add(WorkerSpec(uuid4(), account_id, 1, opening))

    def pids(self) -> list[int]:
        """The workers' processes."""
        return [report.pid for report in self.supervisor.report() if report.pid is not None]


def wait_until(look: Callable[[], bool], what: str) -> None:
    """Look every fifth of a millisecond, within a bound."""
    end = time.monotonic() + WAIT_S
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.0002)


def is_up(terminal: RemoteTerminal) -> bool:
    """Whether a terminal tells prices."""
    try:
        return terminal.quote("EURUSD") is not None
    except TerminalUnavailable:
        return False


def read_memory_kb(pid: int) -> dict[str, int]:
    """Resident, proportional and own memory of a process; empty where the system cannot tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return {}
    found = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    own = found["Private_Clean:"] + found["Private_Dirty:"]
    return {"rss": found["Rss:"], "pss": found["Pss:"], "own": own}


def read_cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_starts(fleet: Fleet, count: int) -> tuple[list[RemoteTerminal], list[float], float]:
    """Half of the accounts one after another, the other half at once."""
    terminals, seconds = [], []
    for _ in range(count // 2):
        started = time.perf_counter()
        terminal = fleet.add()
        wait_until(lambda one=terminal: is_up(one), "a start")  # type: ignore[misc]
        seconds.append(time.perf_counter() - started)
        terminals.append(terminal)
    started = time.perf_counter()
    rest = [fleet.add() for _ in range(count - len(terminals))]
    wait_until(lambda: all(map(is_up, rest)), "all starts")
    return terminals + rest, seconds, time.perf_counter() - started


def make_order(number: int) -> OrderRequest:
    """A small market order."""
    return OrderRequest("bench", "EURUSD", "buy" if number % 2 else "sell", 1, magic=number + 1)


def measure_orders(terminals: list[RemoteTerminal]) -> tuple[list[float], list[float]]:
    """Hand-over and round trip, in microseconds, one order at a time."""
    handed, answered = [], []
    for number in range(ORDERS):
        terminal = terminals[number % len(terminals)]
        request = make_order(number)
        started = time.perf_counter_ns()
        handle = terminal.begin(request)
        middle = time.perf_counter_ns()
        wait_until(lambda one=handle: one.poll() is not None, "an answer")  # type: ignore[misc]
        ended = time.perf_counter_ns()
        assert isinstance(handle.poll(), Done), handle.poll()
        handed.append((middle - started) / 1_000)
        answered.append((ended - started) / 1_000)
        if (number + 1) % (20 * len(terminals)) == 0:
            close_all(terminals)
    return handed, answered


def close_all(terminals: list[RemoteTerminal]) -> None:
    """Flatten, so that accounts stay as small as at the beginning."""
    for terminal in terminals:
        for position in terminal.positions():
            terminal.close_position(position)


def measure_fan_out(terminals: list[RemoteTerminal]) -> list[float]:
    """Milliseconds from the first to the last hand-over of one signal to all accounts."""
    spans = []
    for number in range(FAN_OUTS):
        started = time.perf_counter_ns()
        handles = [terminal.begin(make_order(number)) for terminal in terminals]
        spans.append((time.perf_counter_ns() - started) / 1e6)
        wait_until(lambda all_=handles: all(h.poll() for h in all_), "answers")  # type: ignore[misc]
    close_all(terminals)
    return spans


def measure_market(fleet: Fleet, terminals: list[RemoteTerminal]) -> float:
    """Ticks a second until every simulated terminal has them all."""
    started = time.perf_counter()
    for _ in range(TICKS // 2_000):
        fleet.feed(2_000)
    last_ns = START_NS + (fleet._seq - 1) * 100_000_000

    def has_all(terminal: RemoteTerminal) -> bool:
        quote = terminal.quote("EURUSD")
        return quote is not None and quote.time_ns == last_ns

    wait_until(lambda: all(map(has_all, terminals)), "the market")
    return TICKS / (time.perf_counter() - started)


def measure_restart(fleet: Fleet) -> float:
    """Seconds from the kill of a hung worker to its terminal being connected again."""
    victim = fleet.supervisor.report()[0]
    assert victim.pid is not None
    fleet.told.clear()
    os.kill(victim.pid, signal.SIGSTOP)
    name = str(victim.account_id)

    def find(health: str) -> list[float]:
        return [at for at, account, each in fleet.told if account == name and each == health]

    wait_until(lambda: bool(find("connected")), "the restart")
    return find("connected")[0] - find("hung")[0]


def run(workers: int = WORKERS) -> dict[str, Any]:
    """Measure everything on one fleet; memory after the traffic."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder))
        try:
            return _measure(fleet, workers)
        finally:
            fleet.supervisor.stop()


def _measure(fleet: Fleet, workers: int) -> dict[str, Any]:
    terminals, starts, together_s = measure_starts(fleet, workers)
    start_cpu = [read_cpu_s(pid) for pid in fleet.pids()]
    handed, answered = measure_orders(terminals)
    spans = measure_fan_out(terminals)
    ticks_per_s = measure_market(fleet, terminals)
    everyone = [*fleet.pids(), os.getpid()]
    before = [read_cpu_s(pid) for pid in everyone]
    time.sleep(QUIET_S)
    used = [read_cpu_s(pid) - then for pid, then in zip(everyone, before, strict=True)]
    memory = [read_memory_kb(pid) for pid in fleet.pids()]
    restart_s = measure_restart(fleet)
    mean = {
        name: round(sum(each[name] for each in memory) / len(memory) / 1_024, 1)
        for name in memory[0]
    }
    shared_mb = mean.get("rss", 0.0) - mean.get("own", 0.0)
    return {
        "workers": workers,
        "threads_in_host": threading.active_count(),
        "start_ms": _ranks([each * 1_000 for each in starts], ("p50", 0.5), ("p95", 0.95)),
        "start_cpu_ms": round(sum(start_cpu) / len(start_cpu) * 1_000),
        "together": {"workers": workers - len(starts), "s": round(together_s, 2)},
        "memory_mb": mean,
        "handover_us": _ranks(handed, ("p50", 0.5), ("p99", 0.99)),
        "round_trip_us": _ranks(answered, ("p50", 0.5), ("p99", 0.99)),
        "fan_out_ms": _ranks(spans, ("p50", 0.5), ("max", 1.0)),
        "market_ticks_per_s": round(ticks_per_s),
        "quiet_cpu_percent": {
            "worker": round(sum(used[:-1]) / workers / QUIET_S * 100, 2),
            "host": round(used[-1] / QUIET_S * 100, 2),
        },
        "restart_s": round(restart_s, 2),
        "design_load": {
            "workers": DESIGN_LOAD,
            "memory_mb": round(DESIGN_LOAD * mean.get("own", 0.0) + shared_mb),
            "start_core_s": round(DESIGN_LOAD * sum(start_cpu) / len(start_cpu), 1),
            "fan_out_ms": round(sum(spans) / len(spans) / workers * DESIGN_LOAD, 1),
            "quiet_cores": round(
                (sum(used[:-1]) / workers * DESIGN_LOAD + used[-1] / workers * DESIGN_LOAD)
                / QUIET_S,
                2,
            ),
        },
    }


def _ranks(values: list[float], *shares: tuple[str, float]) -> dict[str, float]:
    ordered = sorted(values)
    return {name: round(pick_rank(ordered, share) or 0.0, 2) for name, share in shares}


def describe(result: dict[str, Any]) -> str:
    """The result as text."""
    start, memory, load = result["start_ms"], result["memory_mb"], result["design_load"]
    handed, trip, fan = result["handover_us"], result["round_trip_us"], result["fan_out_ms"]
    return (
        f"workers: {result['workers']} processes; start p50 {start['p50']:.0f}, p95"
        f" {start['p95']:.0f} ms; memory each {memory.get('pss')} MB proportional,"
        f" {memory.get('own')} MB own; hand-over p50 {handed['p50']:.0f}, p99"
        f" {handed['p99']:.0f} us; to all {fan['p50']:.1f} ms; round trip p50"
        f" {trip['p50']:.0f}, p99 {trip['p99']:.0f} us; market"
        f" {result['market_ticks_per_s']:,} ticks/s to all; hung worker back"
        f" {result['restart_s']} s after the kill\n"
        f"  {load['workers']} would need about {load['memory_mb']:,} MB,"
        f" {load['start_core_s']} core-seconds to start, {load['quiet_cores']} cores while"
        f" nothing happens, {load['fan_out_ms']} ms to hand an order to all"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workers", type=int, default=WORKERS)
    result = run(parser.parse_args().workers)
    print(result)
    print(describe(result))


if __name__ == "__main__":
    main()
