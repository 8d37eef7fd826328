"""The edge process against a real bus and real queues: played through, and killed repeatedly."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.data_bridge import BarClosed, TickBatch
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.trading_engine import (
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PredictionDelivered,
)
from edge_bridge.bridge.recording import open_recording
from iac.local.testing import AwsServer, start_ministack
from tests.edge_bridge.cloud import (
    Cloud,
    DecisionRoom,
    decide,
    entitle,
    environment,
    link_account,
    wrap,
)

ROOT = Path(__file__).parents[2]
TICKS = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
START, END = "2014-05-14T08:00Z", "2014-05-14T08:40Z"
START_NS, END_NS = 1_400_054_400_000_000_000, 1_400_056_800_000_000_000
EVERY = 3
KILLS = 5


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = start_ministack(tmp_path_factory.mktemp("ministack"))
    yield server
    server.stop()


def start_edge(cloud: Cloud, state: Path, accounts: int, *more: str) -> "subprocess.Popen[bytes]":
    words = [*more, "--replay", str(TICKS), "--from", START, "--to", END, "--symbol", "EURUSD",
             "--state", str(state), "--accounts", str(accounts),
             "--progress", str(state / "progress.json")]  # fmt: skip
    paths = [ROOT / "layers" / "contracts" / "src", ROOT / "edge-bridge" / "src"]
    state.mkdir(exist_ok=True)
    with (state / "edge.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "edge_bridge.main", *words],
            env={**os.environ, **environment(cloud.endpoint), "UNKNOWN_GRACE_S": "0.2",
                 "PYTHONPATH": os.pathsep.join(map(str, paths))},
            stderr=log,
        )  # fmt: skip


def finish(edge: "subprocess.Popen[bytes]", state: Path) -> dict[str, Any]:
    assert edge.wait(90) == 0, (state / "edge.log").read_text()[-2_000:]
    summary: dict[str, Any] = json.loads((state / "summary.json").read_text())
    return summary


def link_tenants(cloud: Cloud) -> list[UUID]:
    """Three tenants: unlimited, delayed by a minute, and five predictions a day."""
    tenants = [uuid7() for _ in range(3)]
    plans = [entitle(), entitle(prediction_delay_s=60), entitle(predictions_per_day=5)]
    for number, (tenant, plan) in enumerate(zip(tenants, plans, strict=True)):
        cloud.publish(wrap(link_account(number), tenant), wrap(plan, tenant))
    return tenants


def take_once(envelopes: list[Envelope]) -> list[Any]:
    """What a consumer that is idempotent by event id sees; repetitions must be identical."""
    seen: dict[UUID, Envelope] = {}
    for envelope in envelopes:
        assert seen.setdefault(envelope.meta.event_id, envelope).to_json() == envelope.to_json()
    return [envelope.data for envelope in seen.values()]


def check_market_data(cloud: Cloud, room: DecisionRoom) -> None:
    chunk = open_recording(TICKS, "EURUSD", START_NS, END_NS).chunk
    batches = sorted(take_once(cloud.drain("market-data")), key=lambda batch: batch.sequence)
    assert all(isinstance(batch, TickBatch) for batch in batches)
    assert [batch.sequence for batch in batches] == list(range(len(batches)))
    assert sum(batch.read for batch in batches) == len(chunk)
    ticks = [row for b in batches for row in zip(*b.columns(), strict=True)]
    columns = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
    assert ticks == list(zip(*columns, strict=True))
    assert all(len(ids) == 1 for ids in room.events.values())  # one event a bar, ever
    assert len({bar.bar.open_ns for bar in room.bars.values()}) == len(room.bars) == 40


def check_outcomes(cloud: Cloud, room: DecisionRoom, accounts: int) -> dict[str, int]:
    """One outcome a signal and account, one close a fill, one prediction a signal and tenant."""
    observed = take_once(cloud.drain("observed"))
    signals = [d for bar in room.bars.values() if hasattr(d := decide(bar, EVERY), "signal_id")]
    outcomes: dict[tuple[UUID, UUID], str] = {}
    for event in observed:
        if isinstance(event, OrderFilled | OrderRejected | OrderDenied):
            assert (event.signal_id, event.account_id) not in outcomes
            outcomes[(event.signal_id, event.account_id)] = type(event).__name__
    assert len(outcomes) == len(signals) * accounts
    fills = {e.order_id: e for e in observed if isinstance(e, OrderFilled)}
    closes = [e for e in observed if isinstance(e, PositionClosed)]
    assert sorted(e.order_id for e in closes) == sorted(fills)
    assert len({(e.account_id, e.position_ticket) for e in fills.values()}) == len(fills)
    assert len({(e.account_id, e.deal_ticket) for e in fills.values()}) == len(fills)
    predictions = [e for e in observed if isinstance(e, PredictionDelivered)]
    assert not [e for e in observed if isinstance(e, BarClosed) and e.bar_id not in room.bars]
    return {
        "signals": len(signals), "outcomes": len(outcomes), "fills": len(fills),
        "predictions": len(predictions),
        "refused": sum(name == "OrderRejected" for name in outcomes.values()),
    }  # fmt: skip


def count_entries(state: Path) -> int:
    """Opening deals in the brokers' own books."""
    entries = 0
    for journal in (state / "paper").glob("*.journal"):
        for line in journal.read_text().splitlines()[1:]:
            _, rows = json.loads(line)
            entries += sum(row[0] == "d" and _is_entry(row) for row in rows)
    return entries


def _is_entry(row: list[Any]) -> bool:
    """A deal row: letter, ticket, order, position, symbol, type, entry, ..."""
    return bool(row[4]) and row[6] == 0


def test_a_recording_is_played_through_and_everything_adds_up(
    ministack: AwsServer, tmp_path: Path
) -> None:
    with Cloud(ministack.endpoint) as cloud, DecisionRoom(cloud, EVERY) as room:
        tenants = link_tenants(cloud)
        summary = finish(start_edge(cloud, tmp_path / "state", 3), tmp_path / "state")
        check_market_data(cloud, room)
        counts = check_outcomes(cloud, room, accounts=3)
    assert summary["outcome"] == "completed"
    assert summary["bars"] == 40 == summary["signals"] + summary["withheld"]
    assert summary["pacing_timeouts"] == 0
    assert summary["outbox"] == {"waiting": 0, "set_aside": 0}
    assert summary["outcomes"]["filled"] == counts["fills"] == count_entries(tmp_path / "state")
    assert summary["outcomes"]["denied"]["quota_exhausted"] == counts["signals"] - 5
    assert sum(summary["outcomes"]["closed"].values()) == counts["fills"]
    assert summary["predictions"] == counts["predictions"] == 2 * counts["signals"] + 5
    assert len(tenants) == 3


def test_killed_at_any_instant_it_loses_nothing_and_doubles_nothing(
    ministack: AwsServer, tmp_path: Path
) -> None:
    state, rng, killed = tmp_path / "state", random.Random(20140514), 0
    with Cloud(ministack.endpoint) as cloud, DecisionRoom(cloud, EVERY) as room:
        link_tenants(cloud)
        for _ in range(KILLS):
            edge = start_edge(cloud, state, 3)
            wait_for_progress(edge, state)
            time.sleep(rng.uniform(0.0, 0.5))
            if edge.poll() is None:
                edge.send_signal(signal.SIGKILL)
                edge.wait(10)
                killed += 1
            (state / "progress.json").unlink(missing_ok=True)
        summary = finish(start_edge(cloud, state, 3), state)
        check_market_data(cloud, room)
        counts = check_outcomes(cloud, room, accounts=3)
    assert killed >= 2
    assert summary["bars"] == 40 == summary["signals"] + summary["withheld"]
    assert summary["outcomes"]["filled"] == counts["fills"] == count_entries(state)
    # An order that was intended and never left is answered for, not sent late.
    assert counts["refused"] <= killed * 3
    assert summary["predictions"] == counts["predictions"]


def wait_for_progress(edge: "subprocess.Popen[bytes]", state: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and edge.poll() is None:
        if (state / "progress.json").exists():
            return
        time.sleep(0.01)


def test_a_stop_signal_ends_it_cleanly_and_the_next_start_goes_on(
    ministack: AwsServer, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with Cloud(ministack.endpoint) as cloud, DecisionRoom(cloud, EVERY) as room:
        link_tenants(cloud)
        edge = start_edge(cloud, state, 3)
        wait_for_progress(edge, state)
        edge.send_signal(signal.SIGTERM)
        assert edge.wait(20) == 143
        assert json.loads((state / "summary.json").read_text())["outcome"] == "stopped"
        finish(start_edge(cloud, state, 3), state)
        check_market_data(cloud, room)
        check_outcomes(cloud, room, accounts=3)


def test_without_pacing_late_decisions_are_refused_and_the_books_still_add_up(
    ministack: AwsServer, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with Cloud(ministack.endpoint) as cloud, DecisionRoom(cloud, EVERY) as room:
        link_tenants(cloud)
        summary = finish(start_edge(cloud, state, 3, "--pace", "none"), state)
        check_market_data(cloud, room)
        counts = check_outcomes(cloud, room, accounts=3)
    assert summary["signals"] + summary["withheld"] == summary["bars"] == 40
    assert summary["outcomes"]["denied"]["signal_expired"] > 0
    assert summary["outcomes"]["filled"] == counts["fills"] == count_entries(state)


def test_accounts_that_never_come_end_the_wait_with_an_error(
    ministack: AwsServer, tmp_path: Path
) -> None:
    with Cloud(ministack.endpoint) as cloud:
        edge = subprocess.run(
            [sys.executable, "-m", "edge_bridge.main", "--replay", str(TICKS), "--symbol",
             "EURUSD", "--from", START, "--to", END, "--state", str(tmp_path / "s"),
             "--accounts", "1", "--accounts-wait", "0.5"],
            env={**os.environ, **environment(cloud.endpoint), "PYTHONPATH": os.pathsep.join(
                (str(ROOT / "layers/contracts/src"), str(ROOT / "edge-bridge/src")))},
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    assert edge.returncode == 2
    assert b"AccountsMissing" in edge.stderr
