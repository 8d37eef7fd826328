"""A worker whose terminal misbehaves on demand: hangs, dies in the middle of a send, refuses.

What it does is asked for by an order's comment, or by a file beside the account's books.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.credentials import Credentials
from edge_bridge.adapters.paper.settings import AccountSettings, make_forex_symbol
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.terminal import ModuleTerminal
from edge_bridge.ports import AccountState, Deal, OrderRequest, SendResult, WrongTerminal
from edge_bridge.workers.messages import Opening
from edge_bridge.workers.terminals import Opened, feed_simulated
from edge_bridge.workers.wire import Ticks
from edge_bridge.workers.worker import main

FOREVER_S = 3_600.0


class OddTerminal(ModuleTerminal):
    """A terminal with faults."""

    def __init__(self, simulated: SimulatedTerminal, credentials: Credentials, books: Path) -> None:
        super().__init__(simulated, credentials, simulated.clock)  # type: ignore[arg-type]
        self._books, self._simulated = books, simulated

    def connect(self) -> AccountState:
        starts = self._books.with_suffix(".starts")
        with starts.open("a") as log:
            log.write(f"{os.getpid()}\n")
        if self._asked("wrong"):
            raise WrongTerminal("another terminal answered")
        if self._asked("broken"):
            raise OSError("the terminal's files are damaged")
        if self._asked("slow"):
            time.sleep(FOREVER_S)
        return super().connect()

    def _asked(self, fault: str) -> bool:
        return self._books.with_suffix(f".{fault}").exists()

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        if self._asked("mute"):
            time.sleep(FOREVER_S)
        return super().deals_since(time_ns)

    def send(self, request: OrderRequest) -> SendResult:
        if self._asked("lose"):
            self._books.with_suffix(".lose").unlink()
            self._simulated.faults.kill_pipe_next("after")
        if request.comment == "hang":
            time.sleep(FOREVER_S)
        if request.comment == "lose pipe":
            self._simulated.faults.kill_pipe_next("after")
        result = super().send(request)
        if request.comment == "die":
            os._exit(9)
        if request.comment == "hang after":
            time.sleep(FOREVER_S)
        return result


def open_odd(opening: Opening, password: str) -> Opened:
    """Open a simulated terminal; a live account's broker knows the password in a file."""
    books = Path(opening.path)
    real = books.with_suffix(".password")
    account = AccountSettings(
        login=opening.login,
        server=opening.server,
        balance=1_000_000,
        password=real.read_text() if real.exists() else "",
        path=opening.path,
    )
    symbols = [make_forex_symbol(name, digits) for name, digits in opening.symbols]
    simulated = SimulatedTerminal(account, symbols, journal=books, clock=BrokerClock())
    credentials = Credentials(opening.path, opening.login, password, opening.server)

    def take_market(ticks: Ticks) -> None:
        feed_simulated(simulated, ticks)

    return Opened(OddTerminal(simulated, credentials, books), take_market)


if __name__ == "__main__":
    sys.exit(main(open_odd))
