"""The whole stack from the command line: up, its description, down, and every way to fail."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import clickhouse_connect
import psycopg
import pytest
import redis

from iac.local import localstack
from iac.local.aws import make_client
from iac.local.process import PartFailed
from iac.local.rooms import ROOMS
from iac.local.secret_store import seed_secrets
from iac.local.stack import start_stack
from tests.iac.test_process import find_children, wait_for_end

REPOSITORY = Path(__file__).parents[2]
PARTS_ONLY = """
import sys
from pathlib import Path
from iac.local.__main__ import SHOWN_ERRORS
from iac.local.up import run_up
try:
    run_up("ministack", True, Path(sys.argv[1]))
except SHOWN_ERRORS as error:
    sys.exit(str(error))
"""


def launch(var: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PARTS_ONLY, str(var)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        text=True,
    )


def wait_for_description(var: Path, seconds: float = 30.0) -> dict[str, Any]:
    file = var / "stack.json"
    deadline = time.monotonic() + seconds
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return dict(json.loads(file.read_text()))


def find_stack_processes(launcher: int) -> list[int]:
    """Return the processes below a launcher, itself included."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(folder.name)] = int(fields[1])
    found = [launcher]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def test_stack_json_is_enough_to_use_every_part(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    try:
        file = stack.write_description()
        assert file.stat().st_mode & 0o777 == 0o600
        described = json.loads(file.read_text())
        assert set(described) == {
            *("api", "websocket", "postgres", "redis", "clickhouse", "aws_endpoint", "sandboxes"),
            *("midtrans_server_key", "telegram_webhook_secret", "admin"),
        }
        with psycopg.connect(described["postgres"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with redis.Redis.from_url(described["redis"]) as client:
            assert client.ping()
        clickhouse = clickhouse_connect.get_client(dsn=described["clickhouse"])
        assert clickhouse.command("SELECT currentDatabase()") == "sinyal"
        names = seed_secrets(stack)
        assert {f"sinyal/local/db/{room}" for room in ROOMS} < set(names)
        secrets_manager = make_client("secretsmanager", described["aws_endpoint"])
        midtrans = secrets_manager.get_secret_value(SecretId="sinyal/local/midtrans")
        assert (
            json.loads(midtrans["SecretString"])["server_key"] == described["midtrans_server_key"]
        )
        assert set(described["sandboxes"]) == {
            *("midtrans", "telegram", "mail", "openai", "anthropic", "gemini", "deepseek")
        }
    finally:
        stack.stop()
    assert not (tmp_path / "stack.json").exists()
    assert not any(part.is_running() for part in stack.parts)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_everything_cleanly(tmp_path: Path, number: int) -> None:
    launcher = launch(tmp_path)
    wait_for_description(tmp_path)
    processes = find_stack_processes(launcher.pid)
    assert len(processes) >= 7
    launcher.send_signal(number)
    output, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 0, output
    assert "Ready in" in output
    assert output.endswith("Stopped.\n")
    assert wait_for_end(processes) == []
    assert not (tmp_path / "stack.json").exists()


def test_kill_9_of_the_launcher_leaves_no_process(tmp_path: Path) -> None:
    launcher = launch(tmp_path)
    wait_for_description(tmp_path)
    processes = find_stack_processes(launcher.pid)
    assert len(processes) >= 7
    launcher.kill()
    launcher.communicate(timeout=10)
    assert wait_for_end(processes) == []


def test_an_interrupt_while_starting_leaves_no_process(tmp_path: Path) -> None:
    launcher = launch(tmp_path)
    time.sleep(0.9)
    processes = find_stack_processes(launcher.pid)
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=30)
    assert wait_for_end(processes) == []


def test_a_second_up_is_refused_while_one_runs(tmp_path: Path) -> None:
    launcher = launch(tmp_path)
    try:
        wait_for_description(tmp_path)
        second = launch(tmp_path)
        output, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert f"already (pid {launcher.pid})" in output
    finally:
        launcher.terminate()
        launcher.communicate(timeout=30)


def test_a_part_that_dies_ends_the_stack_and_is_named(tmp_path: Path) -> None:
    launcher = launch(tmp_path)
    wait_for_description(tmp_path)
    processes = find_stack_processes(launcher.pid)
    [victim] = [
        pid for pid in processes if b"redis-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(victim, signal.SIGKILL)
    output, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 1
    assert "redis: ended by itself" in output
    assert str(tmp_path / "logs" / "redis.log") in output
    assert wait_for_end(processes) == []


def test_a_part_that_cannot_start_takes_the_others_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iac.local.redis.MEMORY_MAX", "plenty")
    before = set(find_stack_processes(os.getpid()))
    seen: list[tuple[str, str]] = []
    with pytest.raises(PartFailed, match="redis: ended with exit code") as failure:
        start_stack(tmp_path, lambda part, state, _seconds: seen.append((part, state)))
    assert failure.value.log_file == tmp_path / "logs" / "redis.log"
    assert "plenty" in "\n".join(failure.value.last_lines)
    assert ("redis", "failed") in seen
    started = set(find_stack_processes(os.getpid())) - before
    guards = set(find_children(os.getpid(), "guard.py"))
    assert wait_for_end(list(started - guards)) == []


def test_localstack_without_docker_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(localstack.LocalStackUnavailable, match="Install Docker Engine"):
        localstack.check_available()


def test_localstack_with_a_dead_docker_daemon_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(localstack.LocalStackUnavailable, match="systemctl start docker"):
        localstack.check_available()
