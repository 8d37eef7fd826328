"""Queue door of ai_orchestration: a closed bar becomes a decision, one transaction each."""

from time import perf_counter_ns

from contracts.ai_provider import ViewPublished
from contracts.data_bridge import BarClosed
from contracts.envelope import Envelope
from contracts.ids import derived_id
from contracts.ml_processing import ModelPromoted
from contracts.trading_engine import PredictionDelivered
from functions.ai_orchestration import logic
from functions.ai_orchestration.errors import NotPlatformEvent, TenantMissing
from functions.ai_orchestration.gateway import ModelBucket
from functions.ai_orchestration.settings import settings
from functions.ai_orchestration.store import DecisionStore, SignalStore
from kit.consumer import Handlers, make_consumer
from kit.db import Database, Transaction, open_database
from kit.observability import log

_shelf = logic.ModelShelf()


def _database() -> Database:
    return open_database("ai_orchestration", settings().event_bus_name)


def _require_platform(envelope: Envelope) -> None:
    if envelope.meta.tenant_id is not None:
        raise NotPlatformEvent(f"{envelope.detail_type} carries a tenant")


def on_bar_closed(envelope: Envelope, tx: Transaction) -> None:
    """Decide the bar, keep the trace, publish the one event."""
    _require_platform(envelope)
    bar = envelope.data
    assert isinstance(bar, BarClosed)
    store = DecisionStore(tx)
    situation = store.read_situation(bar.symbol, bar.timeframe, bar.closed_at)
    model = None
    if situation.model is not None:
        model = _shelf.take(situation.model, ModelBucket(settings().models_bucket))
    started = perf_counter_ns()
    decision = logic.decide(
        bar_id=bar.bar_id,
        symbol=bar.symbol,
        timeframe=bar.timeframe,
        bars=logic.take_bars(bar),
        model=model,
        any_model=situation.any_model,
        views=situation.views,
    )
    latency_us = (perf_counter_ns() - started) / 1_000
    event = logic.describe_decision(bar, decision)
    if store.add(bar, decision, event, latency_us):
        tx.publish(event, event_id=derived_id("decision-event", bar.bar_id))


def on_model_promoted(envelope: Envelope, tx: Transaction) -> None:
    """Serve the highest generation."""
    _require_platform(envelope)
    assert isinstance(envelope.data, ModelPromoted)
    kept = DecisionStore(tx).keep_model(envelope.data)
    log("model noted", version=envelope.data.version, serving=kept)


def on_view_published(envelope: Envelope, tx: Transaction) -> None:
    """Keep an agent's view for the decisions to come."""
    _require_platform(envelope)
    assert isinstance(envelope.data, ViewPublished)
    DecisionStore(tx).keep_view(envelope.data)


def on_prediction_delivered(envelope: Envelope, tx: Transaction) -> None:
    """From its visible time on, the tenant may read the signal."""
    assert isinstance(envelope.data, PredictionDelivered)
    if envelope.meta.tenant_id is None:
        raise TenantMissing("PredictionDelivered carries no tenant")
    SignalStore(tx).keep_delivery(envelope.data)


HANDLERS: Handlers = {
    BarClosed: on_bar_closed,
    ModelPromoted: on_model_promoted,
    ViewPublished: on_view_published,
    PredictionDelivered: on_prediction_delivered,
}

handler = make_consumer(HANDLERS, lambda: _database())
