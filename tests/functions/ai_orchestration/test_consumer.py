"""The decision door: every bar gets exactly one answer, from checked files only."""

import json
from datetime import timedelta

import pytest

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from contracts.ai_provider import ViewPublished
from contracts.data_bridge import BarClosed
from contracts.ids import derived_id, uuid7
from contracts.trading_engine import PredictionDelivered
from functions.ai_orchestration import consumer
from functions.ai_orchestration.consumer import handler
from functions.ai_orchestration.logic import replay_decision
from functions.ai_orchestration.models import Decision
from functions.ai_orchestration.store import DecisionStore
from tests.conftest import REPOSITORY
from tests.support.builders import raw_record, sqs_event, wrap
from tests.support.market_bars import close_bar, make_bars, to_contracts
from tests.support.model_bucket import BUCKET

BARS = to_contracts(make_bars(700, seed=9))
SAMPLES = REPOSITORY / "events/samples"


def send(*messages, tenant_id=None):
    return handler(sqs_event(*(wrap(m, tenant_id=tenant_id) for m in messages)), None)


def sent_ids(event):
    return [{"itemIdentifier": record["messageId"]} for record in event["Records"]]


def answers(published):
    return published.messages(SignalIssued) + published.messages(SignalWithheld)


def view_at(bar, **overrides):
    facts = {
        "view_id": uuid7(),
        "agent": "analyst",
        "provider": "openai",
        "model": "m",
        "symbol": "EURUSD",
        "stance": "neutral",
        "confidence": 0.5,
        "size_factor": 0.5,
        "veto": False,
        "rationale": "calm",
        "as_of": bar.closed_at - timedelta(hours=1),
        "expires_at": bar.closed_at + timedelta(hours=1),
        "request_hash": "c" * 64,
        "cost_picodollars": 1,
    }
    return ViewPublished(**{**facts, **overrides})


@pytest.fixture
def signal_bar(room, promoted, published):
    """A bar on which the model trades when no view speaks."""
    send(promoted)
    for at in range(70, len(BARS)):
        send(close_bar(BARS, at))
        if isinstance(answers(published)[-1], SignalIssued) or published.messages(SignalIssued):
            break
    assert published.messages(SignalIssued)
    with room.transaction(None) as tx:
        tx.execute("DELETE FROM decisions")
    published.rows.clear()
    return close_bar(BARS, at)


def test_every_bar_gets_exactly_one_answer(room, promoted, published):
    send(promoted)
    bars = [close_bar(BARS, at) for at in range(200)]
    assert send(*bars) == {"batchItemFailures": []}
    given = answers(published)
    assert sorted(a.bar_id for a in given) == sorted(bar.bar_id for bar in bars)
    assert {a.reason for a in published.messages(SignalWithheld)} >= {"warmup", "edge_below_cost"}
    assert published.messages(SignalIssued)
    for envelope in published.envelopes():
        assert envelope.meta.tenant_id is None


def test_a_redelivered_bar_is_not_answered_again(room, promoted, published):
    send(promoted)
    event = sqs_event(wrap(close_bar(BARS, 100)))
    assert handler(event, None) == {"batchItemFailures": []}
    assert handler(event, None) == {"batchItemFailures": []}
    assert len(answers(published)) == 1


def test_a_bar_sent_again_under_another_event_id_is_decided_once(room, promoted, published):
    send(close_bar(BARS, 100))
    send(promoted)
    send(close_bar(BARS, 100))
    [answer] = answers(published)
    assert answer.reason == "no_model"


def test_without_a_model_for_the_symbol_the_reason_says_so(room, promoted, published):
    send(promoted, close_bar(BARS, 100, symbol="XAUUSD"))
    [answer] = answers(published)
    assert answer.reason == "symbol_not_modelled"


def test_the_highest_generation_serves_whatever_the_order(room, promoted, published):
    newer = promoted.model_copy(update={"generation": 5, "version": "newer"})
    send(newer, promoted)
    with room.transaction(None) as tx:
        situation = DecisionStore(tx).read_situation("EURUSD", "M1", BARS_END)
    assert situation.model.version == "newer"


BARS_END = close_bar(BARS, 100).closed_at


@pytest.mark.parametrize("key", ["models/test/model.onnx", "models/test/card.json"])
def test_a_tampered_file_is_refused_and_nothing_is_served(room, bucket, promoted, published, key):
    body = bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    bucket.put_object(Bucket=BUCKET, Key=key, Body=body.replace(b"s", b"z", 1))
    send(promoted)
    event = sqs_event(wrap(close_bar(BARS, 100)))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert answers(published) == []
    bucket.put_object(Bucket=BUCKET, Key=key, Body=body)
    assert handler(event, None)["batchItemFailures"] == []
    assert len(answers(published)) == 1


def test_a_missing_file_makes_the_bar_come_back(room, bucket, promoted, published):
    send(promoted.model_copy(update={"artifact_key": "models/none"}))
    event = sqs_event(wrap(close_bar(BARS, 100)))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert answers(published) == []


def test_a_live_view_shrinks_the_signal(signal_bar, published):
    send(view_at(signal_bar), signal_bar)
    assert published.messages(SignalIssued)[0].size_factor == 0.5


@pytest.mark.parametrize(
    "times",
    [
        {"expires_at": timedelta(0)},
        {"as_of": timedelta(seconds=1), "expires_at": timedelta(hours=1)},
    ],
)
def test_an_expired_or_future_view_is_not_used(signal_bar, published, times):
    moved = {name: signal_bar.closed_at + offset for name, offset in times.items()}
    send(view_at(signal_bar, veto=True, **moved), signal_bar)
    assert published.messages(SignalIssued)[0].size_factor == 1.0


def test_only_the_newest_view_of_an_agent_counts(signal_bar, published):
    older = view_at(signal_bar, veto=True, as_of=signal_bar.closed_at - timedelta(hours=2))
    send(view_at(signal_bar, size_factor=0.8), older, signal_bar)
    assert published.messages(SignalIssued)[0].size_factor == 0.8


def test_a_veto_withholds_the_signal(signal_bar, published):
    send(view_at(signal_bar, veto=True), signal_bar)
    assert published.messages(SignalWithheld)[0].reason == "vetoed"


def test_a_view_of_another_symbol_is_not_used(signal_bar, published):
    send(view_at(signal_bar, veto=True, symbol="XAUUSD"), signal_bar)
    assert published.messages(SignalIssued)


def test_the_stored_trace_replays_to_the_same_decision(room, signal_bar, published, promoted):
    send(view_at(signal_bar, size_factor=0.123456789), signal_bar, close_bar(BARS, 10))
    with room.transaction(None) as tx:
        rows = tx.fetch_all("SELECT trace, latency_us, probability FROM decisions")
        model = DecisionStore(tx).read_situation("EURUSD", "M1", signal_bar.closed_at).model
    served = consumer._shelf.take(model, consumer.ModelBucket(BUCKET))
    assert len(rows) == 2
    for row in rows:
        stored = Decision.from_trace(row["trace"])
        assert replay_decision(stored, served) == stored
        assert row["probability"] == stored.outcome.probability
        assert row["latency_us"] > 0


def test_a_tenant_cannot_send_what_only_the_platform_may(room, promoted, published, tenant):
    bar = close_bar(BARS, 100)
    for message in (promoted, bar, view_at(bar)):
        event = sqs_event(wrap(message, tenant_id=tenant))
        assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert published.rows == []
    with room.transaction(None) as tx:
        assert tx.fetch_all("SELECT 1 FROM active_models UNION SELECT 1 FROM views") == []


def test_a_delivery_belongs_to_its_tenant_alone(room, tenant, other_tenant):
    delivery = PredictionDelivered(signal_id=uuid7(), symbol="EURUSD", visible_at=BARS_END)
    assert send(delivery, tenant_id=tenant) == {"batchItemFailures": []}
    for who, count in ((tenant, 1), (other_tenant, 0), (None, 0)):
        with room.transaction(who) as tx:
            assert len(tx.fetch_all("SELECT * FROM deliveries")) == count
    event = sqs_event(wrap(delivery))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)


def test_an_event_of_an_unknown_version_goes_back(room):
    body = json.loads(sqs_event(wrap(close_bar(BARS, 100)))["Records"][0]["body"])
    body["detail"]["meta"]["schema_version"] = 99
    event = {"Records": [raw_record(json.dumps(body))]}
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)


def test_the_answer_follows_from_the_bar_alone(room, promoted, published):
    send(promoted, close_bar(BARS, 100))
    [answer] = answers(published)
    assert answer.decision_id == derived_id("decision", close_bar(BARS, 100).bar_id)
    [envelope] = [e for e in published.envelopes() if e.data == answer]
    assert envelope.meta.causation_id is not None
    assert isinstance(close_bar(BARS, 100), BarClosed)
