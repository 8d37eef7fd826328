"""What a return code says of an order: executed, undecided, or never sent."""

from collections.abc import Mapping

from edge_bridge.adapters import constants as c
from edge_bridge.ports import Rejected, RejectionKind

EXECUTED = frozenset({c.DONE, c.DONE_PARTIAL, c.PLACED})
UNDECIDED = frozenset({c.TIMEOUT, c.LOCKED, c.ERROR})
"""Retcodes after which the server may still execute the order, or may have."""
NOT_SENT = frozenset({c.E_INVALID_PARAMS, c.E_AUTO_TRADING_DISABLED})
"""Errors found before anything leaves the process. Any other error leaves the outcome open."""

_KINDS: Mapping[RejectionKind, tuple[int, ...]] = {
    "requote": (c.REQUOTE, c.PRICE_CHANGED),
    "refused": (c.REJECT, c.CANCEL, c.REJECT_CANCEL),
    "invalid_request": (c.INVALID, c.INVALID_ORDER, c.E_INVALID_PARAMS),
    "volume": (c.INVALID_VOLUME, c.INVALID_CLOSE_VOLUME, c.LIMIT_VOLUME),
    "price": (c.INVALID_PRICE,),
    "stops": (c.INVALID_STOPS,),
    "trade_disabled": (c.TRADE_DISABLED,),
    "market_closed": (c.MARKET_CLOSED,),
    "no_money": (c.NO_MONEY,),
    "no_quotes": (c.PRICE_OFF,),
    "expiration": (c.INVALID_EXPIRATION,),
    "too_many_requests": (c.TOO_MANY_REQUESTS,),
    "no_change": (c.NO_CHANGES, c.ORDER_CHANGED),
    "automation_off": (c.SERVER_DISABLES_AT, c.CLIENT_DISABLES_AT, c.E_AUTO_TRADING_DISABLED),
    "frozen": (c.FROZEN,),
    "filling": (c.INVALID_FILL,),
    "offline": (c.CONNECTION, c.ONLY_REAL),
    "limit": (c.LIMIT_ORDERS, c.LIMIT_POSITIONS),
    "position_gone": (c.POSITION_CLOSED,),
    "side_not_allowed": (c.LONG_ONLY, c.SHORT_ONLY, c.CLOSE_ONLY),
    "close_order": (c.CLOSE_ORDER_EXIST, c.FIFO_CLOSE),
}
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}


def is_refusal(code: int) -> bool:
    """Whether a code is known to say that nothing was executed. A code that nobody documented is
    not: the deals tell what became of the order."""
    return code in _KIND_OF


def refuse(code: int, reason: str) -> Rejected:
    """A refusal with what it is about."""
    return Rejected(code, reason, _KIND_OF.get(code, "refused"))
