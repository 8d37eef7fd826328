"""What a worker drives: the real terminal, or a simulated one over its books on disk.

Each kind is imported only where it is opened: hundreds of workers share a host's memory.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.ports import Terminal
from edge_bridge.workers.messages import Opening
from edge_bridge.workers.wire import Ticks


class TerminalRefused(Exception):
    """This terminal cannot be opened as told, however often it is tried."""


class Opened(NamedTuple):
    """A terminal, not connected yet; a simulated one also takes the market from the host."""

    terminal: Terminal
    take_market: Callable[[Ticks], None] | None = None


def open_terminal(opening: Opening, password: str) -> Opened:
    """Make the terminal of an account. Raises TerminalRefused."""
    clock = BrokerClock(opening.broker_zone, opening.broker_ahead_hours)
    if opening.mode == "live":
        return Opened(_open_live(opening, password, clock))
    return open_paper(opening, clock)


def _open_live(opening: Opening, password: str, clock: BrokerClock) -> Terminal:
    from edge_bridge.adapters.credentials import Credentials
    from edge_bridge.adapters.mt5.terminal import MetaTrader5Missing
    from edge_bridge.adapters.mt5.terminal import open_terminal as open_real

    credentials = Credentials(
        opening.path, opening.login, password, opening.server, opening.connect_timeout_ms
    )
    try:
        return open_real(credentials, clock)
    except MetaTrader5Missing as error:
        raise TerminalRefused(f"no MetaTrader5 package on this host: {error}") from error


def open_paper(opening: Opening, clock: BrokerClock) -> Opened:
    """Make a simulated terminal whose positions outlive the process."""
    from edge_bridge.adapters.paper.journal import JournalUnusable
    from edge_bridge.adapters.paper.settings import AccountSettings, make_forex_symbol
    from edge_bridge.adapters.paper.simulated import SimulatedTerminal
    from edge_bridge.adapters.paper.terminal import open_terminal as open_simulated

    account = AccountSettings(
        login=opening.login,
        server=opening.server,
        currency=opening.currency,
        balance=opening.balance,
        leverage=opening.leverage,
    )
    symbols = [make_forex_symbol(name, digits) for name, digits in opening.symbols]
    try:
        simulated = SimulatedTerminal(account, symbols, journal=Path(opening.path), clock=clock)
    except JournalUnusable as error:
        raise TerminalRefused(f"the account's books cannot be used: {error}") from error
    known = {name for name, _ in opening.symbols}

    def take_market(ticks: Ticks) -> None:
        if ticks.symbol in known:
            feed_simulated(simulated, ticks)

    return Opened(open_simulated(simulated), take_market)


def feed_simulated(simulated: Any, ticks: Ticks) -> None:
    """Give a simulated terminal a piece of the market."""
    columns = ticks.columns
    simulated.feed_chunk(ticks.symbol, ticks.first_seq, columns.ts_ns, columns.bid, columns.ask)
