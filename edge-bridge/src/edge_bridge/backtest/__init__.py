"""Backtest: the engine that trades live, over a recording, with figures and a report."""
