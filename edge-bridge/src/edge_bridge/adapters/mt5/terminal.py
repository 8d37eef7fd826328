"""The Terminal port over the real MetaTrader5 package.

The package has one global pipe: a process drives one terminal and one account. Its calls have no
timeout and never release the interpreter, so a watchdog outside the process must guard it.
"""

import importlib
from typing import cast

from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.credentials import Credentials
from edge_bridge.adapters.module import MetaTrader5Module
from edge_bridge.adapters.terminal import ModuleTerminal


class MetaTrader5Missing(Exception):
    """The MetaTrader5 package is not installed; it exists for Windows only."""


def open_terminal(credentials: Credentials, clock: BrokerClock | None = None) -> ModuleTerminal:
    """Make the port over the real terminal; `connect()` then starts it and checks who it is."""
    return ModuleTerminal(load_module(), credentials, clock or BrokerClock())


def load_module() -> MetaTrader5Module:
    """Import the package, once per process, on first use."""
    try:
        module = importlib.import_module("MetaTrader5")
    except ImportError as error:
        raise MetaTrader5Missing(str(error)) from error
    return cast("MetaTrader5Module", module)
