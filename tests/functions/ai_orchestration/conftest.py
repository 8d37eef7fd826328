"""A real S3 bucket and the room's doors on the test's database."""

from collections.abc import Iterator
from typing import Any

import pytest

from functions.ai_orchestration import consumer, settings
from functions.ai_orchestration.logic import ModelShelf
from tests.support.market_bars import make_bars
from tests.support.model_bucket import BUCKET, run_s3, use_bucket


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_s3(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    settings.settings.cache_clear()
    with use_bucket(s3_endpoint, monkeypatch) as s3:
        yield s3
    settings.settings.cache_clear()


@pytest.fixture
def room(open_room: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    database = open_room("ai_orchestration")
    monkeypatch.setattr(consumer, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_shelf", ModelShelf())
    with database.transaction(None) as tx:
        tx.execute("DELETE FROM decisions; DELETE FROM views; DELETE FROM active_models")
    return database


@pytest.fixture(scope="session")
def trained() -> Any:
    """A model of the learnable market, as ml_processing would store it."""
    from contracts.ids import derived_id
    from contracts.ml_processing import TrainModel
    from functions.ml_processing.logic import train_model

    command = TrainModel(
        training_id=derived_id("test-training"), symbol="EURUSD", dataset_key="datasets/x"
    )
    return train_model(command, make_bars(2_500), "0" * 64)


@pytest.fixture
def promoted(bucket: Any, trained: Any) -> Any:
    """The event that promotes the model, its files in the bucket."""
    from contracts.ids import derived_id
    from contracts.ml_processing import ModelPromoted

    bucket.put_object(Bucket=BUCKET, Key="models/test/model.onnx", Body=trained.artifact)
    bucket.put_object(Bucket=BUCKET, Key="models/test/card.json", Body=trained.card_json)
    return ModelPromoted(
        model_id=derived_id("test-model"),
        version=trained.card.version,
        symbol="EURUSD",
        timeframe="M1",
        artifact_key="models/test/model.onnx",
        card_key="models/test/card.json",
        sha256=trained.sha256,
        card_sha256=trained.card_sha256,
        feature_set=trained.card.feature_set,
        generation=1,
    )
