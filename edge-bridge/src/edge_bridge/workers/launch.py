"""Starting and killing worker processes: a fresh interpreter each, with a clean environment.

The password goes through the standard input, to which nobody but the two processes has an end;
never through arguments or the environment, which others can read.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

import edge_bridge
from edge_bridge.workers.worker import START_LINE_MAX

_KEPT = (
    "APPDATA", "COMSPEC", "HOME", "LANG", "LOCALAPPDATA", "PATH", "PROGRAMDATA", "PROGRAMFILES",
    "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USERNAME", "USERPROFILE", "WINDIR",
)  # fmt: skip
"""What Windows and a terminal need; above all no credentials of the host's."""
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LAST_WORDS_BYTES = 2_000


class StartRefused(Exception):
    """The process could not be started."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a worker process runs, and where its modules are."""

    code: str = "import sys; from edge_bridge.workers.worker import main; sys.exit(main())"
    roots: tuple[Path, ...] = (Path(edge_bridge.__file__).parents[1],)


class WorkerProcess:
    """A started worker."""

    def __init__(self, program: Program, port: int, password: str) -> None:
        """Start the process. Raises StartRefused."""
        self.key = secrets.token_bytes(32)
        line = orjson.dumps({"port": port, "key": self.key.hex(), "password": password}) + b"\n"
        if len(line) > START_LINE_MAX:
            raise StartRefused("the password is too long")
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                [sys.executable, "-P", "-s", "-c", program.code],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._spool,
                env=_make_environment(program.roots),
                creationflags=_creation_flags(),
                start_new_session=os.name == "posix",  # Ctrl-C is for the host
            )
        except OSError as error:
            self._spool.close()
            raise StartRefused(f"no process: {error}") from error
        self.pid = self._process.pid
        self._kills = 0
        stdin = self._process.stdin
        assert stdin is not None  # a pipe, as asked
        try:
            with stdin:
                stdin.write(line)
        except OSError:
            return  # it died at once; `find_exit` will tell

    def find_exit(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill it, and on Windows the terminal it started too: a hung one would hang the next.

        Asked again, because it still runs, the process alone.
        """
        self._kills += 1
        if sys.platform == "win32" and self._kills == 1:
            system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
            subprocess.Popen(  # noqa: S603 - our own words, no shell
                [str(system), "/T", "/F", "/PID", str(self.pid)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=_creation_flags(),
            )
        else:
            self._process.kill()

    def read_last_words(self) -> str:
        """The last line it wrote to its standard error."""
        self._spool.seek(0, os.SEEK_END)
        self._spool.seek(max(0, self._spool.tell() - LAST_WORDS_BYTES))
        lines = self._spool.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """Let go of a process that has ended."""
        self._spool.close()


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def _make_environment(roots: tuple[Path, ...]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(map(str, roots))
    return {**kept, **_ONE_THREAD, "PYTHONPATH": path, "PYTHONUTF8": "1"}
