"""Parts are logged, bounded, and die with their launcher however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iac.local.process import (
    PartFailed,
    list_parts,
    minimal_env,
    run_command,
    start_part,
    stop_all_parts,
    wait_until_ready,
)

REPOSITORY = Path(__file__).parents[2]
STUBBORN = (
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('deaf', flush=True)\n"
    "time.sleep(60)\n"
)
PARENT_OF_ORPHAN = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody has reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for_end(pids: list[int], seconds: float = 8.0) -> list[int]:
    """Wait until these processes are gone; return those that are not."""
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [pid for pid in pids if is_alive(pid)]


def start_python(tmp_path: Path, code: str, name: str = "sample"):  # type: ignore[no-untyped-def]
    return start_part(
        name,
        [sys.executable, "-c", code],
        log_dir=tmp_path,
        env=minimal_env(tmp_path),
        cwd=tmp_path,
    )


def wait_for_line(log_file: Path, seconds: float = 10.0) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        lines = log_file.read_text().splitlines()
        if lines:
            return lines[0]
        time.sleep(0.02)
    raise AssertionError(f"nothing was written to {log_file}")


def test_output_goes_to_the_parts_log(tmp_path: Path) -> None:
    part = start_python(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)")
    assert part.process.wait(10) == 0
    assert sorted((tmp_path / "sample.log").read_text().split()) == ["err", "out"]
    part.stop()


def test_a_part_sees_nothing_of_the_users_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    part = start_python(tmp_path, "import os; print(sorted(os.environ))")
    part.process.wait(10)
    names = part.log_file.read_text()
    assert "HTTPS_PROXY" not in names
    assert "PYTHONPATH" not in names
    part.stop()


def test_a_part_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    part = start_python(tmp_path, STUBBORN)
    wait_for_line(part.log_file)
    part.stop(timeout_seconds=0.3)
    assert part.process.returncode == -signal.SIGKILL


def test_stopping_a_part_stops_and_reaps_its_children(tmp_path: Path) -> None:
    part = start_python(tmp_path, PARENT_OF_ORPHAN)
    grandchild = int(wait_for_line(part.log_file))
    part.stop()
    assert not Path(f"/proc/{grandchild}").exists()


def test_a_part_that_ends_before_it_is_ready_is_named_with_its_log(tmp_path: Path) -> None:
    part = start_python(tmp_path, "print('no such thing'); raise SystemExit(3)", "broken")
    with pytest.raises(PartFailed) as failure:
        wait_until_ready(part, lambda: False, 10)
    message = str(failure.value)
    assert "broken: ended with exit code 3" in message
    assert str(tmp_path / "broken.log") in message
    assert failure.value.last_lines == ["no such thing"]


def test_a_part_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    part = start_python(tmp_path, "import time; time.sleep(60)", "slow")
    with pytest.raises(PartFailed, match="slow: was not ready within"):
        wait_until_ready(part, lambda: False, 0.3)
    assert not part.is_running()


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match="hanging: took over"):
        run_command(
            "hanging",
            [sys.executable, "-c", "import time; time.sleep(60)"],
            log_dir=tmp_path,
            env=minimal_env(tmp_path),
            cwd=tmp_path,
            timeout_seconds=0.3,
        )


def test_all_parts_of_a_process_stop_together(tmp_path: Path) -> None:
    before = list_parts()
    first, *parts = [
        start_python(tmp_path, "import time; time.sleep(60)", f"p{n}") for n in range(4)
    ]
    stop_all_parts(besides=before | {first.pid})
    assert first.is_running()
    assert not any(part.is_running() for part in parts)
    stop_all_parts(besides=before)
    assert not first.is_running()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_launcher_that_is_killed(tmp_path: Path, number: int) -> None:
    launcher = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from iac.local.process import guard, minimal_env, start_part\n"
        f"home, codes = Path({str(tmp_path)!r}), [{STUBBORN!r}, {PARENT_OF_ORPHAN!r}]\n"
        "parts = [start_part(f'part{n}', [sys.executable, '-c', code], log_dir=home,\n"
        "                    env=minimal_env(home), cwd=home) for n, code in enumerate(codes)]\n"
        "guard.add_folder(home / 'temporary')\n"
        "print(*(part.pid for part in parts), flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", launcher],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        text=True,
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    wait_for_line(tmp_path / "part0.log")
    pids.append(int(wait_for_line(tmp_path / "part1.log")))
    guards = find_children(process.pid, "guard.py")
    (tmp_path / "temporary" / "data").mkdir(parents=True)
    assert len(guards) == 1
    process.send_signal(number)
    process.wait(10)
    process.stdout.close()
    assert wait_for_end(pids + guards) == []
    assert not (tmp_path / "temporary").exists()


def find_children(parent: int, word: str) -> list[int]:
    """Return the children of a process whose command line contains `word`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent and word.encode() in command:
            found.append(int(folder.name))
    return found
