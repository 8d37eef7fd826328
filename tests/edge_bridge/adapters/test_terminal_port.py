"""The Terminal port over a module: exact values out, strict types in, and never a second send."""

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.credentials import Credentials
from edge_bridge.adapters.mapping import cut_text
from edge_bridge.adapters.mt5 import terminal as mt5
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.adapters.terminal import ModuleTerminal
from edge_bridge.ports import (
    Done,
    OrderRequest,
    PriceUnknown,
    Quote,
    Rejected,
    SymbolUnknown,
    Terminal,
    TerminalUnavailable,
    Unknown,
    WrongTerminal,
)
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    SECOND_NS,
    START_NS,
    USDJPY,
    deal,
    make_terminal,
    move_price,
)

BUY = OrderRequest("c-1", "EURUSD", "buy", 10, 109_000, 111_000, magic=42, comment="one")


@pytest.fixture
def simulated() -> SimulatedTerminal:
    return make_terminal(symbols=(EURUSD, USDJPY), commission_per_lot=300)


@pytest.fixture
def port(simulated: SimulatedTerminal) -> ModuleTerminal:
    terminal = open_terminal(simulated)
    terminal.connect()
    return terminal


def test_an_order_is_done_and_shows_as_position_and_deal(
    port: Terminal, simulated: SimulatedTerminal
) -> None:
    done = port.send(BUY)
    assert isinstance(done, Done)
    assert (done.volume, done.price, done.bid, done.ask) == (10, 110_010, 110_000, 110_010)
    (position,) = port.positions()
    assert position.identifier == done.position
    assert (position.side, position.volume, position.price_open) == ("buy", 10, 110_010)
    assert (position.stop_loss, position.take_profit) == (109_000, 111_000)
    assert (position.magic, position.comment, position.profit) == (42, "one", -100)
    assert position.time_ns == START_NS
    (entry,) = port.deals_since(START_NS)
    assert (entry.ticket, entry.entry, entry.reason) == (done.deal, "in", "expert")
    assert (entry.profit, entry.commission, entry.time_ns) == (0, -30, START_NS)
    move_price(simulated, 111_050)
    opened, closed = port.deals_since(0)
    assert opened == entry
    assert (closed.entry, closed.reason, closed.side) == ("out", "tp", "sell")
    assert (closed.price, closed.profit, closed.position) == (111_050, 10_400, done.position)
    assert port.deals_since(START_NS + 1_000_000) == [closed]


def test_the_account_is_read_in_cents(port: Terminal) -> None:
    port.send(BUY)
    state = port.account()
    assert (state.login, state.currency, state.leverage) == (5_000_001, "USD", 100)
    assert (state.balance, state.equity, state.margin) == (999_970, 999_870, 11_001)
    assert state.margin_free == state.equity - state.margin
    assert state.trade_allowed
    assert state.hedging


def test_trading_is_not_allowed_when_the_terminals_button_is_off(
    port: Terminal, simulated: SimulatedTerminal
) -> None:
    simulated.terminal_trade_allowed = False
    assert not port.account().trade_allowed
    assert port.send(BUY) == Rejected(10027, "CLIENT_DISABLES_AT")


def test_an_instrument_is_read_exactly(port: Terminal) -> None:
    instrument = port.instrument("EURUSD")
    assert instrument.tick_value == Decimal(1)
    assert instrument.contract_size == Decimal(100_000)
    assert instrument.margin_per_lot == Decimal("1100.1")
    assert instrument.point == Decimal("0.00001")
    limits = (instrument.volume_min, instrument.volume_max, instrument.volume_step)
    assert limits == (1, 10_000, 1)
    assert (instrument.stops_level, instrument.currency_profit) == (10, "USD")
    with pytest.raises(SymbolUnknown):
        port.instrument("NOPE")
    with pytest.raises(PriceUnknown):
        port.instrument("USDJPY")


def test_a_quote_is_in_points_and_utc(port: Terminal) -> None:
    assert port.quote("EURUSD") == Quote("EURUSD", 110_000, 110_010, START_NS)
    assert port.quote("USDJPY") is None


def test_a_position_is_closed_in_part_and_in_full(port: Terminal) -> None:
    port.send(BUY)
    (position,) = port.positions()
    part = port.close_position(position, volume=4)
    assert isinstance(part, Done)
    assert (part.volume, part.price, part.position) == (4, 110_000, position.identifier)
    (rest,) = port.positions()
    assert rest.volume == 6
    assert isinstance(port.close_position(rest, magic=7, comment="flat"), Done)
    assert port.close_position(rest) == Rejected(10036, "POSITION_CLOSED")
    assert [(each.volume, each.magic) for each in port.deals_since(0)] == [
        (10, 42),
        (4, 42),
        (6, 7),
    ]
    assert port.positions() == []


def test_stops_are_moved(port: Terminal) -> None:
    port.send(BUY)
    (position,) = port.positions()
    assert isinstance(port.move_stops(position, 109_500, 0), Done)
    (moved,) = port.positions()
    assert (moved.stop_loss, moved.take_profit) == (109_500, 0)
    assert port.move_stops(moved, 109_500, 0) == Rejected(10025, "NO_CHANGES")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"volume": 1_000_000}, 10014),
        ({"volume": 10_000}, 10019),
        ({"stop_loss": 109_995}, 10016),
        ({"symbol": "NOPE"}, 10013),
        ({"magic": 1.5}, -2),
    ],
)
def test_a_refusal_names_its_code(port: Terminal, change: dict[str, Any], code: int) -> None:
    answer = port.send(replace(BUY, **change))
    assert isinstance(answer, Rejected)
    assert answer.code == code
    assert port.positions() == []


@pytest.mark.parametrize(("when", "opened"), [("before", 0), ("after", 1)])
def test_a_lost_answer_is_unknown_sent_once_and_found_by_its_magic(
    port: Terminal, simulated: SimulatedTerminal, when: Any, opened: int
) -> None:
    simulated.faults.kill_pipe_next(when)
    answer = port.send(BUY)
    assert isinstance(answer, Unknown)
    assert answer.code == (-10001 if when == "before" else -10002)
    for read in (port.account, port.positions, lambda: port.deals_since(0)):
        with pytest.raises(TerminalUnavailable) as lost:
            read()
        assert lost.value.code == -10004
    assert isinstance(port.send(BUY), Unknown), "nothing is sent through a dead pipe"
    port.connect()
    assert len([each for each in port.positions() if each.magic == 42]) == opened
    assert len([each for each in port.deals_since(0) if each.magic == 42]) == opened


@pytest.mark.parametrize("retcode", [c.TIMEOUT, c.LOCKED, c.ERROR, 10_099])
def test_an_undecided_retcode_is_unknown(
    port: Terminal, simulated: SimulatedTerminal, retcode: int
) -> None:
    simulated.faults.reject_next(1, retcode)
    assert isinstance(port.send(BUY), Unknown)


def test_instant_execution_asks_for_the_price_of_now(simulated: SimulatedTerminal) -> None:
    instant = make_terminal(execution=c.SYMBOL_TRADE_EXECUTION_INSTANT)
    port = open_terminal(instant)
    port.connect()
    assert isinstance(port.send(BUY), Done)
    assert isinstance(port.close_position(port.positions()[0]), Done)


def test_a_comment_is_cut_to_what_the_terminal_takes(port: Terminal) -> None:
    assert cut_text("x" * 40) == "x" * 29
    assert cut_text("\N{ROCKET}" * 20) == "\N{ROCKET}" * 14
    assert isinstance(port.send(replace(BUY, comment="\N{ROCKET}" * 40)), Done)


def test_bars_are_in_points_and_utc(port: Terminal, simulated: SimulatedTerminal) -> None:
    for step, bid in enumerate((110_020, 109_950, 110_005)):
        move_price(simulated, bid, time_ns=START_NS + (step + 1) * 40 * SECOND_NS)
    first, second, third = port.bars("EURUSD", "M1", 10)
    assert (first.time_ns, first.open, first.high, first.close) == (
        START_NS, 110_000, 110_020, 110_020,
    )  # fmt: skip
    assert (second.low, second.tick_volume, second.spread) == (109_950, 1, 10)
    assert third.time_ns == START_NS + 120 * SECOND_NS


class AttachedElsewhere(SimulatedTerminal):
    """A module that attaches to whatever terminal it finds, as the real one can."""

    def initialize(self, path: object = None, /, **options: object) -> bool:
        return super().initialize()


@pytest.mark.parametrize(
    "wanted",
    [
        {"login": 1},
        {"server": "Other"},
        {"path": "C:\\Other\\terminal64.exe"},
    ],
)
def test_another_terminal_or_account_is_recognised_and_left(wanted: dict[str, Any]) -> None:
    module: Any = AttachedElsewhere(ACCOUNT, [EURUSD])
    credentials = Credentials(ACCOUNT.path, ACCOUNT.login, ACCOUNT.password, ACCOUNT.server)
    port = ModuleTerminal(module, replace(credentials, **wanted), BrokerClock())
    with pytest.raises(WrongTerminal):
        port.connect()
    assert module.version() == (0, 0, "")


def test_a_refused_login_is_unavailable_with_its_code() -> None:
    module: Any = make_terminal()
    credentials = Credentials(ACCOUNT.path, ACCOUNT.login, "wrong", ACCOUNT.server)
    with pytest.raises(TerminalUnavailable) as refused:
        ModuleTerminal(module, credentials, BrokerClock()).connect()
    assert refused.value.code == -6
    assert "wrong" not in repr(credentials)


def test_the_real_package_is_imported_on_use_only(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; import edge_bridge.adapters.mt5.terminal as t; "
        "assert 'MetaTrader5' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=_environment())
    monkeypatch.setitem(sys.modules, "MetaTrader5", None)
    credentials = Credentials(ACCOUNT.path, 1, "", "")
    with pytest.raises(mt5.MetaTrader5Missing):
        mt5.open_terminal(credentials)


def test_the_real_adapter_works_through_the_same_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MetaTrader5", make_terminal())
    credentials = Credentials(ACCOUNT.path, ACCOUNT.login, ACCOUNT.password, ACCOUNT.server)
    port: Terminal = mt5.open_terminal(credentials)
    assert port.connect().balance == 1_000_000
    assert isinstance(port.send(BUY), Done)
    port.disconnect()
    with pytest.raises(TerminalUnavailable):
        port.account()


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path), "PATH": ""}


def test_a_symbol_traded_in_finer_volumes_is_refused_but_does_not_hide_the_others() -> None:
    terminal = make_terminal(symbols=(EURUSD, replace(EURUSD, name="BTCUSD")))
    finer: Any = FinerVolumes(terminal)
    credentials = Credentials(ACCOUNT.path, ACCOUNT.login, ACCOUNT.password, ACCOUNT.server)
    port = ModuleTerminal(finer, credentials, BrokerClock())
    port.connect()
    move_price(terminal, 110_000, symbol="BTCUSD")
    terminal.order_send(deal() | {"symbol": "BTCUSD"})
    with pytest.raises(SymbolUnknown):
        port.instrument("BTCUSD")
    assert port.send(replace(BUY, symbol="BTCUSD")).code == c.INVALID
    assert isinstance(port.send(BUY), Done)
    assert [each.symbol for each in port.positions()] == ["BTCUSD", "EURUSD"]


class FinerVolumes:
    """The terminal's functions, with a step of a thousandth of a lot in BTCUSD."""

    def __init__(self, terminal: SimulatedTerminal) -> None:
        self._terminal = terminal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)

    def symbol_info(self, symbol: str) -> Any:
        row = self._terminal.symbol_info(symbol)
        if row is None or symbol != "BTCUSD":
            return row
        return type(row).of(row._asdict() | {"volume_step": 0.001})


def test_a_symbol_that_is_not_listed_any_more_hides_nothing_that_is_held(
    port: Terminal, simulated: SimulatedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(port.send(BUY), Done)
    before = port.positions(), port.deals_since(0)
    monkeypatch.setattr(simulated, "symbol_select", lambda *_: False)
    monkeypatch.setattr(simulated, "last_error", lambda: (c.E_NOT_FOUND, "not found"))
    port.connect()
    with pytest.raises(SymbolUnknown):
        port.instrument("EURUSD")
    assert (port.positions(), port.deals_since(0)) == before
    assert not port.pending_orders()
