"""Queue door of performance_analytics: a whole SQS batch becomes one insert a table."""

from contracts.envelope import Envelope
from contracts.registry import MESSAGES
from contracts.user_management import EmailVerificationRequested
from functions.performance_analytics import logic
from functions.performance_analytics.store import EventStore
from kit.analytics import Analytics, open_analytics
from kit.consumer import make_batch_consumer

HANDLERS = tuple(
    contract for contract in MESSAGES.values() if contract is not EmailVerificationRequested
)
"""Everything but what carries a secret."""


def _analytics() -> Analytics:
    return open_analytics()


def on_events(envelopes: list[Envelope]) -> None:
    """Store events."""
    logic.keep_events(EventStore(_analytics()), envelopes)


handler = make_batch_consumer(on_events, HANDLERS)
