"""A simulated MetaTrader 5 terminal and broker, fed with recorded or live ticks."""
