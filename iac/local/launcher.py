"""Only one launcher runs a stack folder at a time, and `down` finds it, and only it.

A launcher holds a lock on `launcher.lock` for as long as it lives; the kernel lets go of it however
the launcher ends. The file holds its pid and start time, so that a reused pid is never signalled.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOCK_NAME = "launcher.lock"
STOP_SECONDS = 40.0
KILL_SECONDS = 10.0
POLL_SECONDS = 0.1


class StackAlreadyRunning(RuntimeError):
    """Another launcher runs a stack in this folder."""


class StackNotRunning(RuntimeError):
    """No launcher runs a stack in this folder."""


class LauncherWillNotStop(RuntimeError):
    """The launcher outlived SIGTERM and SIGKILL, or cannot be told apart from a stranger."""


@dataclass(frozen=True)
class Launcher:
    """A running launcher: its pid, and the kernel's clock ticks at its start."""

    pid: int
    started_ticks: int

    def is_alive(self) -> bool:
        """Tell whether this very process still runs (a reused pid has another start)."""
        return read_start_ticks(self.pid) == self.started_ticks


def read_start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])


@contextlib.contextmanager
def hold_launcher_lock(var: Path) -> Iterator[None]:
    """Be the launcher of this folder; raise StackAlreadyRunning when another one is."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / LOCK_NAME).open("a+") as file:
        if not _try_lock(file):
            running = _read(file)
            raise StackAlreadyRunning(
                f"a stack runs in {var} already (pid {running.pid if running else 'unknown'}): "
                "use it, or stop it with make down"
            )
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "started_ticks": read_start_ticks(os.getpid())}, file)
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()
            file.flush()


def find_launcher(var: Path) -> Launcher | None:
    """Return the launcher that holds this folder's lock, or None."""
    with contextlib.suppress(FileNotFoundError), (var / LOCK_NAME).open("r+") as file:
        for _ in range(10):  # the holder may be about to write its pid
            if _try_lock(file):
                return None
            launcher = _read(file)
            if launcher is not None:
                return launcher
            time.sleep(POLL_SECONDS)
        raise LauncherWillNotStop(f"{file.name} is locked by a process that did not sign it")
    return None


def stop_launcher(var: Path) -> bool:
    """End this folder's launcher and wait until it is gone; False when none ran."""
    launcher = find_launcher(var)
    if launcher is None:
        return False
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if launcher.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(launcher.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not launcher.is_alive():
                return True
            time.sleep(POLL_SECONDS)
    raise LauncherWillNotStop(f"pid {launcher.pid} did not end")


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> Launcher | None:
    file.seek(0)
    try:
        words = json.load(file)
        return Launcher(int(words["pid"]), int(words["started_ticks"]))
    except (ValueError, KeyError, TypeError):
        return None
