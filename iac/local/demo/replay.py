"""Run the edge process over the recorded day, and follow it by its progress file."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iac.local.aws import DUMMY_KEYS
from iac.local.demo.client import DemoFailed
from iac.local.demo.market import Market
from iac.local.stack import ROOT, Stack

REPLAY_TIMEOUT_S = 600.0
POLL_S = 0.1
LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class EdgeRun:
    """Where an edge process keeps its state, log and progress."""

    state: Path

    @property
    def progress(self) -> Path:
        """JSON, rewritten a few times a second."""
        return self.state / "progress.json"

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.state / "edge.log"

    def read_progress(self) -> dict[str, Any]:
        """The newest progress; empty before there is one."""
        try:
            return dict(json.loads(self.progress.read_text()))
        except (FileNotFoundError, ValueError):
            return {}

    def read_summary(self) -> dict[str, Any]:
        """What the finished process wrote of its run."""
        return dict(json.loads((self.state / "summary.json").read_text()))


def edge_environment(stack: Stack) -> dict[str, str]:
    """The edge's settings: the stack's queues and bus, and nothing of the shell's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(
            str(ROOT / part) for part in ("layers/contracts/src", "edge-bridge/src")
        ),
        "STAGE": stack.stage,
        "EAGER_POLL_MS": "4",  # MiniStack looks at a polled queue every 100 ms only
        "EVENT_BUS_NAME": f"sinyal-{stack.stage}",
        "EDGE_QUEUE": f"sinyal-{stack.stage}-edge",
        "MARKET_DATA_QUEUE": f"sinyal-{stack.stage}-market-data",
        "AWS_ENDPOINT_URL": stack.aws_endpoint,
        "AWS_DEFAULT_REGION": stack.region,
        **DUMMY_KEYS,
    }


def start_edge(
    stack: Stack, market: Market, run: EdgeRun, accounts: int, **settings: str
) -> subprocess.Popen[str]:
    """Start the edge process; the same state folder resumes an interrupted run.

    ``settings`` are more of the edge's variables.
    """
    run.state.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        *("-m", "edge_bridge.main", "--replay", str(market.ticks), "--symbol", market.symbol),
        *("--from", market.start.isoformat(), "--to", market.end.isoformat()),
        *("--state", str(run.state), "--pace", "decisions", "--accounts", str(accounts)),
        *("--progress", str(run.progress)),
    ]
    with run.log.open("a") as log:
        return subprocess.Popen(
            command,
            env=edge_environment(stack) | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def follow_edge(
    process: "subprocess.Popen[str]", run: EdgeRun, show: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Follow the process to its end; returns its summary. Raises DemoFailed when it fails."""
    deadline = time.monotonic() + REPLAY_TIMEOUT_S
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise DemoFailed(f"the replay took more than {REPLAY_TIMEOUT_S:.0f} s: {run.log}")
            show(run.read_progress())
            time.sleep(POLL_S)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
    show(run.read_progress())
    if process.returncode != 0:
        last = "\n".join(run.log.read_text().splitlines()[-LOG_LINES_SHOWN:])
        raise DemoFailed(f"the edge ended with code {process.returncode}; {run.log}:\n{last}")
    return run.read_summary()
