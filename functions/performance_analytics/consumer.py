"""Queue door of performance_analytics: a whole SQS batch becomes one insert a table."""

from contracts.envelope import Envelope
from contracts.registry import MESSAGES, SECRET_CARRIERS
from functions.performance_analytics import logic
from functions.performance_analytics.store import EventStore
from kit.analytics import Analytics, open_analytics
from kit.consumer import make_batch_consumer

STORED_ELSEWHERE = frozenset({"BarClosed"})
"""Bars are made of ticks, which data_bridge stores."""

HANDLERS = tuple(
    contract
    for name, contract in MESSAGES.items()
    if name not in SECRET_CARRIERS | STORED_ELSEWHERE
)
"""Everything but what carries a secret or is stored elsewhere."""


def _analytics() -> Analytics:
    return open_analytics()


def on_events(envelopes: list[Envelope]) -> None:
    """Store events, without personal fields."""
    logic.keep_events(EventStore(_analytics()), envelopes)


handler = make_batch_consumer(on_events, HANDLERS)
