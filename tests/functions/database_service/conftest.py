"""The room's doors over real PostgreSQL, Redis, ClickHouse and S3."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from functions.database_service import api, consumer
from functions.database_service.settings import settings
from iac.local.aws import DUMMY_KEYS
from kit.analytics import open_analytics
from kit.cache import open_redis
from kit.db import Database
from tests.conftest import Stores, run_stores
from tests.functions.database_service.stores_elsewhere import EXPORTS, Elsewhere
from tests.support.model_bucket import run_s3
from tests.support.publisher import RecordingPublisher

os.environ.setdefault("EXPORTS_BUCKET", EXPORTS)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """A PostgreSQL apart: rows planted in every table of every room would be other tests' work."""
    with run_stores(tmp_path_factory.mktemp("planted")) as running:
        yield running


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_s3(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture
def exports_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The room's bucket, empty at the end; the value is the S3 client."""
    from kit.aws import client

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("EXPORTS_BUCKET", EXPORTS)
    for name, value in DUMMY_KEYS.items():  # the endpoint checks signatures by them
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the keys of its first use
    settings.cache_clear()
    client.cache_clear()
    s3 = client("s3")
    place = {"LocationConstraint": "ap-southeast-3"}
    s3.create_bucket(Bucket=EXPORTS, CreateBucketConfiguration=place)
    try:
        yield s3
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=EXPORTS):
            for item in page.get("Contents", []):
                s3.delete_object(Bucket=EXPORTS, Key=item["Key"])
        s3.delete_bucket(Bucket=EXPORTS)
    finally:
        client.cache_clear()
        settings.cache_clear()


@pytest.fixture
def every_store(
    set_secret: Callable[[str, dict[str, Any]], None],
    redis_url: str,
    clickhouse: dict[str, Any],
    exports_bucket: Any,
) -> Iterator[Any]:
    """Redis, ClickHouse and S3 as the room finds them; the value is the S3 client."""
    set_secret("redis", {"url": redis_url})
    set_secret("clickhouse", clickhouse)
    open_redis.cache_clear()
    open_analytics.cache_clear()
    yield exports_bucket
    open_redis.cache_clear()
    open_analytics.cache_clear()


@pytest.fixture
def room(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    every_store: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Database:
    """Both doors on the test's database; what they publish is recorded."""
    database = open_room("database_service")
    monkeypatch.setattr(consumer, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_publisher", lambda: published)
    monkeypatch.setattr(api, "_database", lambda: database)
    return database


@pytest.fixture
def elsewhere(clickhouse: dict[str, Any], redis_url: str, every_store: Any) -> Iterator[Elsewhere]:
    """ClickHouse, Redis and S3 past every tenant's bounds."""
    stores = Elsewhere(clickhouse, redis_url, every_store)
    yield stores
    stores.redis.close()
    stores.clickhouse.close()


@pytest.fixture
def admin(stores: Stores) -> Iterator[psycopg.Connection[Any]]:
    """PostgreSQL's administrator, whom no policy binds."""
    with psycopg.connect(stores.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def download(tmp_path: Path) -> Callable[[str], Path]:
    """Fetches an address as a browser would."""
    from urllib.request import urlopen

    def fetch(url: str) -> Path:
        target = tmp_path / "download.zip"
        with urlopen(url, timeout=10) as answer:
            target.write_bytes(answer.read())
        return target

    return fetch
