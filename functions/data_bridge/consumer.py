"""Queue door of data_bridge: a whole SQS batch becomes one ClickHouse insert.

Idempotent by natural key: a tick is (symbol, stream, index), a batch (stream, sequence).
"""

from contracts.data_bridge import TickBatch
from contracts.envelope import Envelope
from functions.data_bridge import logic
from functions.data_bridge.store import TickStore
from kit.analytics import Analytics, open_analytics
from kit.consumer import make_batch_consumer
from kit.observability import log

HANDLERS = (TickBatch,)


def _analytics() -> Analytics:
    return open_analytics()


def on_batches(envelopes: list[Envelope]) -> None:
    """Store ticks."""
    batches = [e.data for e in envelopes if isinstance(e.data, TickBatch)]
    stored = logic.store_batches(TickStore(_analytics()), batches)
    log("ticks stored", ticks=stored, batches=len(batches))


handler = make_batch_consumer(on_batches, HANDLERS)
