"""Signals over HTTP: a tenant sees what was delivered to it, from its visible time on."""

from datetime import timedelta

import pytest

from contracts.ids import derived_id, uuid7
from functions.ai_orchestration import api
from functions.ai_orchestration.logic import decide, describe_decision, take_bars
from functions.ai_orchestration.models import ServedModel
from functions.ai_orchestration.store import DecisionStore
from kit.feature_set import FEATURES
from tests.support.builders import api_event, principal, read_answer
from tests.support.market_bars import close_bar, make_bars, to_contracts

BARS = to_contracts(make_bars(300, seed=9))
MODEL = ServedModel("v1", "a" * 64, "b" * 64, 1.0, 0.0, 0.0, 15, lambda _: 0.7)


@pytest.fixture
def deliver(room, monkeypatch):
    """Decide bar ``at`` and deliver its signal to a tenant; the signal's id."""
    monkeypatch.setattr(api, "_database", lambda: room)

    def deliver_(at, tenant_id, delay_s=0):
        bar = close_bar(BARS, at)
        decision = decide(
            bar_id=bar.bar_id,
            symbol=bar.symbol,
            timeframe=bar.timeframe,
            bars=take_bars(bar),
            model=MODEL,
            any_model=True,
            views=(),
        )
        with room.transaction(tenant_id) as tx:
            DecisionStore(tx).add(bar, decision, describe_decision(bar, decision), 12.5)
            tx.execute(
                "INSERT INTO deliveries (tenant_id, signal_id, visible_at) VALUES (%s, %s, %s)",
                [
                    tenant_id,
                    derived_id("signal", bar.bar_id),
                    bar.closed_at + timedelta(seconds=delay_s),
                ],
            )
        return str(derived_id("signal", bar.bar_id))

    return deliver_


def get(path, **parts):
    return read_answer(api.handler(api_event("GET", path, **parts), None))


def test_a_delivered_signal_is_listed_and_found(deliver, tenant):
    signal_id = deliver(100, tenant)
    status, body = get("/v1/signals", principal=principal(tenant))
    assert status == 200
    assert [item["signal_id"] for item in body["items"]] == [signal_id]
    status, signal = get(f"/v1/signals/{signal_id}", principal=principal(tenant))
    assert status == 200
    assert signal == body["items"][0]
    assert signal["direction"] == "buy"
    assert signal["model_version"] == "v1"


def test_another_tenants_signal_is_not_found(deliver, tenant, other_tenant):
    signal_id = deliver(100, tenant)
    for path in (f"/v1/signals/{signal_id}", f"/v1/signals/{signal_id}/trace"):
        status, body = get(path, principal=principal(other_tenant))
        assert status == 404
        assert body["code"] == "signal_not_found"
    assert get("/v1/signals", principal=principal(other_tenant))[1]["items"] == []


def test_a_delayed_signal_shows_when_the_market_has_reached_its_time(deliver, tenant, clock):
    signal_id = deliver(100, tenant, delay_s=60)
    who = principal(tenant)
    assert get(f"/v1/signals/{signal_id}", principal=who)[0] == 404
    clock.advance(seconds=59)
    assert get("/v1/signals", principal=who)[1]["items"] == []
    clock.advance(seconds=1)
    assert get(f"/v1/signals/{signal_id}", principal=who)[0] == 200


def test_a_later_bar_of_the_recording_makes_it_visible_too(deliver, tenant, clock):
    signal_id = deliver(100, tenant, delay_s=60)
    clock.advance(milliseconds=10)
    deliver(101, uuid7())
    assert get(f"/v1/signals/{signal_id}", principal=principal(tenant))[0] == 200


def test_the_trace_tells_what_the_signal_was_made_from(deliver, tenant):
    signal_id = deliver(100, tenant)
    status, body = get(f"/v1/signals/{signal_id}/trace", principal=principal(tenant))
    assert status == 200
    assert body["latency_us"] == 12.5
    trace = body["trace"]
    assert set(trace["features"]) == set(FEATURES)
    assert len(trace["bars"]) == 64
    assert trace["model_sha256"] == "a" * 64
    assert trace["outcome"]["direction"] == "buy"


def test_pages_follow_each_other_newest_first(deliver, tenant):
    made = [deliver(at, tenant) for at in range(100, 105)]
    who, seen, cursor = principal(tenant), [], None
    for _ in range(4):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        _, body = get("/v1/signals", principal=who, query=query)
        seen += [item["signal_id"] for item in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1000"}, {"cursor": "x"}])
def test_a_query_out_of_bounds_is_told_as_invalid(deliver, tenant, query):
    status, body = get("/v1/signals", principal=principal(tenant), query=query)
    assert status == 422
    assert body["code"] == "invalid_value"


def test_a_stranger_is_not_answered(deliver):
    assert get("/v1/signals")[0] == 401
