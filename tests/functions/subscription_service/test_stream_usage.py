"""What a tenant takes from the stream is counted once a window, and shown."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.data_bridge import StreamUsageRecorded
from functions.subscription_service import api
from kit.db import Database
from tests.functions.subscription_service.conftest import verified
from tests.support.builders import NOW, api_event, principal, read_answer

Handle = Callable[..., int]


def used(minutes: int, ticks: int = 100, edge: str = "edge-1", **parts: Any) -> StreamUsageRecorded:
    return StreamUsageRecorded(
        edge=edge,
        window_start=NOW + timedelta(minutes=minutes),
        window_s=60,
        ticks=ticks,
        streams_max=parts.get("streams", 1),
        bytes=ticks * 40,
    )


def read_stream(tenant: UUID) -> dict[str, int]:
    event = api_event("GET", "/v1/usage", principal=principal(tenant))
    status, body = read_answer(api.handler(event, None))
    assert status == 200, body
    return dict(body["stream"])


@pytest.fixture
def subscribed(database: Database, tenant: UUID, handle: Handle) -> UUID:
    assert handle(verified(), tenant=tenant) == 0
    return tenant


def test_windows_add_up_in_the_running_period(subscribed: UUID, handle: Handle) -> None:
    assert read_stream(subscribed) == {"ticks": 0, "bytes": 0, "streams_max": 0}
    assert handle(used(1), used(2, 50, streams=4), used(1, 7, "edge-2"), tenant=subscribed) == 0
    assert read_stream(subscribed) == {"ticks": 157, "bytes": 157 * 40, "streams_max": 4}


def test_redelivery_of_a_window_under_any_event_counts_once(
    subscribed: UUID, handle: Handle
) -> None:
    for _ in range(3):
        assert handle(used(1), tenant=subscribed) == 0
    assert read_stream(subscribed)["ticks"] == 100


def test_what_is_outside_the_running_period_is_not_in_its_sum(
    subscribed: UUID, handle: Handle
) -> None:
    assert handle(used(-60 * 24 * 40), used(60 * 24 * 40), tenant=subscribed) == 0
    assert read_stream(subscribed)["ticks"] == 0


def test_a_tenants_stream_is_not_in_anothers_usage(
    subscribed: UUID, other_tenant: UUID, handle: Handle
) -> None:
    handle(verified(), tenant=other_tenant)
    assert handle(used(1), tenant=subscribed) == 0
    assert read_stream(other_tenant)["ticks"] == 0
    assert handle(used(1), tenant=None) == 1
