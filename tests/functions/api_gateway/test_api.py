"""The gateway's doors: the authorizer against a real key server, health against real stores."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions.api_gateway import api
from kit.analytics import open_analytics
from kit.cache import open_redis
from kit.db import Database, make_conninfo
from tests.conftest import Stores
from tests.support.builders import api_event, read_answer
from tests.support.publisher import RecordingPublisher

SetSecret = Callable[[str, dict[str, Any]], None]


def test_the_process_is_alive_without_a_token() -> None:
    status, answer = read_answer(api.handler(api_event("GET", "/v1/health"), None))
    assert status == 200
    assert (answer["status"], answer["stage"]) == ("ok", "test")


@pytest.fixture
def ready_stores(
    open_room: Callable[[str], Database],
    set_secret: SetSecret,
    redis_url: str,
    clickhouse: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    database = open_room("api_gateway")
    monkeypatch.setattr(api, "_database", lambda: database)
    set_secret("redis", {"url": redis_url})
    set_secret("clickhouse", clickhouse)
    open_redis.cache_clear()
    open_analytics.cache_clear()
    yield
    open_redis.cache_clear()
    open_analytics.cache_clear()


def read_readiness() -> tuple[int, Any]:
    return read_answer(api.handler(api_event("GET", "/v1/health/ready"), None))


def test_the_house_is_ready_with_all_its_stores(ready_stores: None) -> None:
    status, answer = read_readiness()
    assert status == 200
    assert answer["dependencies"] == {"postgres": "ok", "redis": "ok", "clickhouse": "ok"}


def test_a_store_that_is_gone_is_named_and_the_answer_is_503(
    ready_stores: None, set_secret: SetSecret, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_secret("redis", {"url": "redis://127.0.0.1:9/0"})
    open_redis.cache_clear()
    from kit.settings import forget_secrets

    forget_secrets()
    status, answer = read_readiness()
    assert status == 503
    assert answer["dependencies"] == {"postgres": "ok", "redis": "unreachable", "clickhouse": "ok"}
    nowhere = make_conninfo({**stores.secret("api_gateway"), "port": 9})
    gone = Database("api_gateway", nowhere, RecordingPublisher())
    monkeypatch.setattr(api, "_database", lambda: gone)
    assert read_readiness()[1]["dependencies"]["postgres"] == "unreachable"
