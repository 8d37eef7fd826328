"""The books balance although everything is delivered twice and workers are killed at random."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iac.local.demo.billing import close_month
from iac.local.demo.books import (
    check_flow,
    check_isolation,
    check_money,
    check_queues,
    take_counts,
)
from iac.local.demo.ledger import Ledger
from iac.local.demo.market import Market
from iac.local.demo.queues import read_depths, wait_until_quiet
from iac.local.demo.replay import EdgeRun, follow_edge, start_edge
from iac.local.demo.tenants import sign_up
from iac.local.demo.training import train_model
from iac.local.stack import Stack
from iac.local.up import open_stack

pytestmark = pytest.mark.e2e

SHORT = Market(
    start=datetime(2014, 5, 14, 13, 0, tzinfo=UTC), end=datetime(2014, 5, 14, 16, 0, tzinfo=UTC)
)
KILL_EVERY_S = 1.5
SEED = 20140514


def double_every_rule(stack: Stack) -> int:
    """Give each rule a twin: whatever the bus delivers, it delivers twice."""
    events = stack.client("events")
    bus = f"sinyal-{stack.stage}"
    rules = [r for r in events.list_rules(EventBusName=bus)["Rules"] if r.get("EventPattern")]
    for rule in rules:
        targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
        twin = f"{rule['Name']}-twin"
        events.put_rule(Name=twin, EventBusName=bus, EventPattern=rule["EventPattern"])
        events.put_targets(Rule=twin, EventBusName=bus, Targets=targets)
    return len(rules)


def list_workers(parent: int) -> list[int]:
    """Processes below MiniStack: one Lambda worker each."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [parent]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


@contextmanager
def killing_workers(stack: Stack) -> Iterator[list[int]]:
    """Kill -9 a random Lambda worker every few seconds."""
    import os
    import signal

    stop, killed, choice = threading.Event(), [], random.Random(SEED)

    def kill() -> None:
        while not stop.wait(KILL_EVERY_S):
            workers = [
                pid
                for pid in list_workers(stack.aws.part.process.pid)
                if "worker" in _command(pid) or "bootstrap" in _command(pid)
            ]
            if workers:
                victim = choice.choice(workers)
                try:
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                except ProcessLookupError:
                    continue

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join(timeout=10)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def wait_until_settled(ledger: Ledger, timeout_s: float = 200.0) -> None:
    """Wait until the minute's sweeps have taken up what killed workers left behind."""
    from functions.database_service.migrate import ROOMS

    outboxes = " UNION ALL ".join(f"SELECT 1 FROM {room}.outbox" for room in ROOMS)
    half_sent = (
        "SELECT 1 FROM notification_service.notifications WHERE state IN ('pending', 'sending')"
    )
    deadline = time.monotonic() + timeout_s
    while ledger.number(f"SELECT count(*) FROM ({outboxes} UNION ALL {half_sent}) AS waiting"):
        assert time.monotonic() < deadline, "the sweeps left something behind"
        time.sleep(0.5)


@pytest.mark.timeout(580)
def test_the_books_balance_though_everything_comes_twice_and_workers_die(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("chaos")
    with open_stack(folder / "local") as stack:
        tenants = [sign_up(stack, plan, number) for number, plan in enumerate(("free", "pro"), 1)]
        train_model(stack, SHORT, tenants[-1].client, lambda _text: None)
        assert double_every_rule(stack) > 5
        run = EdgeRun(folder / "edge")
        with killing_workers(stack) as killed:
            process = start_edge(stack, SHORT, run, len(tenants))
            edge = follow_edge(process, run, lambda _progress: None)
        ledger = Ledger(stack)
        wait_until_settled(ledger)
        wait_until_quiet(stack, lambda _text: None, timeout_s=120)
        follow_edge(start_edge(stack, SHORT, run, len(tenants)), run, lambda _progress: None)
        close_month(stack, tenants, lambda _text: None)
        wait_until_settled(ledger)
        wait_until_quiet(stack, lambda _text: None)
        counts = take_counts(stack, ledger)
        checks = [
            *check_flow(counts, edge, len(tenants)),
            *check_money(counts, len(tenants)),
            *check_queues(read_depths(stack)),
            *check_isolation(ledger, tenants, counts["telegram"]["by_chat"]),
        ]
        ledger.close()
    assert len(killed) > 3, "no worker was killed: the test proved nothing"
    assert edge["bars"] > 100
    assert counts["orders"]["filled"] > 0
    assert [check for check in checks if not check.holds] == []
