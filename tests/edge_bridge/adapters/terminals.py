"""The account and the prices of the conformance cases, and short ways to trade on them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.settings import (
    AccountSettings,
    SymbolSettings,
    make_forex_symbol,
)
from edge_bridge.adapters.paper.simulated import SimulatedTerminal

ACCOUNT = AccountSettings(login=5_000_001, password="secret", server="Paper-Demo")
EURUSD = make_forex_symbol("EURUSD", 5)
USDJPY = make_forex_symbol("USDJPY", 3)
START_NS = 1_398_902_400_000_000_000  # Thursday 2014-05-01 00:00 UTC, 03:00 at the broker
SECOND_NS = 1_000_000_000


def make_terminal(
    *,
    journal: Path | None = None,
    account: AccountSettings = ACCOUNT,
    symbols: tuple[SymbolSettings, ...] = (EURUSD,),
    quoted: bool = True,
    **rules: Any,
) -> SimulatedTerminal:
    """Make a connected terminal; `rules` change the symbols; quoted = 1.10000/1.10010 is fed."""
    terminal = SimulatedTerminal(
        account, [replace(symbol, **rules) for symbol in symbols], journal=journal
    )
    assert terminal.initialize(
        account.path, login=account.login, password=account.password, server=account.server
    )
    if quoted:
        move_price(terminal, 110_000, seq=max(0, terminal.last_seq + 1))
    return terminal


def move_price(
    terminal: SimulatedTerminal,
    bid: int,
    ask: int | None = None,
    *,
    seq: int | None = None,
    symbol: str = "EURUSD",
    time_ns: int | None = None,
) -> None:
    """Feed one tick, 10 points wide and a second after the last one unless told otherwise."""
    number = terminal.last_seq + 1 if seq is None else seq
    at = START_NS + number * SECOND_NS if time_ns is None else time_ns
    terminal.feed_tick(number, at, bid, bid + 10 if ask is None else ask, symbol)


def deal(side: int = c.ORDER_TYPE_BUY, volume: float = 0.1, **fields: Any) -> dict[str, Any]:
    """A market order in EURUSD."""
    return {
        "action": c.TRADE_ACTION_DEAL,
        "symbol": "EURUSD",
        "type": side,
        "volume": volume,
        "type_filling": c.ORDER_FILLING_IOC,
        **fields,
    }


def pending(kind: int, price: float, **fields: Any) -> dict[str, Any]:
    """A limit or stop order in EURUSD."""
    return {
        "action": c.TRADE_ACTION_PENDING,
        "symbol": "EURUSD",
        "type": kind,
        "volume": 0.1,
        "price": price,
        "type_filling": c.ORDER_FILLING_RETURN,
        **fields,
    }


def closing(position: Any, volume: float | None = None, **fields: Any) -> dict[str, Any]:
    """A market order that closes a position."""
    return deal(
        1 - position.type,
        position.volume if volume is None else volume,
        position=position.ticket,
        **fields,
    )


def send(terminal: SimulatedTerminal, request: dict[str, Any]) -> Any:
    """Send a request that is expected to be answered."""
    result = terminal.order_send(request)
    assert result is not None, terminal.last_error()
    return result


def list_open(terminal: SimulatedTerminal) -> list[Any]:
    """Every open position."""
    return list(terminal.positions_get() or ())


def list_deals(terminal: SimulatedTerminal) -> list[tuple[Any, ...]]:
    """Every deal as a plain tuple."""
    found = terminal.history_deals_get(1, 2**31 - 1)
    assert found is not None
    return [tuple(row) for row in found]
