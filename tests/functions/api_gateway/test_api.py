"""The gateway's doors: the authorizer against a real key server, health against real stores."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from functions.api_gateway import api, authorizer
from functions.api_gateway.errors import KeysUnavailable, Unauthorized
from functions.api_gateway.gateway import IssuerKeys
from functions.api_gateway.settings import settings
from kit.analytics import open_analytics
from kit.cache import open_redis
from kit.db import Database, make_conninfo
from tests.conftest import Stores
from tests.functions.api_gateway.conftest import SEED, Issuer, KeyServer, authorizer_event
from tests.support.builders import FixedClock, api_event, read_answer
from tests.support.publisher import RecordingPublisher

SetSecret = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def online_issuer(
    key_server: KeyServer, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Issuer]:
    """An issuer whose keys the authorizer fetches over HTTP from PUBLIC_URL."""
    monkeypatch.setenv("PUBLIC_URL", key_server.url)
    monkeypatch.setattr(authorizer, "_clock", lambda: clock)
    settings.cache_clear()
    issuer = Issuer(SEED, key_server.url)
    key_server.serve(issuer.signer.jwks)
    yield issuer
    settings.cache_clear()


def test_a_valid_token_passes_with_its_context(
    online_issuer: Issuer, key_server: KeyServer, tenant: UUID
) -> None:
    token = online_issuer.token(tenant)
    for _ in range(3):
        policy = authorizer.handler(authorizer_event(token), None)
        assert policy["context"]["tenant_id"] == str(tenant)
    assert len(key_server.hosts) == 1
    assert key_server.hosts[0] == key_server.url.removeprefix("http://")


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"])
def test_whoever_has_no_valid_token_gets_exactly_unauthorized(
    online_issuer: Issuer, token: str | None
) -> None:
    with pytest.raises(Unauthorized) as caught:
        authorizer.handler(authorizer_event(token), None)
    assert str(caught.value) == "Unauthorized"


def test_a_token_of_another_tenants_issuer_is_unauthorized(online_issuer: Issuer) -> None:
    foreign = Issuer(SEED[::-1], settings().public_url)
    with pytest.raises(Unauthorized):
        authorizer.handler(authorizer_event(foreign.token()), None)


def test_an_expired_token_is_unauthorized(online_issuer: Issuer, clock: FixedClock) -> None:
    token = online_issuer.token()
    authorizer.handler(authorizer_event(token), None)
    clock.advance(seconds=605)
    with pytest.raises(Unauthorized):
        authorizer.handler(authorizer_event(token), None)


def test_without_the_issuers_keys_nobody_passes_and_the_log_says_why(
    online_issuer: Issuer, key_server: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    key_server.status = 503
    token = online_issuer.token()
    with pytest.raises(Unauthorized):
        authorizer.handler(authorizer_event(token), None)
    (record,) = caplog.records
    assert vars(record)["code"] == "keys_unavailable"
    assert token not in str(vars(record))


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (302, b""), (200, b"<html>"), (200, b"\xff\xfe"), (200, b" " * 70_000)],
)
def test_a_broken_key_server_is_unavailable(
    key_server: KeyServer, status: int, body: bytes
) -> None:
    key_server.status, key_server.body = status, body
    with pytest.raises(KeysUnavailable):
        IssuerKeys(key_server.url).fetch()


def test_a_slow_or_absent_key_server_is_unavailable_within_its_timeout(
    key_server: KeyServer,
) -> None:
    key_server.delay_s = 2.5
    with pytest.raises(KeysUnavailable):
        IssuerKeys(key_server.url).fetch()
    with pytest.raises(KeysUnavailable):
        IssuerKeys("http://127.0.0.1:9").fetch()


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
