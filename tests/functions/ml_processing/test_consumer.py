"""The training door: a dataset in S3 becomes a promoted model, once a training."""

import hashlib
import io
import json

import numpy as np
import pytest

from contracts.ids import uuid7
from contracts.ml_processing import ModelCard, ModelPromoted, TrainingFailed, TrainModel
from functions.ml_processing.consumer import handler
from tests.conftest import REPOSITORY
from tests.support.builders import raw_record, sqs_event, wrap
from tests.support.market_bars import make_bars
from tests.support.model_bucket import BUCKET

SAMPLES = REPOSITORY / "events/samples/ml_processing"


def put_dataset(s3, key="datasets/bars.npz", **columns):
    body = io.BytesIO()
    np.savez_compressed(body, **(columns or make_bars(2_500)))
    s3.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
    return key


def train(**overrides):
    facts = {
        "training_id": uuid7(),
        "symbol": f"T{uuid7().hex[-8:]}",
        "dataset_key": "datasets/bars.npz",
    }
    return TrainModel(**{**facts, **overrides})


def test_a_training_promotes_a_model_whose_files_match_their_hashes(room, bucket, published):
    put_dataset(bucket)
    command = train()
    assert handler(sqs_event(wrap(command)), None) == {"batchItemFailures": []}
    [event] = published.messages(ModelPromoted)
    assert event.symbol == command.symbol
    assert event.generation == 1
    artifact = bucket.get_object(Bucket=BUCKET, Key=event.artifact_key)["Body"].read()
    card = bucket.get_object(Bucket=BUCKET, Key=event.card_key)["Body"].read()
    assert hashlib.sha256(artifact).hexdigest() == event.sha256
    assert hashlib.sha256(card).hexdigest() == event.card_sha256
    assert ModelCard.model_validate_json(card).version == event.version
    [envelope] = published.envelopes(ModelPromoted)
    assert envelope.meta.tenant_id is None


def test_a_redelivered_training_is_not_run_again(room, bucket, published):
    put_dataset(bucket)
    event = sqs_event(wrap(train()))
    assert handler(event, None) == {"batchItemFailures": []}
    assert handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(ModelPromoted)) == 1
    with room.transaction(None) as tx:
        rows = tx.fetch_all("SELECT state FROM trainings WHERE state = 'running'")
    assert rows == []


def test_a_training_that_a_crash_interrupted_runs_on_redelivery(room, bucket, published):
    command = train()
    event = sqs_event(wrap(command))
    bucket.delete_bucket(Bucket=BUCKET)
    bucket.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-3"}
    )
    with room.transaction(None) as tx:
        tx.execute(
            "INSERT INTO trainings (training_id, symbol, timeframe, dataset_key, horizon_bars,"
            " seed, started_at) VALUES (%s, %s, 'M1', %s, 15, 7, now())",
            [command.training_id, command.symbol, command.dataset_key],
        )
    put_dataset(bucket)
    assert handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(ModelPromoted)) == 1


def test_each_promotion_of_a_symbol_is_a_generation_of_its_own(room, bucket, published):
    put_dataset(bucket)
    first = train()
    second = train(symbol=first.symbol, seed=8)
    handler(sqs_event(wrap(first), wrap(second)), None)
    assert [event.generation for event in published.messages(ModelPromoted)] == [1, 2]


@pytest.mark.parametrize("body", [None, b"not an archive at all", b""])
def test_a_dataset_that_cannot_be_used_ends_in_training_failed(room, bucket, published, body):
    command = train()
    if body is not None:
        bucket.put_object(Bucket=BUCKET, Key=command.dataset_key, Body=body)
    assert handler(sqs_event(wrap(command)), None) == {"batchItemFailures": []}
    [event] = published.messages(TrainingFailed)
    assert event.training_id == command.training_id
    assert "dataset" in event.reason
    handler(sqs_event(wrap(command)), None)
    assert len(published.messages(TrainingFailed)) == 1
    assert published.messages(ModelPromoted) == []


def test_a_command_that_carries_a_tenant_is_denied(room, bucket, published, tenant):
    put_dataset(bucket)
    event = sqs_event(wrap(train(), tenant_id=tenant))
    answer = handler(event, None)
    assert answer["batchItemFailures"] == [{"itemIdentifier": event["Records"][0]["messageId"]}]
    assert published.rows == []


def test_the_golden_command_is_read_and_answered(room, bucket, published):
    body = {
        "detail-type": "TrainModel",
        "detail": json.loads((SAMPLES / "TrainModel.v1.json").read_text()),
    }
    put_dataset(bucket, key=body["detail"]["data"]["dataset_key"])
    assert handler({"Records": [raw_record(json.dumps(body))]}, None)["batchItemFailures"] == []
    assert len(published.messages(ModelPromoted)) == 1
