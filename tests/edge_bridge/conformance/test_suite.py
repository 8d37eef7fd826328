"""Both ways to a terminal pass the checks, and a terminal that breaks a promise is found out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_bridge.adapters.paper.settings import make_forex_symbol
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.adapters.renaming import RenamingTerminal
from edge_bridge.conformance import __main__ as command
from edge_bridge.conformance.bench import Bench, NotConforming
from edge_bridge.conformance.checks import CHECKS
from edge_bridge.ports import (
    Done,
    OrderRequest,
    Position,
    SendResult,
    SymbolUnknown,
    Terminal,
    Unknown,
)
from edge_bridge.workers.launch import Program
from tests.edge_bridge.adapters.terminals import ACCOUNT, EURUSD, make_terminal, move_price
from tests.edge_bridge.workers.host import Host

EURUSD_M = replace(make_forex_symbol("EURUSD", 5), name="EURUSD.m")


class Suffixed:
    """Names of a broker that adds `.m`."""

    def to_broker(self, symbol: str) -> str:
        if len(symbol) != 6:
            raise SymbolUnknown(symbol)
        return f"{symbol}.m"

    def to_ours(self, symbol: str) -> str:
        return symbol.removesuffix(".m")


def make_ticks(simulated: Any, symbol: str) -> None:
    for number in range(600):
        move_price(simulated, 110_000 + number % 7, symbol=symbol)


def plain() -> Callable[[], Terminal]:
    simulated = make_terminal(quoted=False)
    make_ticks(simulated, "EURUSD")
    simulated.shutdown()
    return lambda: open_terminal(simulated)


def renamed() -> Callable[[], Terminal]:
    simulated = make_terminal(quoted=False, symbols=(EURUSD_M,))
    make_ticks(simulated, "EURUSD.m")
    simulated.shutdown()
    return lambda: RenamingTerminal(open_terminal(simulated), Suffixed())


@pytest.mark.parametrize("make", [plain, renamed])
def test_a_terminal_conforms(make: Callable[[], Callable[[], Terminal]]) -> None:
    said: list[str] = []
    bench = Bench(make(), "EURUSD", patience_s=0.2)
    assert command.run_checks(bench, said.append) == 0, "\n".join(said)
    assert len(said) == len(CHECKS)
    assert bench.terminal.positions() == []


def test_a_terminal_in_another_process_conforms(tmp_path: Path) -> None:
    said: list[str] = []
    with Host(tmp_path, program=Program()) as host:
        remote = host.serve(1)
        for number in range(0, 600, 60):
            host.move_price(*(110_000 + (number + n) % 7 for n in range(60)))
        bench = Bench(lambda: remote, "EURUSD", patience_s=5.0, owns_connection=False)
        assert command.run_checks(bench, said.append) == 0, "\n".join(said)


class Liar:
    """A terminal that breaks one promise; all else is the real one's."""

    def __init__(self, inner: Terminal, **lies: Any) -> None:
        self.__dict__.update(lies)
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def forget_magic(inner: Terminal) -> Callable[[], Sequence[Position]]:
    return lambda: [replace(each, magic=0) for each in inner.positions()]


def send_twice(inner: Terminal) -> Callable[[OrderRequest], SendResult]:
    def send(request: OrderRequest) -> SendResult:
        inner.send(request)
        return inner.send(request)

    return send


def lose_answers(inner: Terminal) -> Callable[[OrderRequest], SendResult]:
    def send(request: OrderRequest) -> SendResult:
        inner.send(request)
        return Unknown(-10001, "lost")

    return send


def take_any_volume(inner: Terminal) -> Callable[[OrderRequest], SendResult]:
    def send(request: OrderRequest) -> SendResult:
        return inner.send(replace(request, volume=min(max(request.volume, 2), 10)))

    return send


def agree_to_all(_: Terminal) -> Callable[..., SendResult]:
    return lambda *given, **named: Done(1, 1, 1, 1, 1, 1, 1)


LIES: list[tuple[str, Callable[[Terminal], Any]]] = [
    ("positions", forget_magic),
    ("send", send_twice),
    ("send", lose_answers),
    ("send", take_any_volume),
    ("move_stops", agree_to_all),
    ("close_position", agree_to_all),
    ("cancel_order", agree_to_all),
]


@pytest.mark.parametrize(("name", "lie"), LIES, ids=[lie.__name__ for _, lie in LIES])
def test_a_lie_is_found(name: str, lie: Callable[[Terminal], Any]) -> None:
    fresh = plain()

    def lying() -> Terminal:
        inner = fresh()
        liar: Any = Liar(inner, **{name: lie(inner)})
        return liar

    said: list[str] = []
    assert command.run_checks(Bench(lying, "EURUSD", patience_s=0.05), said.append) > 0
    assert any("DIFFERS" in line for line in said)


def test_waiting_is_bounded() -> None:
    slept: list[float] = []
    bench = Bench(plain(), "EURUSD", patience_s=1.0, sleep=slept.append)
    with pytest.raises(NotConforming, match="did not come within 1 s"):
        bench.wait_for(lambda: None, "it")
    assert sum(slept) == pytest.approx(1.0)


def test_the_command_says_what_is_missing_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MT5_PASSWORD", "x")
    words = ["--path", "C:/t.exe", "--login", str(ACCOUNT.login), "--server", ACCOUNT.server]
    assert command.main([*words, "--symbol", EURUSD.name]) == command.EXIT_CANNOT
    assert "cannot check" in capsys.readouterr().err
