"""The same job, the same file, the same run: our engine against nautilus_trader, round by round.

The job: average the mid over 50 and 200 ticks, and at every cross send a market order of 0.1 lot
through the risk checks. Ours is the whole pipeline of a backtest (verdict on every tick, averages,
risk checks, orders with stop and target, closes after a minute at the latest); the peer's is its
own backtest engine with its risk engine on, one order a cross. Both clocks run over the run alone,
without reading the file. The peer runs in an environment of its own (`make bench-peers`); where it
is missing, our side runs alone.

Orders are compared in three ways: what the backtest itself takes from the signal to `order_send`,
the same with the journal on disk that live trading has, and the whole handling of a signal until
its fill is recorded and reported, which is nearest to the peer's submit-to-fill.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT),
    str(ROOT / "edge-bridge" / "src"),
    str(ROOT / "layers" / "contracts" / "src"),
]

from benchmarks import order_path  # noqa: E402 - after the import roots
from contracts.trading_engine import OrderDenied, OrderFilled  # noqa: E402
from edge_bridge.backtest.config import BacktestConfig, parse_config  # noqa: E402
from edge_bridge.backtest.market import TickMarket  # noqa: E402
from edge_bridge.backtest.run import Backtest  # noqa: E402
from edge_bridge.bridge.recording import Recording, open_recording  # noqa: E402
from edge_bridge.engine.engine import Engine  # noqa: E402
from edge_bridge.summary import pick_rank  # noqa: E402

SHIPPED = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
PEER_PYTHON = ROOT / ".tools" / "peers" / "bin" / "python"
PEER_JOB = ROOT / "benchmarks" / "peers" / "nautilus_job.py"
PEER_TIMEOUT_S = 300
ROUNDS = 5
TICKS_CLAIM = 3.0
ORDER_CLAIM = 5.0


def configure() -> BacktestConfig:
    """The job. Limits of pace and hour, which the peer has not, are opened as far as they go.

    Ours closes each order after a minute at the latest, for a signal here always has an end; the
    peer sends one order a cross and closes none. How long ours holds moves ticks/s by a tenth or
    more, so the minute stays as it is: a shorter one flatters the ratio.
    """
    return parse_config(
        {
            "account": {"balance": 1_000_000},
            "symbol": {"name": "EURUSD"},
            "market": {"looks": "events"},
            "limits": {
                "sizing": {"method": "fixed_lot", "fixed_lot": 10, "risk_bp": 1},
                "orders_per_minute_max": 600,
                "cooldown_s": 0,
                "rollover_before_s": 0,
                "rollover_after_s": 0,
                "weekend_before_s": 0,
                "news_before_s": 0,
                "news_after_s": 0,
            },
            "signals": {
                "kind": "ema_cross", "fast": 50, "slow": 200,
                "stop": 400, "target": 600, "horizon_s": 60,
            },
        }
    )  # fmt: skip


class TimedEngine:
    """Times every signal's handling, from the hand-over to the fill recorded and reported."""

    def __init__(self, engine: Engine) -> None:
        self._handle = engine.handle
        self.times_us: list[float] = []
        engine.handle = self._time  # type: ignore[method-assign]

    def _time(self, envelope: Any) -> None:
        started = time.perf_counter_ns()
        self._handle(envelope)
        self.times_us.append((time.perf_counter_ns() - started) / 1_000)


def race_ours(recording: Recording) -> dict[str, Any]:
    """Run our side once."""
    started, began = time.perf_counter(), time.process_time()
    backtest = Backtest(TickMarket(recording), configure())
    timed = TimedEngine(backtest.engine)
    played = backtest.run()
    seconds, busy = time.perf_counter() - started, time.process_time() - began
    fills = [e.data for e in played.events if isinstance(e.data, OrderFilled)]
    denied = sum(isinstance(e.data, OrderDenied) for e in played.events)
    sent = sorted(fill.order_path_us for fill in fills)
    handled = sorted(timed.times_us[-played.signals :])
    ticks = len(recording.chunk)
    return {
        "ticks": ticks,
        "seconds": round(seconds, 4),
        "ticks_per_s": round(ticks / seconds),
        "cpu_s": round(busy, 4),
        "signals": played.signals,
        "fills": len(fills),
        "denied": denied,
        "signal_to_send_us": _rank(sent),
        "signal_to_reported_us": _rank(handled),
    }


def _rank(ordered: list[float]) -> dict[str, float]:
    return {
        name: round(pick_rank(ordered, s) or 0.0, 1) for name, s in (("p50", 0.5), ("p99", 0.99))
    }


def race_peer(ticks: Path) -> dict[str, Any] | None:
    """Run the peer once, in its own process; None where it is not installed."""
    if not PEER_PYTHON.exists():
        return None
    words = [str(PEER_PYTHON), str(PEER_JOB), "--ticks", str(ticks)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=PEER_TIMEOUT_S, check=True, env=environment
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run(ticks: Path | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """Alternate the sides for some rounds; the best of each, and their ratios."""
    import scipy.signal  # noqa: F401 - loaded before the clock runs, as the peer's modules are

    path = ticks or Path(os.environ.get("TICKS", SHIPPED))
    recording = open_recording(path, "EURUSD")
    race_ours(recording)  # warms up; the peer is compiled code
    ours: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    for _ in range(rounds):
        ours.append(race_ours(recording))
        peer = race_peer(path)
        if peer is not None:
            peers.append(peer)
    durables = [order_path.measure() for _ in range(rounds)]
    durable = {name: min(each[name] for each in durables) for name in ("p50_us", "p99_us")}
    result: dict[str, Any] = {
        "file": path.name,
        "ours": _pick_best(ours, ("signal_to_send_us", "signal_to_reported_us")),
        "journal_on_disk_us": {"p50": durable["p50_us"], "p99": durable["p99_us"]},
        "rounds": ours,
        "peer": None,
    }
    if peers:
        names = ("submit_to_fill_us", "submit_to_accepted_us", "submit_call_us")
        peer = _pick_best(peers, names)
        result["peer"], result["peer_rounds"] = peer, peers
        result["ratios"] = _compare(result["ours"], result["journal_on_disk_us"], peer)
    return result


def _pick_best(rounds: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """The fastest round, and the lowest percentiles of all rounds: what disturbed a round least.

    Both sides are read the same way; every round is kept in the result.
    """
    best = dict(max(rounds, key=lambda each: int(each["ticks_per_s"])))
    best["cpu_s"] = min(each["cpu_s"] for each in rounds)
    for name in names:
        known = [each[name] for each in rounds if each[name]["p50"] is not None]
        if known:
            best[name] = {rank: min(each[rank] for each in known) for rank in ("p50", "p99")}
    return best


def _compare(
    ours: dict[str, Any], durable: dict[str, float], peer: dict[str, Any]
) -> dict[str, float]:
    fill = peer["submit_to_fill_us"]
    ratios = {
        "ticks": ours["ticks_per_s"] / peer["ticks_per_s"],
        "cpu": peer["cpu_s"] / ours["cpu_s"],
    }
    for rank in ("p50", "p99"):
        ratios[f"send_{rank}"] = fill[rank] / ours["signal_to_send_us"][rank]
        ratios[f"send_on_disk_{rank}"] = fill[rank] / durable[rank]
        ratios[f"reported_{rank}"] = fill[rank] / ours["signal_to_reported_us"][rank]
    return {name: round(value, 2) for name, value in ratios.items()}


def describe(result: dict[str, Any]) -> str:
    """The race in a few lines."""
    ours, peer, disk = result["ours"], result["peer"], result["journal_on_disk_us"]
    lines = [
        f"engine race over {ours['ticks']:,} ticks ({result['file']}): {ours['ticks_per_s']:,}"
        f" ticks/s, {ours['fills']:,} orders filled and closed, {ours['denied']} denied",
        f"  signal to order_send: {_show(ours['signal_to_send_us'])}; with the journal on disk"
        f" {_show(disk)}; to the fill reported {_show(ours['signal_to_reported_us'])}",
    ]
    if peer is None:
        lines.append("  no peer here: `make bench-peers` installs nautilus_trader beside us")
        return "\n".join(lines)
    ratios = result["ratios"]
    lines += [
        f"  {peer['peer']}: {peer['ticks_per_s']:,} ticks/s, {peer['fills']:,} orders filled;"
        f" submit to fill {_show(peer['submit_to_fill_us'])}",
        f"  ratios: ticks/s {ratios['ticks']}x (claim {TICKS_CLAIM:g}x; by processor time"
        f" {ratios['cpu']}x); order_send against its"
        f" fill p50 {ratios['send_p50']}x, p99 {ratios['send_p99']}x, with the journal on disk"
        f" p50 {ratios['send_on_disk_p50']}x, p99 {ratios['send_on_disk_p99']}x (claim"
        f" {ORDER_CLAIM:g}x); our fill reported against its fill p50 {ratios['reported_p50']}x,"
        f" p99 {ratios['reported_p99']}x",
    ]
    return "\n".join(lines)


def _show(times: dict[str, float | None]) -> str:
    return f"p50 {times['p50']}, p99 {times['p99']} us"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ticks", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    print(describe(run(given.ticks, given.rounds)))


if __name__ == "__main__":
    main()
