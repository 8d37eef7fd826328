"""The backtest's trading floor: one simulated terminal without a file, fed whole runs of ticks."""

from typing import Any

from contracts.trading_engine import AccountLinked
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.ports import Terminal

CHUNK_TICKS_MIN = 128
"""Below so many ticks a loop is faster than setting up arrays."""


class BacktestFloor:
    """One account at the simulated broker."""

    def __init__(self, account: AccountSettings, symbol: SymbolSettings) -> None:
        self.symbol = symbol.name
        self.simulated = SimulatedTerminal(account, [symbol])
        self.terminal: Terminal = open_terminal(self.simulated)

    def open(self, account: AccountLinked) -> Terminal | None:
        """The terminal of the account; other accounts have none here."""
        return self.terminal if account.login == self.simulated.account.login else None


def feed_ticks(
    terminal: SimulatedTerminal, symbol: str, first_seq: int, columns: "TickRows"
) -> None:
    """Give a terminal consecutive ticks: time, bid and ask as equally long columns.

    The one place where ticks enter a terminal here: in one call where the terminal takes a chunk.
    """
    ts_ns, bid, ask = columns
    feed_chunk = getattr(terminal, "feed_chunk", None)
    if feed_chunk is not None and len(ts_ns) >= CHUNK_TICKS_MIN:
        feed_chunk(symbol, first_seq, ts_ns, bid, ask)
        return
    feed = terminal.feed
    rows = zip(_plain(ts_ns), _plain(bid), _plain(ask), strict=True)
    for seq, (time_ns, low, high) in enumerate(rows, first_seq):
        feed(seq, time_ns, low, high, symbol)


TickRows = tuple[Any, Any, Any]
"""Time, bid, ask: lists or int64 arrays of one length."""


def _plain(column: Any) -> Any:
    """Python ints, for the terminal's exact arithmetic."""
    return column if isinstance(column, list) else column.tolist()
