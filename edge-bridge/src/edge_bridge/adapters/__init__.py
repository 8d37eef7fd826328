"""Trading terminals: `mt5` is the real one, `paper` a simulated one, under the same mapping."""
