"""A real S3 bucket and the room's doors on the test's database."""

from collections.abc import Iterator
from typing import Any

import pytest

from functions.ml_processing import consumer, settings
from tests.support.model_bucket import run_s3, use_bucket


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
    database = open_room("ml_processing")
    monkeypatch.setattr(consumer, "_database", lambda: database)
    return database
