"""Edge process: market data in, orders out, beside the MetaTrader 5 terminal."""
