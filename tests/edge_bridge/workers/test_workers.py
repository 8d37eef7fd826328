"""Real worker processes: they trade, hang, die and come back, and nothing is ever sent twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import derived_id
from edge_bridge.adapters import constants as c
from edge_bridge.ports import (
    Done,
    PriceUnknown,
    Rejected,
    SymbolUnknown,
    Terminal,
    TerminalUnavailable,
    Unknown,
)
from edge_bridge.workers.launch import Program
from edge_bridge.workers.supervisor import AccountOfAnotherTenant, SupervisorDied
from tests.edge_bridge.workers.host import (
    IMPATIENT,
    MS,
    START_NS,
    Host,
    magics,
    order,
    wait_until,
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path) as host:
        yield host


def test_an_order_passes_through_the_worker_and_everything_can_be_read_back(host: Host) -> None:
    terminal: Terminal = host.serve(1)
    account = terminal.connect()
    assert (account.login, account.balance, account.hedging) == (7_001, 1_000_000, True)
    done = terminal.send(order(magic=5, stop_loss=109_000, take_profit=112_000))
    assert isinstance(done, Done)
    [position] = terminal.positions()
    assert (position.magic, position.volume, position.stop_loss) == (5, 10, 109_000)
    assert isinstance(terminal.move_stops(position, 109_500, 0), Done)
    [position] = terminal.positions()
    assert (position.stop_loss, position.take_profit) == (109_500, 0)
    assert isinstance(terminal.close_position(position, volume=4), Done)
    [position] = terminal.positions()
    assert position.volume == 6
    assert [each.entry for each in terminal.deals_since(START_NS)] == ["in", "out"]
    assert terminal.bars("EURUSD", "M1", 5)[-1].close == 110_000
    columns = terminal.ticks_between("EURUSD", START_NS, START_NS + 1)
    assert list(columns.bid) == [110_000]
    assert terminal.pending_orders() == ()
    assert terminal.cancel_order(123, "EURUSD") == Rejected(c.INVALID_ORDER, "INVALID_ORDER")
    assert terminal.instrument("EURUSD").digits == 5


def test_a_symbol_that_was_not_watched_is_read_after_it_was_asked_for(host: Host) -> None:
    terminal = host.serve(1)
    assert terminal.quote("NOPE") is None
    with pytest.raises(PriceUnknown):
        terminal.instrument("NOPE")

    def is_known_as_missing() -> bool:
        try:
            terminal.instrument("NOPE")
        except PriceUnknown:
            return False
        except SymbolUnknown:
            return True
        return False

    assert wait_until(is_known_as_missing, "the worker's word on NOPE")
    with pytest.raises(SymbolUnknown):
        terminal.bars("NOPE", "M1", 1)


def test_a_position_that_the_market_stops_out_is_seen_closed(host: Host) -> None:
    terminal = host.serve(1)
    terminal.send(order(stop_loss=109_000))
    host.move_price(109_500, 108_990, 110_500)
    wait_until(lambda: not terminal.positions(), "the stop loss")
    deal = terminal.deals_since(START_NS)[-1]
    assert (deal.reason, deal.price) == ("sl", 108_990)


def test_a_hung_worker_is_killed_and_started_again_and_the_reason_is_told(host: Host) -> None:
    terminal, other = host.serve(1), host.serve(2)
    first = host.report(1).pid
    handle = terminal.begin(order("hang", magic=3))
    result = wait_until(handle.poll, "the end of the hung send")
    assert isinstance(result, Unknown)
    host.wait_for_price(terminal)
    assert host.report(1).pid != first
    assert host.report(1).restarts == 1
    assert host.reasons(1, "hung") == ["silent for more than 1.2 s"]
    assert host.healths(1) == ["starting", "connected", "hung", "backing_off", "starting",
                               "connected"]  # fmt: skip
    assert terminal.positions() == ()
    assert host.healths(2) == ["starting", "connected"]
    assert isinstance(other.send(order()), Done)


@pytest.mark.slow
def test_a_stopped_process_is_killed_and_started_again(host: Host) -> None:
    terminal = host.serve(1)
    pid = host.report(1).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    handle = terminal.begin(order(magic=3))
    assert isinstance(wait_until(handle.poll, "the end of the stopped worker"), Unknown)
    host.wait_for_price(terminal)
    assert len(set(host.starts(1))) == 2
    assert terminal.deals_since(START_NS) == []


def test_a_worker_killed_in_the_middle_of_a_send_leaves_it_unknown_and_the_deal_is_found(
    host: Host,
) -> None:
    terminal = host.serve(1)
    assert isinstance(terminal.send(order("die", magic=77)), Unknown)
    host.wait_for_price(terminal)
    assert [deal.magic for deal in terminal.deals_since(START_NS)] == [77]
    assert magics(terminal.positions()) == [77]
    assert isinstance(terminal.send(order(magic=78)), Done)
    assert [deal.magic for deal in terminal.deals_since(START_NS)] == [77, 78]


@pytest.mark.slow
def test_a_request_behind_the_one_that_killed_the_worker_is_never_executed(host: Host) -> None:
    terminal = host.serve(1)
    handles = [terminal.begin(order("die" if n == 1 else "", magic=n)) for n in (1, 2, 3)]
    results = [wait_until(each.poll, "an outcome") for each in handles]
    assert [type(each) for each in results] == [Unknown] * 3
    host.wait_for_price(terminal)
    assert [deal.magic for deal in terminal.deals_since(START_NS)] == [1]


def test_without_a_worker_requests_are_rejected_and_reads_say_why(host: Host) -> None:
    host.ask_for(1, "broken")
    terminal = host.supervisor.add(host.plan(1))
    wait_until(lambda: "circuit_open" in host.healths(1), "the circuit to open")
    result = terminal.send(order())
    assert isinstance(result, Rejected)
    assert result.code == c.CONNECTION
    assert "files are damaged" in result.reason
    for read in (terminal.account, terminal.positions, terminal.pending_orders):
        with pytest.raises(TerminalUnavailable, match="files are damaged"):
            read()
    with pytest.raises(TerminalUnavailable):
        terminal.deals_since(0)


def test_the_circuit_opens_after_repeated_failure_and_closes_again(host: Host) -> None:
    fault = host.ask_for(1, "broken")
    terminal = host.supervisor.add(host.plan(1))
    wait_until(lambda: "circuit_open" in host.healths(1), "the circuit to open")
    assert len(host.starts(1)) == 3
    assert host.reasons(1, "circuit_open")[0].startswith("OSError: the terminal's files")
    wait_until(lambda: len(host.starts(1)) == 4, "one try while half open")
    fault.unlink()
    host.wait_for_price(terminal)
    wait_until(lambda: host.report(1).health == "connected", "the circuit to close")
    assert isinstance(terminal.send(order()), Done)


@pytest.mark.slow
def test_a_terminal_that_does_not_open_in_time_is_killed(tmp_path: Path) -> None:
    with Host(tmp_path, watch=replace(IMPATIENT, start_max_ns=1_500 * MS)) as host:
        fault = host.ask_for(1, "slow")
        terminal = host.supervisor.add(host.plan(1))
        wait_until(lambda: host.reasons(1, "hung"), "the kill")
        assert host.reasons(1, "hung") == ["the terminal did not open within 1.5 s"]
        fault.unlink()
        host.wait_for_price(terminal)


def test_the_wrong_terminal_is_never_tried_again_by_itself(host: Host) -> None:
    fault = host.ask_for(1, "wrong")
    terminal = host.supervisor.add(host.plan(1))
    wait_until(lambda: host.report(1).health == "circuit_open", "the circuit to open")
    wait_until(lambda: host.report(1).pid is None, "the process to end")
    assert host.report(1).reason == "another terminal answered"
    host.serve(2)  # time in which it would have been tried
    assert len(host.starts(1)) == 1
    fault.unlink()
    host.supervisor.retry(derived_id("worker-account", 1))
    host.wait_for_price(terminal)


def test_a_lost_pipe_is_opened_again_by_the_same_process(host: Host) -> None:
    terminal = host.serve(1)
    pid = host.report(1).pid
    assert isinstance(terminal.send(order("lose pipe", magic=4)), Unknown)
    host.wait_for_price(terminal)
    assert host.healths(1) == ["starting", "connected", "disconnected", "connected"]
    assert host.report(1).pid == pid
    assert magics(terminal.positions()) == [4]


def test_accounts_come_change_and_go_while_others_run(host: Host) -> None:
    first, second = host.serve(1), host.serve(2)
    pids = {number: host.report(number).pid for number in (1, 2)}
    assert isinstance(first.send(order(magic=1)), Done)
    third = host.serve(3)
    host.supervisor.add(host.plan(1, version=1, leverage=500))
    host.supervisor.add(host.plan(1, version=2, leverage=50))
    wait_until(lambda: host.report(1).pid not in (None, pids[1]), "a new process")
    host.wait_for_price(first)
    assert magics(first.positions()) == [1]
    host.supervisor.remove(derived_id("worker-account", 3))
    wait_until(lambda: len(host.supervisor.report()) == 2, "the third to go")
    assert host.healths(3)[-1] == "stopped"
    assert host.supervisor.terminal(derived_id("worker-account", 3)) is None
    assert isinstance(third.send(order()), Rejected)
    assert host.report(2).pid == pids[2]
    assert isinstance(second.send(order()), Done)


@pytest.mark.slow
def test_after_a_pause_of_the_host_no_worker_is_blamed_for_it(host: Host) -> None:
    terminals = [host.serve(1), host.serve(2)]
    host.supervisor._tower.post(lambda: time.sleep(1.5))  # longer than silence may last
    for terminal in terminals:
        assert isinstance(terminal.send(order()), Done)
    assert host.report(1).restarts == host.report(2).restarts == 0


def test_when_the_watch_itself_dies_no_worker_is_left_without_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = host.serve(1)
    pid = host.report(1).pid
    deaths: list[object] = []
    monkeypatch.setattr(threading, "excepthook", deaths.append)
    host.supervisor.check()
    host.supervisor._tower.post(lambda: os.close(-1))
    wait_until(lambda: deaths, "the watch to die")
    with pytest.raises(SupervisorDied):
        host.supervisor.check()
    wait_until(lambda: not Path(f"/proc/{pid}/maps").read_bytes(), "the worker to end")
    assert isinstance(terminal.send(order()), Rejected)


def test_a_program_that_does_not_even_start_says_why(tmp_path: Path) -> None:
    with Host(tmp_path, program=Program("import no_such_module")) as host:
        host.supervisor.add(host.plan(1))
        wait_until(lambda: "circuit_open" in host.healths(1), "the circuit to open")
        assert host.report(1).reason == ("ModuleNotFoundError: No module named 'no_such_module'")


def test_the_real_program_trades_and_refuses_books_of_other_terms(tmp_path: Path) -> None:
    with Host(tmp_path, program=Program()) as host:
        terminal = host.serve(1)
        assert isinstance(terminal.send(order()), Done)
        host.supervisor.add(host.plan(1, version=2, balance=5))
        wait_until(lambda: host.report(1).health == "circuit_open", "the refusal")
        assert host.report(1).reason.startswith("the account's books cannot be used")
        live = host.plan(2, mode="live")
        host.supervisor.add(live)
        wait_until(lambda: host.report(2).health == "circuit_open", "the refusal")
        assert host.report(2).reason.startswith("no MetaTrader5 package on this host")


def test_an_account_never_passes_to_another_tenant(host: Host) -> None:
    host.serve(1)
    with pytest.raises(AccountOfAnotherTenant):
        host.supervisor.add(host.plan(1, version=9, tenant_id=derived_id("worker-tenant", 2)))


def test_an_orderly_stop_ends_every_process(tmp_path: Path) -> None:
    with Host(tmp_path) as host:
        host.serve(1)
        host.serve(2)
        pids = [report.pid for report in host.supervisor.report()]
        os.kill(pids[1] or 0, signal.SIGSTOP)
    for pid in pids:
        assert pid is not None
        assert not Path(f"/proc/{pid}").exists()
    assert host.healths(1)[-1] == "stopped"
    assert host.supervisor.report() == []
