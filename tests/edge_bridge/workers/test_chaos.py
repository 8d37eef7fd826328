"""Workers killed and hung at random while they trade: what was told of an order has happened."""

import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from edge_bridge.ports import Done, Rejected, SendHandle, SendResult, TerminalUnavailable, Unknown
from edge_bridge.workers.remote import RemoteTerminal
from tests.edge_bridge.workers.host import START_NS, Host, order, wait_until

ACCOUNTS = (1, 2, 3)
ROUNDS = 120


def hurt(host: Host, chance: random.Random, number: int) -> None:
    """Kill or stop an account's worker, if it has one."""
    pid = host.report(number).pid
    if pid is not None:
        try:
            os.kill(pid, signal.SIGKILL if chance.random() < 0.8 else signal.SIGSTOP)
        except ProcessLookupError:
            return


def can_tell(terminal: RemoteTerminal) -> bool:
    """Whether a terminal answers now."""
    try:
        return terminal.deals_since(START_NS) is not None
    except TerminalUnavailable:
        return False


def wait_for(handle: SendHandle) -> SendResult:
    """Wait for an order's outcome."""
    result = wait_until(handle.poll, "an outcome")
    assert result is not None
    return result


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_no_order_is_executed_twice_or_otherwise_than_told(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with Host(tmp_path) as host:
        terminals = {number: host.serve(number) for number in ACCOUNTS}
        begun: list[tuple[int, int, SendHandle]] = []
        for turn in range(ROUNDS):
            number = chance.choice(ACCOUNTS)
            comment = "die" if chance.random() < 0.03 else ""
            magic = 1_000 * number + turn
            handle = terminals[number].begin(order(comment, magic=magic))
            begun.append((number, magic, handle))
            if chance.random() < 0.05:
                hurt(host, chance, chance.choice(ACCOUNTS))
            if chance.random() < 0.4:
                host.move_price(110_000 + chance.randrange(50))
            if chance.random() < 0.6:
                wait_for(handle)
        host.move_price(110_000)
        results = [(number, magic, wait_for(handle)) for number, magic, handle in begun]
        for number, terminal in terminals.items():
            wait_until(lambda one=terminal: can_tell(one), "the account's deals")  # type: ignore[misc]
            deals = Counter(deal.magic for deal in terminal.deals_since(START_NS))
            check(deals, [(m, result) for n, m, result in results if n == number])
        kinds = Counter(type(result) for _, _, result in results)
        assert min(kinds[Done], kinds[Unknown], kinds[Rejected]) > 0, kinds
        assert sum(host.report(number).restarts for number in ACCOUNTS) > 0


def check(deals: "Counter[int]", results: list[tuple[int, SendResult]]) -> None:
    """Done: once; rejected: never; unknown: at most once; and nothing nobody asked for."""
    for magic, result in results:
        match result:
            case Done():
                assert deals[magic] == 1
            case Rejected():
                assert deals[magic] == 0
            case Unknown():
                assert deals[magic] <= 1
    assert set(deals) <= {magic for magic, _ in results}
