"""No account near another's: connections, requests, passwords; and no worker outlives its host."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from contracts.ids import derived_id
from edge_bridge.ports import Done
from edge_bridge.workers.launch import Program
from edge_bridge.workers.plan import WorkerSpec
from edge_bridge.workers.secrets import SecretRefused, SecretUnavailable
from edge_bridge.workers.wire import Kind, pack
from tests.edge_bridge.workers.host import ODD, START_NS, Host, magics, order, wait_until

PASSWORDS = {1: "first-tenants-broker-password", 2: "second-tenants-broker-password"}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path) as host:
        yield host


def link_live(host: Host, number: int, ciphertext: str | None = None) -> WorkerSpec:
    host.books(number).with_suffix(".password").write_text(PASSWORDS[number])
    return host.plan(number, mode="live", ciphertext=ciphertext or PASSWORDS[number])


def find_in_memory(pid: int, text: str) -> bool:
    """Whether a text is anywhere in a process's writable memory, arguments or environment."""
    needle = text.encode()
    base = Path(f"/proc/{pid}")
    if needle in (base / "cmdline").read_bytes() or needle in (base / "environ").read_bytes():
        return True
    with (base / "mem").open("rb", 0) as memory:
        for line in (base / "maps").read_text().splitlines():
            span, rights, *_ = line.split()
            begin, end = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw"):
                continue
            memory.seek(begin)
            if needle in memory.read(end - begin):
                return True
    return False


def test_a_worker_has_its_own_password_and_nobody_elses(host: Host) -> None:
    terminals = [host.supervisor.add(link_live(host, number)) for number in (1, 2)]
    for terminal in terminals:
        host.wait_for_account(terminal)
    pids = {number: host.report(number).pid or 0 for number in (1, 2)}
    for number, pid in pids.items():
        for owner, password in PASSWORDS.items():
            assert find_in_memory(pid, password) == (number == owner)
        words = (
            Path(f"/proc/{pid}/cmdline").read_bytes(),
            Path(f"/proc/{pid}/environ").read_bytes(),
        )
        assert PASSWORDS[number].encode() not in b"".join(words)


def test_a_password_is_in_no_text_of_the_host(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    spec = link_live(host, 1, ciphertext="a wrong password")
    host.supervisor.add(spec)
    wait_until(lambda: host.report(1).health == "circuit_open", "the refusal")
    told = [repr(change) for _, change in host.changes]
    texts = [repr(spec), repr(host.supervisor.report()), caplog.text, *told]
    assert [text for text in texts if "a wrong password" in text] == []


def test_a_wrong_password_is_tried_once(host: Host) -> None:
    host.supervisor.add(link_live(host, 1, ciphertext="a wrong password"))
    wait_until(lambda: host.report(1).health == "circuit_open", "the refusal")
    host.serve(2)
    assert len(host.starts(1)) == 1
    assert host.report(1).reason == "terminal did not open: Authorization failed (-6)"
    right = host.plan(1, version=2, mode="live", ciphertext=PASSWORDS[1])
    host.wait_for_account(host.supervisor.add(right))
    assert len(host.starts(1)) == 2


def test_a_worker_knows_no_credentials_of_the_host(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-hosts-own-key")
    monkeypatch.setenv("DATABASE_URL", "the-hosts-own-url")
    host.serve(1)
    environment = Path(f"/proc/{host.report(1).pid}/environ").read_text()
    assert "the-hosts-own" not in environment


def test_a_request_to_one_account_never_reaches_another(host: Host) -> None:
    terminals = {number: host.serve(number) for number in (1, 2, 3)}
    handles = [
        (number, terminals[number].begin(order(magic=100 * number + turn)))
        for turn in range(10)
        for number in terminals
    ]
    for _, handle in handles:
        assert isinstance(wait_until(handle.poll, "an answer"), Done)
    for number, terminal in terminals.items():
        own = [100 * number + turn for turn in range(10)]
        assert magics(terminal.positions()) == own
        assert [deal.magic for deal in terminal.deals_since(START_NS)] == own
        assert terminal.account().login == 7_000 + number


def test_a_stranger_at_the_port_gets_nothing(host: Host) -> None:
    terminal = host.serve(1)
    for words in (pack(Kind.HELLO, 0, bytes(32)), pack(Kind.READY), b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", host.supervisor.port), timeout=5) as stranger:
            stranger.sendall(words)
            assert stranger.recv(100) == b""
    assert isinstance(terminal.send(order()), Done)


def test_a_secret_that_cannot_be_had_is_tried_again_and_one_that_is_refused_is_not(
    tmp_path: Path,
) -> None:
    asked: list[UUID] = []

    def open_secret(tenant_id: UUID, account_id: UUID, text: str) -> str:
        asked.append(account_id)
        if text == "another tenant's":
            raise SecretRefused("KMS refused the encrypted password: InvalidCiphertextException")
        if asked.count(account_id) < 3:
            raise SecretUnavailable("KMS: ConnectTimeoutError")
        return text

    with Host(tmp_path, open_secret=open_secret) as host:
        late = host.supervisor.add(link_live(host, 1))
        host.supervisor.add(link_live(host, 2, ciphertext="another tenant's"))
        host.wait_for_account(late)
        wait_until(lambda: host.report(2).health == "circuit_open", "the refusal")
        assert host.reasons(1, "backing_off") == ["KMS: ConnectTimeoutError"]
        assert asked.count(derived_id("worker-account", 1)) == 3
        assert "InvalidCiphertext" in host.report(2).reason
        assert asked.count(derived_id("worker-account", 2)) == 1
        assert host.starts(2) == []


HOST_SCRIPT = """
import sys, time
from pathlib import Path
from tests.edge_bridge.workers.host import Host
with Host(Path(sys.argv[1])) as host:
    for number in (1, 2):
        host.serve(number)
    print(*(report.pid for report in host.supervisor.report()), flush=True)
    time.sleep(60)
"""


def test_workers_end_when_their_host_is_killed(tmp_path: Path) -> None:
    path = os.pathsep.join([*map(str, ODD.roots), *(each for each in sys.path if each)])
    with subprocess.Popen(
        [sys.executable, "-c", HOST_SCRIPT, str(tmp_path)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_running(pid) for pid in pids)
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids), "the workers' end")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_worker_loads_nothing_heavy_before_its_terminal_is_known() -> None:
    code = "import sys, edge_bridge.workers.worker; print(*sys.modules)"
    path = {**os.environ, "PYTHONPATH": str(Program().roots[0])}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True
    )
    loaded = set(answer.stdout.split())
    assert "edge_bridge.workers.worker" in loaded
    heavy = {"numpy", "pydantic", "boto3", "contracts", "multiprocessing", "asyncio", "sqlite3"}
    assert loaded & heavy == set()


def test_a_feed_hands_its_ticks_on_and_waits_while_nobody_takes_them(host: Host) -> None:
    host.serve(1, feed=("EURUSD",), feed_ms=5)
    bids = [110_000 + n % 7 for n in range(50_000)]
    for start in range(0, len(bids), 5_000):
        host.move_price(*bids[start : start + 5_000])
    found: list[int] = []
    time.sleep(0.3)
    held = host.supervisor.take_ticks()
    assert 0 < sum(len(each.columns.ts_ns) for each in held) <= 32_768
    for each in held:
        found += each.columns.ts_ns
    pid = host.report(1).pid or 0

    def take() -> bool:
        for each in host.supervisor.take_ticks():
            assert each.account_id == str(derived_id("worker-account", 1))
            found.extend(each.columns.ts_ns)
        if len(found) > 20_000 and host.report(1).restarts == 0:
            try:
                os.kill(pid, signal.SIGKILL)  # the next one goes on where this one was
            except ProcessLookupError:
                return False
        return bool(found) and found[-1] == START_NS + len(bids) * 1_000_000_000

    wait_until(take, "the last tick")
    assert found == sorted(set(found))
