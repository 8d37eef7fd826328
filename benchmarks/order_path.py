"""How long a signal takes from the engine's hands to the terminal, and what of that is the floor.

Real engine, journal on disk, simulated terminal, recorded ticks; one tenant, one account. Every
order is timed by the engine itself, from `handle` to the call of `begin`; in the same run, a bare
`send` to a second simulated terminal is timed, the least any engine could add to nothing.

Fan-out: one signal to 500 tenants on one core. The last order's time is measured twice: with
terminals that execute each order before they take it (all in this process), and with terminals
that only write the request into a pipe, as one with a process of its own does.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "edge-bridge" / "src"), str(ROOT / "layers" / "contracts" / "src")]

from contracts.ai_orchestration import SignalIssued  # noqa: E402 - after the import roots
from contracts.envelope import Envelope  # noqa: E402
from contracts.ids import derived_id, uuid7  # noqa: E402
from contracts.subscription_service import EntitlementsChanged  # noqa: E402
from contracts.trading_engine import AccountLinked  # noqa: E402
from contracts.trading_limits import TradingLimits  # noqa: E402
from edge_bridge.engine.engine import Engine  # noqa: E402
from edge_bridge.engine.journal import OpenTerminal  # noqa: E402
from edge_bridge.engine.models import Order, read_value  # noqa: E402
from edge_bridge.engine.risk import RiskLimits  # noqa: E402
from edge_bridge.floor import PaperFloor  # noqa: E402
from edge_bridge.link.journal import Journal  # noqa: E402
from edge_bridge.ports import Action, OrderRequest, Quote, SendResult, Terminal  # noqa: E402
from edge_bridge.reconcile import Reconciler  # noqa: E402
from edge_bridge.summary import pick_rank  # noqa: E402
from edge_bridge.times import SystemClock, instant  # noqa: E402

SIGNALS = 2_000
TENANTS = 500
WARMUP = 100
MINUTE_NS = 60_000_000_000
START_NS = 1_400_047_200_000_000_000
BID, SPREAD = 137_000, 8
ALL_DAY = TradingLimits(rollover_before_s=0, rollover_after_s=0, cooldown_s=0)
"""The signals go through the broker's midnight."""


def make_signal(number: int, now_ns: int) -> SignalIssued:
    """A signal whose position is closed a minute later."""
    return SignalIssued(
        signal_id=uuid7(), decision_id=uuid7(), bar_id=derived_id("bench", number),
        symbol="EURUSD", digits=5, timeframe="M1", direction="buy" if number % 2 else "sell",
        probability=0.6, size_factor=1.0, stop_distance=400, target_distance=600, horizon_s=60,
        as_of=instant(now_ns), expires_at=instant(now_ns) + timedelta(seconds=120),
        model_version="bench",
    )  # fmt: skip


def walk(count: int) -> Iterator[tuple[int, int, int, int]]:
    """Ticks a minute apart around one price."""
    for number in range(count):
        bid = BID + (number * 7919) % 41 - 20
        yield number, START_NS + number * MINUTE_NS, bid, bid + SPREAD


class PipedTerminal:
    """A terminal behind a pipe: a request is written there, and executed when its answer is asked
    for."""

    def __init__(self, behind: Terminal, pipe: int) -> None:
        self._behind, self._pipe = behind, pipe
        self.quote, self.positions, self.account = behind.quote, behind.positions, behind.account

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def begin(self, action: Action) -> "PipedHandle":
        """Write the request."""
        os.write(self._pipe, orjson.dumps(action))
        return PipedHandle(self._behind, action)


class PipedHandle:
    """The answer of a request in a pipe."""

    def __init__(self, behind: Terminal, action: Action) -> None:
        self._behind, self._action = behind, action
        self._result: SendResult | None = None

    def poll(self) -> SendResult | None:
        """Execute the request, once."""
        if self._result is None:
            self._result = self._behind.begin(self._action).poll()
        return self._result


def open_engine(
    folder: Path, tenants: int, pipe: int | None = None
) -> tuple[Engine, PaperFloor, Journal, UUID]:
    """An engine with linked paper accounts, one a tenant; behind a pipe when there is one."""
    folder.mkdir()
    journal = Journal(folder / "edge.db")
    floor = PaperFloor(folder / "paper", "EURUSD", 5, (0, START_NS - 1, BID, BID + SPREAD))
    limits = RiskLimits(cooldown_ns=0, defaults=ALL_DAY)

    def open_piped(account: AccountLinked) -> Any:
        terminal = floor.open(account)
        return None if terminal is None or pipe is None else PipedTerminal(terminal, pipe)

    opening: OpenTerminal = floor.open if pipe is None else open_piped
    engine = Engine(journal, SystemClock(), opening, Reconciler(timedelta(0)), limits)
    engine.start()
    now = datetime.now(UTC)
    account = UUID(int=0)
    for number in range(tenants):
        tenant_id, account = uuid7(), uuid7()
        linked = AccountLinked(
            account_id=account, mode="paper", login=1 + number, server="Paper", leverage=100,
            initial_balance_cents=10_000_000, risk_per_trade_bp=10, max_open_positions=100,
            max_daily_loss_bp=10_000, version=1,
        )  # fmt: skip
        plan = EntitlementsChanged(
            version=1, tier="enterprise", symbols=("*",), predictions_per_day=None,
            prediction_delay_s=0, live_accounts=10,
        )  # fmt: skip
        engine.handle(Envelope.wrap(plan, tenant_id=tenant_id, now=now))
        engine.handle(Envelope.wrap(linked, tenant_id=tenant_id, now=now))
    return engine, floor, journal, account


def measure(signals: int = SIGNALS, tenants: int = 1) -> dict[str, Any]:
    """Send orders and time them."""
    from edge_bridge.bridge.ticks import make_chunk

    floors: list[float] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        engine, floor, journal, _ = open_engine(folder / "engine", tenants)
        bare_engine, bare_floor, bare_journal, account = open_engine(folder / "bare", 1)
        bare = bare_engine.state.desks[account].terminal
        gc.collect()
        gc.freeze()
        for number, ts_ns, bid, ask in walk(signals + WARMUP):
            chunk = make_chunk("EURUSD", [ts_ns], [bid], [ask])
            floor.feed(number + 1, chunk, [0])
            bare_floor.feed(number + 1, chunk, [0])
            engine.advance(ts_ns, [Quote("EURUSD", bid, ask, ts_ns)])
            signal = Envelope.wrap(
                make_signal(number, ts_ns), tenant_id=None, now=datetime.now(UTC)
            )
            engine.handle(signal)
            request = OrderRequest("bench", "EURUSD", "buy", 1, bid - 400, bid + 600, number + 1)
            started = time.perf_counter_ns()
            bare.send(request)
            floors.append((time.perf_counter_ns() - started) / 1_000)
            for position in bare.positions():
                bare.close_position(position)
            if number % 100 == 0:
                journal.checkpoint()
        orders = [read_value(Order, text) for text in journal.load("order").values()]
        orders.sort(key=lambda order: order.decided_ns)
        for each in (journal, bare_journal):
            each.close()
        for each_floor in (floor, bare_floor):
            each_floor.close()
    filled = [order for order in orders if order.state in ("filled", "closed")]
    assert len(filled) == len(orders), {order.denial or order.reason for order in orders}
    paths = sorted(order.order_path_us for order in filled[WARMUP * tenants :])
    bare_us = sorted(floors[WARMUP:])
    return {
        "orders": len(paths),
        "tenants": tenants,
        **{f"{name}_us": round(pick_rank(paths, share) or 0, 1) for name, share in _SHARES},
        **{f"floor_{name}_us": round(pick_rank(bare_us, s) or 0, 1) for name, s in _SHARES},
    }


_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))


def measure_fan_out(tenants: int = TENANTS, signals: int = 12, *, piped: bool) -> dict[str, Any]:
    """Send one signal to many tenants, some times over; when was the last order handed over?"""
    from edge_bridge.bridge.ticks import make_chunk

    sink = os.open(os.devnull, os.O_WRONLY)
    lasts: list[float] = []
    with tempfile.TemporaryDirectory() as text:
        engine, floor, journal, _ = open_engine(Path(text) / "e", tenants, sink if piped else None)
        gc.collect()
        gc.freeze()
        for number, ts_ns, bid, ask in walk(signals + 2):
            floor.feed(number + 1, make_chunk("EURUSD", [ts_ns], [bid], [ask]), [0])
            engine.advance(ts_ns, [Quote("EURUSD", bid, ask, ts_ns)])
            signal = make_signal(number, ts_ns)
            engine.handle(Envelope.wrap(signal, tenant_id=None, now=datetime.now(UTC)))
            orders = [each for desk in engine.state.desks.values() for each in desk.orders.values()]
            assert len(orders) == tenants, len(orders)
            lasts.append(max(order.order_path_us for order in orders) / 1_000)
            journal.checkpoint()
        journal.close()
        floor.close()
    os.close(sink)
    measured = sorted(lasts[2:])
    return {
        "tenants": tenants,
        **{f"last_{name}_ms": round(pick_rank(measured, s) or 0, 1) for name, s in _SHARES},
    }


def run(signals: int = SIGNALS) -> dict[str, Any]:
    """One tenant, the claim; three tenants, for comparison; and the fan-out."""
    return {
        "one_tenant": measure(signals),
        "three_tenants": measure(signals // 4, tenants=3),
        "fan_out_executing": measure_fan_out(piped=False),
        "fan_out_piped": measure_fan_out(piped=True),
    }


def describe(results: dict[str, Any]) -> str:
    """A line for each."""
    return "\n".join(f"{name}: {_describe(result)}" for name, result in results.items())


def _describe(result: dict[str, Any]) -> str:
    if "last_p50_ms" in result:
        return (
            f"one signal to {result['tenants']} tenants, last order handed over after"
            f" p50 {result['last_p50_ms']} ms, max {result['last_max_ms']} ms (asked 50)"
        )
    return (
        f"order path p50 {result['p50_us']} us, p90 {result['p90_us']} us,"
        f" p99 {result['p99_us']} us (asked 1,200, aim 200), p99.9 {result['p99.9_us']} us,"
        f" max {result['max_us']} us over {result['orders']} orders;"
        f" bare send p50 {result['floor_p50_us']} us, p99 {result['floor_p99_us']} us;"
        f" ratio p50 {result['p50_us'] / result['floor_p50_us']:.2f},"
        f" p99 {result['p99_us'] / result['floor_p99_us']:.2f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--signals", type=int, default=SIGNALS)
    given = parser.parse_args()
    print(describe(run(given.signals)))


if __name__ == "__main__":
    main()
