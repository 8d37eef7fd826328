"""The paper floor of a replay: one simulated terminal a linked account, all fed the same ticks.

Each keeps its broker's books in a journal of its own beside the edge's, so positions outlive the
process as they would at a real broker.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from contracts.trading_engine import AccountLinked
from edge_bridge.adapters.paper.journal import JournalUnusable
from edge_bridge.adapters.paper.settings import AccountSettings, make_forex_symbol
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.tape import Tape
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.ports import Terminal

Tick = tuple[int, int, int, int]
"""Running number, time, bid, ask."""

_log = logging.getLogger(__name__)


class PaperFloor:
    """Simulated terminals of all paper accounts."""

    def __init__(self, folder: Path, symbol: str, digits: int, last: Tick | None) -> None:
        self._folder, self._symbol = folder, make_forex_symbol(symbol, digits)
        self._tape = Tape()
        self._last = last
        self.terminals: list[SimulatedTerminal] = []
        self._opened: dict[UUID, SimulatedTerminal] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, account: AccountLinked) -> Terminal | None:
        """Make a paper account's terminal at the market's present; live ones have none here.

        An account whose books on disk were begun under other terms has none either.
        """
        if account.mode != "paper":
            return None
        known = self._opened.get(account.account_id)
        if known is not None:  # linked again: its books are open here already
            return open_terminal(known)
        settings = AccountSettings(
            login=account.login,
            server=account.server,
            currency=account.currency,
            balance=account.initial_balance_cents,
            leverage=account.leverage,
        )
        journal = self._folder / f"{account.account_id}.journal"
        try:
            terminal = SimulatedTerminal(settings, [self._symbol], journal=journal, tape=self._tape)
        except JournalUnusable as error:
            _log.error("account %s has no terminal: %s", account.account_id, error)
            return None
        if self._last is not None:
            terminal.feed_tick(*self._last, self._symbol.name)
        self.terminals.append(terminal)
        self._opened[account.account_id] = terminal
        return open_terminal(terminal)

    def feed(self, first_number: int, chunk: TickChunk, places: list[int]) -> None:
        """Give all terminals the accepted ticks of a chunk, in order."""
        if not places:
            return
        feeds: list[Callable[[int, int, int, int, str], None]] = [
            terminal.feed_tick for terminal in self.terminals
        ]
        symbol = self._symbol.name
        ts_ns, bid, ask = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
        for place in places:
            tick = (first_number + place, ts_ns[place], bid[place], ask[place])
            for feed in feeds:
                feed(*tick, symbol)
        self._last = tick

    @property
    def last(self) -> Tick | None:
        """The last tick given."""
        return self._last

    def close(self) -> None:
        """Let go of the journals."""
        for terminal in self.terminals:
            terminal.close_journal()
