"""Staff see how each store is; a store that is down hides no other."""

from typing import Any
from uuid import UUID

import pytest

from functions.database_service import api, gateway
from kit.db import Database
from tests.support.builders import api_event, principal, read_answer


def ask(tenant: UUID, **who: Any) -> tuple[int, dict[str, Any]]:
    event = api_event("GET", "/v1/data/health", principal=principal(tenant, **who))
    return read_answer(api.handler(event, None))


def test_staff_see_every_store_with_its_latency(room: Database, tenant: UUID) -> None:
    status, body = ask(tenant, platform_admin="true")
    assert (status, body["status"]) == (200, "up")
    assert set(body["stores"]) == {"postgresql", "cache", "clickhouse", "vectors", "graph"}
    assert all(store["latency_ms"] >= 0 for store in body["stores"].values())


def test_a_store_that_is_down_hides_no_other(
    room: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, Any]:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(gateway, "probe_redis", fail)
    _, body = ask(tenant, platform_admin="true")
    assert body["status"] == "down"
    assert body["stores"]["cache"]["reason"] == "ConnectionError: nobody there"
    assert body["stores"]["clickhouse"]["status"] == "up"


def test_a_tenants_owner_does_not_see_it(room: Database, tenant: UUID) -> None:
    assert ask(tenant)[0] == 403
