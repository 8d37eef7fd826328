"""What a return code says of an order: executed, undecided, or never sent."""

from edge_bridge.adapters import constants as c

EXECUTED = frozenset({c.DONE, c.DONE_PARTIAL, c.PLACED})
UNDECIDED = frozenset({c.TIMEOUT, c.LOCKED})
"""Retcodes after which the server may still execute the order."""
NOT_SENT = frozenset({c.E_INVALID_PARAMS, c.E_AUTO_TRADING_DISABLED})
"""Errors found before anything leaves the process. Any other error leaves the outcome open."""
