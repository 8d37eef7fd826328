"""The kill switch: engaged by anybody who trades and at once, released by a human's hand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.trading_engine import (
    EngageKillSwitch,
    KillSwitchChanged,
    NewsCalendarPublished,
    ReleaseKillSwitch,
)
from functions.trading_engine import consumer
from functions.trading_engine.logic.switch import engage_switch, release_switch
from functions.trading_engine.store import SwitchStore
from kit.db import Database
from tests.functions.trading_engine.desk import call, link_paper, tell
from tests.support.builders import FixedClock, sqs_record, wrap
from tests.support.publisher import RecordingPublisher

PATH = "/v1/kill-switch"
STAFF = {"platform_admin": "true"}


def told(version: int, engaged: bool, clock: FixedClock, **parts: Any) -> KillSwitchChanged:
    fields = {"scope": "tenant", "flatten": False, "reason": "asked", "changed_at": clock.now()}
    return KillSwitchChanged(version=version, engaged=engaged, **{**fields, **parts})


def look(tenant: UUID) -> dict[str, Any]:
    status, body = call("GET", PATH, tenant)
    assert status == 200
    return dict(body)


def test_engaging_needs_no_body_no_second_factor_and_no_plan(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    status, body = call("POST", PATH, tenant, who={"role": "trader"})
    assert (status, body["engaged"], body["waiting"]) == (202, True, True)
    [event] = published.envelopes(EngageKillSwitch)
    assert (event.meta.tenant_id, event.data.version, event.data.flatten) == (tenant, 1, False)


def test_a_key_that_may_trade_engages_and_cannot_release(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    key = {"credential": "api_key", "scope": "trade", "session_id": ""}
    body = {"flatten": True, "reason": "bot went wild"}
    assert call("POST", PATH, tenant, body=body, who=key)[0] == 202
    [command] = published.messages(EngageKillSwitch)
    assert (command.flatten, command.reason) == (True, "bot went wild")
    assert call("DELETE", PATH, tenant, who=key)[1]["code"] == "session_needed"


def test_a_viewer_stops_nothing(database: Database, tenant: UUID) -> None:
    assert call("POST", PATH, tenant, who={"role": "viewer"})[1]["code"] == "role_needed"


def test_releasing_asks_for_a_second_factor_and_expires_in_five_minutes(
    database: Database, tenant: UUID, published: RecordingPublisher, clock: FixedClock
) -> None:
    call("POST", PATH, tenant)
    assert call("DELETE", PATH, tenant)[1]["code"] == "step_up_needed"
    assert call("DELETE", PATH, tenant, fresh=True)[0] == 202
    [command] = published.messages(ReleaseKillSwitch)
    assert command.version == 2
    assert command.expires_at == clock.now() + timedelta(minutes=5)


def test_what_is_shown_follows_the_edges_word(
    database: Database, tenant: UUID, clock: FixedClock
) -> None:
    call("POST", PATH, tenant, body={"flatten": True})
    assert tell(told(1, True, clock, flatten=True), tenant)
    shown = look(tenant)
    assert (shown["engaged"], shown["waiting"]) == (True, False)
    assert shown["confirmed"]["flatten"] is True
    clock.advance(minutes=1)
    call("DELETE", PATH, tenant, fresh=True)
    shown = look(tenant)
    assert (shown["engaged"], shown["waiting"]) == (True, True)
    assert tell(told(2, False, clock), tenant)
    shown = look(tenant)
    assert (shown["engaged"], shown["waiting"]) == (False, False)


def test_the_edges_words_in_any_order_and_redelivered_end_the_same(
    database: Database, tenant: UUID, clock: FixedClock
) -> None:
    words = [told(3, True, clock), told(2, False, clock), told(1, True, clock)]
    records = [sqs_record(wrap(word, tenant)) for word in words]
    for _ in range(2):
        answer = consumer.handler({"Records": records}, None)
        assert answer == {"batchItemFailures": []}
    shown = look(tenant)
    assert (shown["confirmed"]["version"], shown["engaged"]) == (3, True)
    assert shown["asked"] is None


def test_a_release_counts_when_the_edge_confirms_it(
    database: Database, tenant: UUID, clock: FixedClock
) -> None:
    """Also when the edge was silent on what it releases."""
    call("DELETE", PATH, tenant, fresh=True)
    assert look(tenant)["engaged"] is False
    call("POST", PATH, tenant)
    call("DELETE", PATH, tenant, fresh=True)
    assert look(tenant)["engaged"] is True
    tell(told(3, False, clock), tenant)
    assert look(tenant)["engaged"] is False


def test_a_refused_release_stays_engaged(
    database: Database, tenant: UUID, clock: FixedClock
) -> None:
    call("POST", PATH, tenant)
    call("DELETE", PATH, tenant, fresh=True)
    tell(told(2, True, clock, reason="release_expired"), tenant)
    shown = look(tenant)
    assert (shown["engaged"], shown["waiting"]) == (True, False)
    assert shown["confirmed"]["reason"] == "release_expired"


def test_a_tenants_switch_is_nobody_elses(
    database: Database, tenant: UUID, other_tenant: UUID, clock: FixedClock
) -> None:
    call("POST", PATH, tenant)
    tell(told(1, True, clock), tenant)
    shown = look(other_tenant)
    assert (shown["engaged"], shown["asked"], shown["confirmed"]) == (False, None, None)


def test_a_repeat_within_a_second_is_the_same_word_and_flatten_is_another(
    database: Database, tenant: UUID, published: RecordingPublisher, clock: FixedClock
) -> None:
    """Engaging is not rate limited, and the edge's queue is everybody's."""
    for _ in range(5):
        assert call("POST", PATH, tenant)[0] == 202
    assert call("POST", PATH, tenant, body={"flatten": True})[0] == 202
    clock.advance(seconds=2)
    call("POST", PATH, tenant)
    commands = published.messages(EngageKillSwitch)
    assert [(c.version, c.flatten) for c in commands] == [(1, False), (2, True), (3, False)]


def test_words_at_the_same_time_get_versions_of_one_sequence(
    database: Database,
    open_room: Callable[[str], Database],
    tenant: UUID,
    published: RecordingPublisher,
) -> None:
    rooms = [open_room("trading_engine") for _ in range(8)]
    who = {"command_id": uuid7(), "requested_by": uuid7()}

    def speak(at: int) -> int:
        with rooms[at].transaction(tenant) as tx:
            later = tx.now + timedelta(seconds=2 * at)
            if at % 2:
                return release_switch(SwitchStore(tx), now=later, **who).version
            word = engage_switch(SwitchStore(tx), flatten=bool(at % 4), reason="", now=later, **who)
            return word.version if word else 0

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(speak, range(8)))
    spoken = sorted(version for version in versions if version)
    assert spoken == list(range(1, len(spoken) + 1))
    assert len(spoken) >= 4  # every release has one, whatever the order


def test_staff_stops_the_host_and_every_tenant_sees_it(
    database: Database, tenant: UUID, published: RecordingPublisher, clock: FixedClock
) -> None:
    path = f"{PATH}/host"
    assert call("POST", path, tenant)[0] == 403
    assert call("POST", path, tenant, who={"support": "true"})[0] == 403
    status, body = call("POST", path, tenant, who=STAFF, body={"reason": "broker is down"})
    assert (status, body["scope"], body["engaged"]) == (202, "host", True)
    [event] = published.envelopes(EngageKillSwitch)
    assert event.meta.tenant_id is None
    [audited] = published.envelopes(AuditRecorded)
    assert (audited.meta.tenant_id, audited.data.actor_kind) == (None, "admin")
    version = event.data.version
    assert tell(told(version, True, clock, scope="host"), None)
    shown = look(tenant)
    assert (shown["engaged"], shown["host_engaged"]) == (False, True)
    assert call("DELETE", path, tenant, who=STAFF)[1]["code"] == "step_up_needed"
    assert call("DELETE", path, tenant, who=STAFF, fresh=True)[0] == 202
    clock.advance(minutes=1)
    assert tell(told(version + 1, False, clock, scope="host"), None)
    assert look(tenant)["host_engaged"] is False
    assert call("GET", path, tenant, who={"support": "true"})[1]["engaged"] is False


def test_a_word_on_the_host_that_names_a_tenant_is_kept_for_a_human(
    database: Database, tenant: UUID, clock: FixedClock
) -> None:
    assert not tell(told(9, True, clock, scope="host"), tenant)
    assert not tell(told(9, True, clock), None)
    assert look(tenant)["host_engaged"] is False


def test_an_account_that_a_limit_latched_is_shown_so(
    database: Database, tenant: UUID, other_tenant: UUID, clock: FixedClock
) -> None:
    account_id = link_paper(tenant)
    latched = told(0, True, clock, scope="account", account_id=account_id, reason="drawdown_limit")
    assert not tell(latched, other_tenant)
    clock.advance(minutes=1)
    released = told(0, False, clock, scope="account", account_id=account_id)
    for word, state in ((latched, (True, "drawdown_limit")), (released, (False, None))):
        assert tell(word, tenant)
        [account] = call("GET", "/v1/accounts", tenant)[1]["items"]
        assert (account["latched"], account["latch_reason"]) == state
    assert tell(latched, tenant)  # the older word comes again
    assert call("GET", "/v1/accounts", tenant)[1]["items"][0]["latched"] is False


def test_the_calendar_is_staffs_to_set_and_everybodys_to_read(
    database: Database, tenant: UUID, published: RecordingPublisher
) -> None:
    path = "/v1/news-calendar"
    window = {"currency": "USD", "at": "2026-03-06T13:30:00Z", "title": "Nonfarm payrolls"}
    assert call("PUT", path, tenant, body={"windows": [window]})[0] == 403
    versions = [
        call("PUT", path, tenant, who=STAFF, body={"windows": [window]})[1]["version"]
        for _ in range(2)
    ]
    assert versions[1] == versions[0] + 1
    events = published.envelopes(NewsCalendarPublished)
    assert [(e.meta.tenant_id, e.data.version) for e in events] == [(None, v) for v in versions]
    _, body = call("GET", path, tenant, who={"role": "viewer"})
    assert (body["version"], body["windows"]) == (versions[1], [window])


@pytest.mark.parametrize(
    "windows",
    [
        [{"currency": "usd", "at": "2026-03-06T13:30:00Z", "title": "x"}],
        [{"currency": "USD", "at": "2026-03-06T13:30:00", "title": "x"}],
        [{"currency": "USD", "at": "2026-03-06T13:30:00Z", "title": "é" * 200}] * 400,
    ],
)
def test_a_calendar_that_no_event_could_carry_is_refused(
    database: Database, tenant: UUID, windows: list[dict[str, str]]
) -> None:
    status, problem = call("PUT", "/v1/news-calendar", tenant, who=STAFF, body={"windows": windows})
    assert (status, problem["code"]) in ((422, "invalid_value"), (413, "payload_too_large"))
