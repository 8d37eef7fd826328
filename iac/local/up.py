"""`up`, `down` and `status`: run the stack in the foreground, end it, say where it is."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from iac.local.display import ProgressDisplay, describe_places
from iac.local.edge import start_edge_host
from iac.local.launcher import StackNotRunning, find_launcher, hold_launcher_lock, stop_launcher
from iac.local.process import Part, PartFailed
from iac.local.release import migrate_and_deploy
from iac.local.stack import ROOT, Progress, Stack, ignore_progress, start_stack

VAR = ROOT / "var" / "local"
WATCH_SECONDS = 0.5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def open_stack(
    var: Path = VAR,
    progress: Progress = ignore_progress,
    aws: str = "ministack",
    parts_only: bool = False,
) -> Iterator[Stack]:
    """Run a whole stack for the length of the block: parts, migrations, deployment, stack.json."""
    with hold_launcher_lock(var):
        stack = start_stack(var, progress, aws)
        try:
            if not parts_only:
                migrate_and_deploy(stack, progress)
            stack.write_description()
            yield stack
        finally:
            with _ignoring_signals():
                stack.stop()


def run_up(aws: str, parts_only: bool, var: Path = VAR) -> None:
    """Bring the stack up and keep it until Ctrl-C or SIGTERM, or until a part ends by itself."""
    console = Console()
    began = time.monotonic()
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with contextlib.ExitStack() as opened:
            with ProgressDisplay(console) as display:
                stack = opened.enter_context(open_stack(var, display, aws, parts_only))
                edge = None if parts_only else opened.enter_context(_open_edge(stack, display))
            console.print(f"\nReady in {time.monotonic() - began:.1f} s.\n")
            console.print(describe_places(stack.describe()), soft_wrap=True)
            console.print(f"\nAll of it, passwords too: {var / 'stack.json'}. Ctrl-C stops it.")
            _watch(stack, edge)
    except KeyboardInterrupt:
        console.print("\nStopped.")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Let the stop run to its end: it is bounded, and half a stop leaves processes behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _open_edge(stack: Stack, progress: Progress) -> Iterator[Part]:
    """Run the edge beside the stack, for as long as the block lasts."""
    began = time.monotonic()
    progress("edge", "starting", 0.0)
    part = start_edge_host(stack)
    progress("edge", "ready", time.monotonic() - began)
    try:
        yield part
    finally:
        with _ignoring_signals():
            part.stop()


def _watch(stack: Stack, edge: Part | None) -> None:
    while True:
        part = stack.find_stopped_part()
        if part is None and edge is not None and not edge.is_running():
            part = edge
        if part is not None:
            raise PartFailed(
                part.name, f"ended by itself (exit code {part.process.returncode})", part.log_file
            )
        time.sleep(WATCH_SECONDS)


def run_down(var: Path = VAR) -> None:
    """Stop the running stack; do nothing when none runs."""
    if stop_launcher(var):
        Console().print("Stopped.")
    (var / "stack.json").unlink(missing_ok=True)


def run_status(var: Path = VAR) -> None:
    """Print where the running stack is; raise StackNotRunning when there is none."""
    description = read_description(var)
    Console().print(describe_places(description), soft_wrap=True)


def read_description(var: Path = VAR) -> dict[str, Any]:
    """Return the running stack's stack.json; raise StackNotRunning when there is none."""
    file = var / "stack.json"
    if find_launcher(var) is None:
        raise StackNotRunning("no stack is running: start one with make up")
    try:
        description: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        raise StackNotRunning("the stack is still starting, or stopping") from None
    return description
