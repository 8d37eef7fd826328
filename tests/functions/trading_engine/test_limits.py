"""Risk limits over HTTP: tighter at once, looser after a day, nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.trading_engine import LoosenLimits, TradingLimitsChanged
from contracts.trading_limits import TradingLimits
from kit.db import Database
from tests.functions.trading_engine.desk import call, entitle, link_paper, tell
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher

TIGHT = {"drawdown_max_bp": 1_000}
LOOSE = {"drawdown_max_bp": 3_000}


def put(tenant: UUID, body: Any, *, fresh: bool = False, **parts: Any) -> tuple[int, Any]:
    return call("PUT", "/v1/risk-limits", tenant, body=body, fresh=fresh, **parts)


def changes(published: RecordingPublisher, tenant: UUID) -> list[tuple[int, int]]:
    """Version and drawdown of what the edge was told of this tenant."""
    return [
        (event.data.version, event.data.limits.drawdown_max_bp)  # type: ignore[attr-defined]
        for event in published.envelopes(TradingLimitsChanged)
        if event.meta.tenant_id == tenant
    ]


def test_before_anybody_set_limits_the_platforms_are_shown(
    database: Database, tenant: UUID
) -> None:
    status, body = call("GET", "/v1/risk-limits", tenant)
    assert status == 200
    assert (body["source"], body["version"], body["pending"]) == ("platform", 0, None)
    assert TradingLimits.model_validate(body["limits"]) == TradingLimits()


def test_tighter_limits_count_at_once_and_reach_the_edge(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    status, body = put(tenant, TIGHT)
    assert (status, body["version"], body["pending"]) == (200, 1, None)
    [event] = published.envelopes(TradingLimitsChanged)
    assert event.meta.tenant_id == tenant
    assert event.data == TradingLimitsChanged(
        account_id=None, version=1, limits=TradingLimits(**TIGHT)
    )
    [record] = [r for r in published.messages(AuditRecorded) if r.action == "limits.changed"]
    assert (record.detail["version"], record.detail["waits"]) == (1, False)


def test_looser_limits_need_a_second_factor_and_wait_a_day(
    database: Database, tenant: UUID, published: RecordingPublisher, clock: FixedClock
) -> None:
    put(tenant, TIGHT)
    status, problem = put(tenant, LOOSE)
    assert (status, problem["code"]) == (403, "step_up_needed")
    status, body = put(tenant, LOOSE, fresh=True)
    assert (status, body["version"]) == (200, 1)
    assert body["limits"]["drawdown_max_bp"] == 1_000
    assert body["pending"]["drawdown_max_bp"] == 3_000
    clock.advance(hours=23, minutes=59)
    assert tell(LoosenLimits(), None)
    assert changes(published, tenant) == [(1, 1_000)]
    clock.advance(minutes=1)
    for _ in range(2):  # the clock ticks on, and a redelivery finds nothing
        assert tell(LoosenLimits(), None)
    assert changes(published, tenant) == [(1, 1_000), (2, 3_000)]
    _, body = call("GET", "/v1/risk-limits", tenant)
    assert (body["version"], body["pending"], body["limits"]["drawdown_max_bp"]) == (2, None, 3_000)


def test_a_mixed_change_tightens_now_and_loosens_later(database: Database, tenant: UUID) -> None:
    _, body = put(tenant, {"drawdown_max_bp": 3_000, "positions_max": 2}, fresh=True)
    assert body["limits"]["positions_max"] == 2
    assert body["limits"]["drawdown_max_bp"] == 2_000
    assert body["pending"]["drawdown_max_bp"] == 3_000


def test_tightening_takes_back_what_waits(
    database: Database, tenant: UUID, clock: FixedClock, published: RecordingPublisher
) -> None:
    put(tenant, LOOSE, fresh=True)
    assert put(tenant, TIGHT)[1]["pending"] is None
    clock.advance(hours=25)
    tell(LoosenLimits(), None)
    assert changes(published, tenant) == [(1, 2_000), (2, 1_000)]


def test_an_account_has_limits_of_its_own(database: Database, tenant: UUID) -> None:
    account = str(link_paper(tenant))
    put(tenant, TIGHT)
    query = {"account_id": account}
    _, before = call("GET", "/v1/risk-limits", tenant, query=query)
    assert (before["source"], before["limits"]["drawdown_max_bp"]) == ("tenant", 1_000)
    status, own = put(tenant, {"drawdown_max_bp": 500}, query=query)
    assert (status, own["source"], own["version"]) == (200, "account", 1)
    assert call("GET", "/v1/risk-limits", tenant)[1]["limits"]["drawdown_max_bp"] == 1_000


def test_another_tenants_account_has_no_limits_for_me(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    query = {"account_id": str(link_paper(tenant))}
    for answer in (
        call("GET", "/v1/risk-limits", other_tenant, query=query),
        put(other_tenant, TIGHT, query=query),
    ):
        assert (answer[0], answer[1]["code"]) == (404, "account_not_found")
    put(tenant, TIGHT)
    assert call("GET", "/v1/risk-limits", other_tenant)[1]["source"] == "platform"


@pytest.mark.parametrize(
    "body",
    [
        {"drawdown_max_bp": 0},
        {"sizing": {"risk_bp": 501}},
        {"losses": [{"period": "day", "basis": "equity", "max_bp": 1}] * 2},
        {"unknown": 1},
        {"sessions": [{"weekday": 7, "from_minute": 0, "to_minute": 1}]},
    ],
)
def test_limits_beyond_the_platforms_bounds_are_refused(
    database: Database, tenant: UUID, body: dict[str, Any]
) -> None:
    status, problem = put(tenant, body, fresh=True)
    assert (status, problem["code"]) == (422, "invalid_value")


def test_a_plans_symbols_bound_the_limits(database: Database, tenant: UUID) -> None:
    entitle(tenant, symbols=("EURUSD",), max_symbols=1)
    status, problem = put(tenant, {"symbols": ["GBPUSD"]})
    assert (status, problem["code"]) == (422, "symbol_not_in_plan")


def test_a_viewer_may_look_and_not_set(database: Database, tenant: UUID) -> None:
    assert call("GET", "/v1/risk-limits", tenant, who={"role": "viewer"})[0] == 200
    assert put(tenant, TIGHT, who={"role": "viewer"})[1]["code"] == "role_needed"


def test_a_key_tightens_and_never_loosens(database: Database, tenant: UUID) -> None:
    key = {"credential": "api_key", "scope": "read trade", "session_id": ""}
    assert put(tenant, TIGHT, who=key)[0] == 200
    assert put(tenant, LOOSE, who=key)[1]["code"] == "step_up_needed"


def test_an_idempotency_key_sets_limits_once(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    headers = {"Idempotency-Key": "limits-1"}
    answers = [put(tenant, TIGHT, headers=headers) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(published.messages(TradingLimitsChanged)) == 1


def test_changes_at_the_same_time_are_numbered_one_by_one(
    database: Database, open_room: Any, tenant: UUID, published: RecordingPublisher
) -> None:
    from functions.trading_engine.logic.limits import change_limits
    from functions.trading_engine.store import AccountStore, LimitStore

    rooms = [open_room("trading_engine") for _ in range(6)]

    def tighten(at: int) -> None:
        with rooms[at].transaction(tenant) as tx:
            _, event = change_limits(
                LimitStore(tx),
                AccountStore(tx),
                None,
                TradingLimits(positions_max=at + 1),
                now=tx.now,
                confirm_loosening=lambda: None,
            )
            if event is not None:
                tx.publish(event)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tighten, range(6)))
    events = sorted(published.messages(TradingLimitsChanged), key=lambda e: e.version)
    assert [e.version for e in events] == list(range(1, len(events) + 1))
    assert events[-1].limits.positions_max == 1
