"""A simulated MetaTrader 5 terminal and broker, fed with recorded or live ticks."""

from edge_bridge.adapters.paper.feeding import TickRefused
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.spec import AccountSpec, SpecRefused, SymbolSpec

__all__ = ["AccountSpec", "SimulatedTerminal", "SpecRefused", "SymbolSpec", "TickRefused"]
