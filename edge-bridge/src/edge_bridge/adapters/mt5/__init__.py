"""The real MetaTrader 5 terminal: the only package that imports MetaTrader5, and only on use."""
