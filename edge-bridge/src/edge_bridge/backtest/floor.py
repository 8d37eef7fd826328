"""The backtest's trading floor: one simulated terminal without a file, fed whole runs of ticks."""

from typing import Any

from contracts.trading_engine import AccountLinked
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.tape import Tape
from edge_bridge.backtest.terminal import BacktestTerminal
from edge_bridge.ports import Terminal

SEQ_NEVER = 1 << 62
CHUNK_TICKS_MIN = 128
"""Below so many ticks a loop is faster than setting up arrays."""


TickRows = tuple[Any, Any, Any]
"""Time, bid and ask: int64 arrays or lists of ints, of one length."""


class BacktestFloor:
    """One account at the simulated broker."""

    def __init__(self, account: AccountSettings, symbol: SymbolSettings) -> None:
        self.symbol = symbol.name
        self.simulated = SimulatedTerminal(account, [symbol], tape=_make_blank_tape(symbol.name))
        self.terminal: Terminal = BacktestTerminal(self.simulated)

    def open(self, account: AccountLinked) -> Terminal | None:
        """The terminal of the account; other accounts have none here."""
        return self.terminal if account.login == self.simulated.account.login else None


def _make_blank_tape(symbol: str) -> Tape:
    """A tape that takes every tick for one that it has: the engine asks no terminal for history,
    and to remember prices would cost as much as to trade on them."""
    tape = Tape()
    tape.of(symbol).seq = SEQ_NEVER
    return tape


def takes_chunks(count: int) -> bool:
    """Whether so many ticks are better given as columns."""
    return count >= CHUNK_TICKS_MIN


def feed_ticks(terminal: SimulatedTerminal, symbol: str, first_seq: int, ticks: TickRows) -> None:
    """Give a terminal consecutive ticks: int64 columns where it takes chunks, else lists.

    The one place where ticks enter a terminal here.
    """
    ts_ns, bid, ask = ticks
    if not isinstance(ts_ns, list):
        terminal.feed_chunk(symbol, first_seq, ts_ns, bid, ask)
        return
    for seq, (time_ns, low, high) in enumerate(zip(ts_ns, bid, ask, strict=True), first_seq):
        terminal.feed_tick(seq, time_ns, low, high, symbol)
