"""The broker outlives the process: killed anywhere, fed again from anywhere, the same deals."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_bridge.adapters.paper.journal import JournalUnusable
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from tests.edge_bridge.adapters import replay
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    USDJPY,
    deal,
    list_deals,
    list_open,
    make_terminal,
    move_price,
    send,
)

TICKS = replay.make_ticks()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Any], list[Any]]:
    """The journal, deals and open positions of a run that nothing disturbed."""
    path = tmp_path_factory.mktemp("whole") / "journal"
    terminal = replay.open_account(path)
    replay.run(terminal, TICKS)
    reasons = {row[8] for row in list_deals(terminal)}
    assert {3, 4, 5} <= reasons, "the run has stops, targets and own closes"
    return path.read_bytes(), list_deals(terminal), [tuple(row) for row in list_open(terminal)]


def test_a_run_cut_at_any_byte_and_fed_again_from_any_tick_gives_the_same_deals(
    whole: tuple[bytes, list[Any], list[Any]], tmp_path: Path
) -> None:
    content, deals, positions = whole
    chance = random.Random(11)
    first_line = content.index(b"\n") + 1
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10]
    cuts = chance.sample(ends, 12) + [chance.randrange(first_line, len(content)) for _ in range(12)]
    for cut in cuts:
        path = tmp_path / f"cut-{cut}"
        path.write_bytes(content[:cut])
        terminal = replay.open_account(path)
        cursor = chance.randint(0, max(0, terminal.last_seq))
        replay.run(terminal, TICKS[cursor:])
        assert list_deals(terminal) == deals, f"cut at {cut}, fed from {cursor}"
        assert [tuple(row) for row in list_open(terminal)] == positions
        assert path.read_bytes() == content
        terminal.close_journal()


def test_feeding_everything_again_changes_nothing(
    whole: tuple[bytes, list[Any], list[Any]], tmp_path: Path
) -> None:
    content, deals, _ = whole
    path = tmp_path / "journal"
    path.write_bytes(content)
    terminal = replay.open_account(path)
    for tick in TICKS[: terminal.last_seq + 1]:
        terminal.feed_tick(*tick)
    assert list_deals(terminal) == deals
    assert path.read_bytes() == content


def test_a_process_killed_again_and_again_ends_with_the_same_deals(
    whole: tuple[bytes, list[Any], list[Any]], tmp_path: Path
) -> None:
    content, deals, _ = whole
    path = tmp_path / "journal"
    chance = random.Random(5)
    for _ in range(6):
        _kill_process(path, chance.randint(0, 4), chance.uniform(0, 0.02))
    assert path.read_bytes() != content, "it was killed in the middle"
    with _start_process(path) as process:
        output, _ = process.communicate("go\n" * 20, timeout=60)
    assert output.endswith("done\n")
    assert path.read_bytes() == content
    assert list_deals(replay.open_account(path)) == deals


def _start_process(journal: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.edge_bridge.adapters.replay", str(journal)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def _kill_process(journal: Path, commands: int, after_s: float) -> None:
    """Let a process do some commands, and kill -9 it in the middle of the next one."""
    with _start_process(journal) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(commands):
            print("go", file=process.stdin, flush=True)
            assert process.stdout.readline() == "fed\n"
        print("go", file=process.stdin, flush=True)
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)


def test_a_new_terminal_has_the_same_account_orders_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    symbols = (EURUSD, USDJPY)
    before = make_terminal(journal=path, symbols=symbols)
    send(before, deal(sl=1.09, magic=3))
    move_price(before, 100_000, symbol="USDJPY")
    send(before, deal() | {"symbol": "USDJPY"})
    state = _describe(before)
    after = make_terminal(journal=path, symbols=symbols, quoted=False)
    assert _describe(after) == state
    assert after.last_seq == 1
    assert send(after, deal()).order == send(before, deal()).order


def _describe(terminal: SimulatedTerminal) -> tuple[Any, ...]:
    return (
        tuple(terminal.account_info() or ()),
        [tuple(row) for row in list_open(terminal)],
        list_deals(terminal),
        [tuple(row) for row in terminal.history_orders_get(1, 2**31 - 1) or ()],
    )


def test_the_answer_comes_after_the_journal_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    terminal = make_terminal(journal=path)
    size = path.stat().st_size
    terminal.faults.kill_pipe_next("after")
    assert terminal.order_send(deal(magic=8)) is None
    assert path.stat().st_size > size
    assert list_open(make_terminal(journal=path, quoted=False))[0].magic == 8


def test_a_refused_order_and_a_quiet_tick_leave_no_trace_in_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    terminal = make_terminal(journal=path)
    size = path.stat().st_size
    send(terminal, deal(volume=0.005))
    move_price(terminal, 100_000)
    assert path.stat().st_size == size


@pytest.mark.parametrize("change", [{"login": 2}, {"server": "Other"}, {"balance": 1}])
def test_a_journal_of_another_account_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "journal"
    make_terminal(journal=path)
    with pytest.raises(JournalUnusable):
        SimulatedTerminal(replace(ACCOUNT, **change), [EURUSD], journal=path)


def test_a_damaged_line_or_a_missing_symbol_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    send(make_terminal(journal=path), deal())
    with pytest.raises(JournalUnusable, match="EURUSD"):
        SimulatedTerminal(ACCOUNT, [USDJPY], journal=path)
    with path.open("ab") as file:
        file.write(b'[[],[["x"]]]\n')
    with pytest.raises(JournalUnusable, match="line 4"):
        SimulatedTerminal(ACCOUNT, [EURUSD], journal=path)
