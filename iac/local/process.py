"""Child processes of the stack: each in a group of its own, logged, and never left behind."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
STOP_SECONDS = 8.0
POLL_SECONDS = 0.03
REAP_SECONDS = 2.0
PR_SET_CHILD_SUBREAPER = 36
LOG_TAIL_LINES = 15
LOG_TAIL_BYTES = 16_384


class PartFailed(RuntimeError):
    """A part of the stack did not start, or stopped by itself; the message ends with its log."""

    def __init__(self, part: str, fact: str, log_file: Path) -> None:
        self.part = part
        self.fact = fact
        self.log_file = log_file
        self.last_lines = read_last_lines(log_file)
        shown = "".join(f"\n    {line}" for line in self.last_lines) or "\n    (empty)"
        super().__init__(f"{part}: {fact}\n  log: {log_file}{shown}")


def read_last_lines(log_file: Path, lines: int = LOG_TAIL_LINES) -> list[str]:
    """Return the end of a log file; nothing when it does not exist."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


class _Guard:
    """The process that ends all groups when this one is gone; started with the first part."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def add(self, group: int, first_signal: int) -> None:
        self._tell(f"+{group} {first_signal}\n")

    def remove(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def add_folder(self, folder: Path) -> None:
        self._tell(f"+{folder}\n")

    def remove_folder(self, folder: Path) -> None:
        self._tell(f"-{folder}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(HERE / "guard.py")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    text=True,
                )
            pipe = self._process.stdin
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.write(line)
                pipe.flush()


def _adopt_orphans() -> None:
    """Make this process the parent of its parts' orphans, so that it can reap them.

    In a container the first process often reaps nothing, and each would stay as a zombie.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


guard = _Guard()
_live: dict[int, "Part"] = {}
# The parent-death signal is sent when the *thread* that forked ends: this one lasts to the exit.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


@dataclass
class Part:
    """A running child process."""

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path
    stop_signal: int = signal.SIGTERM

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Ask the part to end, wait, then kill whatever is left of its group."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_seconds)
        _reap_group(self.pid)
        guard.remove(self.pid)
        _live.pop(self.pid, None)


def _reap_group(group: int) -> None:
    """Collect a killed group's orphans, which are this process's children by now."""
    deadline = time.monotonic() + REAP_SECONDS
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-group, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(POLL_SECONDS)


def start_part(
    name: str,
    command: Sequence[str | Path],
    *,
    log_dir: Path,
    env: Mapping[str, str],
    cwd: Path,
    user: tuple[int, int] | None = None,
    stop_signal: int = signal.SIGTERM,
    death_signal: int = signal.SIGKILL,
) -> Part:
    """Start a command as (uid, gid) `user`, its output in `log_dir/<name>.log`."""
    log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_file = log_dir / f"{name}.log"
    uid, gid = user or (-1, -1)
    leash = [sys.executable, "-I", "-S", HERE / "leash.py"]
    words = [*leash, os.getpid(), death_signal, uid, gid, *command]

    def spawn() -> subprocess.Popen[bytes]:
        with log_file.open("wb") as log:
            return subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    _adopt_orphans()
    process = _spawner.submit(spawn).result()
    guard.add(process.pid, death_signal)
    part = Part(name, process, log_file, stop_signal)
    _live[part.pid] = part
    return part


def list_parts() -> frozenset[int]:
    """Process ids of the parts this process has started and not stopped."""
    return frozenset(_live)


def stop_all_parts(besides: Collection[int] = ()) -> None:
    """Stop every part this process started, besides those named, all at once."""
    parts = [part for pid, part in list(_live.items()) if pid not in besides]
    if parts:
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            list(pool.map(Part.stop, parts))


def wait_until_ready(part: Part, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
    """Wait until `is_ready`; stop the part and raise PartFailed when it ends or is too slow."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if not part.is_running():
            part.stop()
            raise PartFailed(
                part.name,
                f"ended with exit code {part.process.returncode} before it was ready",
                part.log_file,
            )
        if is_ready():
            return
        time.sleep(POLL_SECONDS)
    part.stop()
    raise PartFailed(part.name, f"was not ready within {timeout_seconds:.0f} s", part.log_file)


def run_command(
    name: str,
    command: Sequence[str | Path],
    *,
    log_dir: Path,
    env: Mapping[str, str],
    cwd: Path,
    user: tuple[int, int] | None = None,
    timeout_seconds: float = 60.0,
) -> None:
    """Run a command to its end; raise PartFailed when it fails or takes too long."""
    part = start_part(name, command, log_dir=log_dir, env=env, cwd=cwd, user=user)
    try:
        code = part.process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        part.stop()
        raise PartFailed(name, f"took over {timeout_seconds:.0f} s", part.log_file) from None
    part.stop()
    if code != 0:
        raise PartFailed(name, f"failed with exit code {code}", part.log_file)


def minimal_env(home: Path, **more: str) -> dict[str, str]:
    """Return a clean environment: nothing of the user's shell but PATH reaches a part."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **more,
    }
