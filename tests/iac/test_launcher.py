"""One launcher a folder; `down` ends that launcher and nobody else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iac.local.launcher import (
    LOCK_NAME,
    StackAlreadyRunning,
    find_launcher,
    hold_launcher_lock,
    read_start_ticks,
    stop_launcher,
)

REPOSITORY = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from iac.local.launcher import hold_launcher_lock
with hold_launcher_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def end(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate(timeout=10)


def test_a_second_launcher_is_refused_and_told_the_firsts_pid(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    try:
        with (
            pytest.raises(StackAlreadyRunning, match=f"pid {holder.pid}"),
            hold_launcher_lock(tmp_path),
        ):
            pass
    finally:
        end(holder)


def test_down_ends_the_launcher(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    try:
        found = find_launcher(tmp_path)
        assert found is not None
        assert found.pid == holder.pid
        assert stop_launcher(tmp_path)
        assert holder.poll() is not None or read_start_ticks(holder.pid) is None
    finally:
        end(holder)


def test_down_succeeds_when_nothing_runs(tmp_path: Path) -> None:
    assert not stop_launcher(tmp_path)
    assert not stop_launcher(tmp_path / "absent")


def test_a_launcher_that_was_killed_leaves_the_folder_free(tmp_path: Path) -> None:
    end(start_holder(tmp_path))
    assert find_launcher(tmp_path) is None
    with hold_launcher_lock(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text())["pid"] == os.getpid()


def test_a_reused_pid_is_never_signalled(tmp_path: Path) -> None:
    stranger = {"pid": os.getpid(), "started_ticks": 1}
    (tmp_path / LOCK_NAME).write_text(json.dumps(stranger))
    assert not stop_launcher(tmp_path)
