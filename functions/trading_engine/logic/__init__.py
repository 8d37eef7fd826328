"""Use cases of trading_engine's room, one subject a module; pure, so that each is tested alone."""
