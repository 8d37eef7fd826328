"""The Terminal port over a simulated terminal."""

from typing import cast

from edge_bridge.adapters.credentials import Credentials
from edge_bridge.adapters.module import MetaTrader5Module
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.terminal import ModuleTerminal


def open_terminal(simulated: SimulatedTerminal) -> ModuleTerminal:
    """Make the port over a simulated terminal; `connect()` then logs in to its account."""
    account = simulated.account
    credentials = Credentials(account.path, account.login, account.password, account.server)
    module = cast("MetaTrader5Module", simulated)  # its structs have their fields at run time
    return ModuleTerminal(module, credentials, simulated.clock)
