"""Admission without stores: what is asked of whom when, and what is done when nobody answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.permissions import Route
from functions.api_gateway.errors import (
    AccessEnded,
    GateUnavailable,
    RecordsUnavailable,
    ReissueNeeded,
)
from functions.api_gateway.logic.admission import STEPS_MAX, Admission
from functions.api_gateway.logic.breaker import Breaker
from functions.api_gateway.logic.gcra import TENANTS_MAX, Count, LocalCounter
from functions.api_gateway.logic.verdicts import describe_limits, judge_route
from functions.api_gateway.models import (
    DayRow,
    GateAnswer,
    Grant,
    Identity,
    Limits,
    Mark,
    Snapshot,
    Standing,
    Verdict,
)
from tests.functions.api_gateway.conftest import identity, snapshot
from tests.support.builders import NOW

ADMITTED = GateAnswer("admitted", limits=Limits(1, 5, 100), day_left=9, day_ends_in_s=60)
LEASE = GateAnswer("need_lease", limits=Limits(1, 5, 100), day=date(2026, 3, 2))
TODAY = date(2026, 3, 2)


class FakeGate:
    """Answers in turn, the last answer for ever; None is an outage."""

    def __init__(self, *answers: GateAnswer | None) -> None:
        self.answers = list(answers)
        self.grants: list[Grant | None] = []
        self.fills = self.tried = 0

    def admit(self, who: Identity, request_id: str, grant: Grant | None = None) -> GateAnswer:
        self.grants.append(grant)
        self.tried += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise GateUnavailable("gone")
        return answer

    def fill(self, tenant_id: UUID, snapshot: Snapshot) -> None:
        self.tried += 1
        if self.answers[0] is None:
            raise GateUnavailable("gone")
        self.fills += 1


class FakeRecords:
    """Knows one tenant, or nothing while ``gone``."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.snapshot = snapshot(limits or Limits(1, 5, 100), tier="pro")
        self.marks: tuple[Mark, ...] = ()
        self.leases: list[Grant | None] = []
        self.seen: list[int | None] = []
        self.asked, self.charged, self.gone = 0, 0, False

    def _ask(self) -> None:
        self.asked += 1
        if self.gone:
            raise RecordsUnavailable("gone")

    def read_snapshot(self, tenant_id: UUID, tier: str, now: datetime) -> Snapshot:
        self._ask()
        return self.snapshot

    def read_standing(self, who: Identity, now: datetime) -> tuple[Standing, tuple[Mark, ...]]:
        self._ask()
        return self.snapshot.standing, self.marks

    def lease(self, tenant_id: UUID, tier: str, day: date, seen_no: int | None) -> Grant | None:
        self._ask()
        self.seen.append(seen_no)
        return self.leases.pop(0) if self.leases else None

    def charge(self, tenant_id: UUID, quota: int, day: date) -> int | None:
        self._ask()
        self.charged += 1
        return quota - 1


class Hands:
    """A clock that moves when told, and counts the waits."""

    def __init__(self) -> None:
        self.now_s, self.slept = 0.0, 0

    def sleep(self, _seconds: float) -> None:
        self.slept += 1


def make(gate: FakeGate, records: FakeRecords) -> tuple[Admission, Hands]:
    hands = Hands()
    return Admission(gate, records, lambda: hands.now_s, hands.sleep), hands


def test_a_gate_that_knows_the_tenant_is_asked_once_and_postgresql_never(tenant: UUID) -> None:
    gate, records = FakeGate(ADMITTED), FakeRecords()
    admission, _ = make(gate, records)
    verdict = admission.admit(identity(tenant), "r", NOW)
    assert (verdict.kind, verdict.day_left) == ("admitted", 9)
    assert (len(gate.grants), gate.fills, records.asked) == (1, 0, 0)


def test_an_empty_gate_is_filled_and_asked_again(tenant: UUID) -> None:
    gate = FakeGate(GateAnswer("rebuild", now_s=1_900_000_000), ADMITTED)
    admission, _ = make(gate, FakeRecords())
    assert admission.admit(identity(tenant), "r", NOW).kind == "admitted"
    assert gate.fills == 1


def test_units_are_leased_before_they_are_spent(tenant: UUID) -> None:
    gate, records = FakeGate(LEASE, ADMITTED), FakeRecords()
    grant = Grant(uuid7(), TODAY, 6, DayRow(6, 1))
    records.leases = [grant]
    admission, hands = make(gate, records)
    assert admission.admit(identity(tenant), "r", NOW).kind == "admitted"
    assert (gate.grants, hands.slept) == ([None, grant], 0)


def test_another_ones_block_is_waited_for_and_then_given_up(tenant: UUID) -> None:
    gate, records = FakeGate(LEASE), FakeRecords()
    admission, hands = make(gate, records)
    assert admission.admit(identity(tenant), "r", NOW).kind == "limiter_unavailable"
    assert (len(gate.grants), hands.slept) == (STEPS_MAX, STEPS_MAX)
    assert records.seen[:10] == [0] * 10
    assert set(records.seen[10:]) == {None}


def test_after_three_failures_redis_is_left_alone_for_a_second(tenant: UUID) -> None:
    gate, records = FakeGate(None), FakeRecords()
    admission, hands = make(gate, records)
    for number in range(5):
        assert admission.admit(identity(tenant), f"r{number}", NOW).kind == "admitted"
    assert gate.tried == 3
    hands.now_s = 1.0
    admission.admit(identity(tenant), "one tries", NOW)
    admission.admit(identity(tenant), "others wait", NOW)
    assert gate.tried == 4
    hands.now_s, gate.answers = 2.0, [ADMITTED]
    for number in range(3):
        admission.admit(identity(tenant), f"back{number}", NOW)
    assert (gate.tried, gate.fills) == (8, 1), "what it missed is filled in once a tenant"


def test_a_postgresql_that_failed_is_left_alone_for_a_second(tenant: UUID) -> None:
    gate, records = FakeGate(None), FakeRecords()
    records.gone = True
    admission, hands = make(gate, records)
    for number in range(4):
        verdict = admission.admit(identity(tenant), f"r{number}", NOW)
        assert verdict.kind == "limiter_unavailable"
    assert records.asked == 1
    hands.now_s, records.gone = 1.0, False
    assert admission.admit(identity(tenant), "r", NOW).kind == "admitted"


def test_limits_that_cannot_be_refreshed_stay_as_they_are(tenant: UUID) -> None:
    records = FakeRecords()
    records.gone = True
    admission, _ = make(FakeGate(replace(ADMITTED, refresh=True)), records)
    assert admission.admit(identity(tenant), "r", NOW).kind == "admitted"
    assert records.asked == 1


@pytest.mark.parametrize("code", ["ended", "reissue", "closed"])
def test_ended_access_is_no_failure_of_the_gate(tenant: UUID, code: str) -> None:
    gate = FakeGate(GateAnswer(code))  # type: ignore[arg-type]
    admission, _ = make(gate, FakeRecords())
    for _ in range(5):
        with pytest.raises(AccessEnded):
            admission.admit(identity(tenant), "r", NOW)
    assert len(gate.grants) == 5


def test_a_key_of_a_changed_owner_is_to_be_asked_about_again(tenant: UUID) -> None:
    who = identity(tenant, credential="api_key", issued_ms=5)
    admission, _ = make(FakeGate(GateAnswer("reissue")), FakeRecords())
    with pytest.raises(ReissueNeeded):
        admission.admit(who, "r", NOW)
    records = FakeRecords()
    records.marks = (Mark("user", who.user_id, 6),)
    without, _ = make(FakeGate(None), records)
    with pytest.raises(ReissueNeeded):
        without.admit(who, "r", NOW)


Marks = Callable[[Identity], Mark]


@pytest.mark.parametrize(
    ("mark", "ends"),
    [
        (lambda who: Mark("session", who.subject_id, 0), True),
        (lambda who: Mark("user", who.user_id, who.issued_ms + 1), True),
        (lambda who: Mark("user", who.user_id, who.issued_ms), False),
        (lambda who: Mark("api_key", who.subject_id, who.issued_ms + 1), False),
        (lambda who: Mark("user", who.subject_id, who.issued_ms), False),
    ],
)
def test_without_redis_a_mark_in_postgresql_ends_what_it_names(
    tenant: UUID, mark: Marks, ends: bool
) -> None:
    who, records = identity(tenant), FakeRecords()
    records.marks = (mark(who),)
    admission, _ = make(FakeGate(None), records)
    if ends:
        with pytest.raises(AccessEnded):
            admission.admit(who, "r", NOW)
    else:
        assert admission.admit(who, "r", NOW).kind == "admitted"


def test_without_redis_a_key_has_its_own_rate_and_a_refusal_costs_nothing(tenant: UUID) -> None:
    records = FakeRecords(Limits(10, 50, 100))
    admission, _ = make(FakeGate(None), records)
    who = identity(tenant, credential="api_key", key_rate=1)
    assert admission.admit(who, "a", NOW).kind == "admitted"
    late = admission.admit(who, "b", NOW)
    assert (late.kind, late.retry_after_s) == ("rate_limited", 1)
    assert records.charged == 1


def test_a_breaker_opens_pauses_and_closes() -> None:
    breaker = Breaker(2, 1.0)
    breaker.fail(0.0)
    assert breaker.allows(0.0)
    breaker.fail(0.0)
    assert not breaker.allows(0.9)
    assert breaker.allows(1.0)
    breaker.fail(1.0)
    assert not breaker.allows(1.9)
    breaker.succeed()
    assert breaker.allows(1.9)


def test_a_process_counts_for_so_many_tenants_and_no_more() -> None:
    counter = LocalCounter()
    for number in range(TENANTS_MAX + 10):
        counter.keep(str(number), Count(True, 5, 0, 0))
    assert len(counter._arrivals) == TENANTS_MAX
    assert counter.look("0", 0, 1, 1).admitted, "the longest idle is forgotten"


def test_the_headers_name_what_binds() -> None:
    counted = Verdict("admitted", "pro", limits=Limits(10, 50, 5_000), day_left=4_998,
                      day_ends_in_s=69_076, burst_left=49)  # fmt: skip
    policy = '"burst";q=50;w=5, "day";q=5000;w=86400'
    assert describe_limits(counted) == ('"day";r=4998;t=69076', policy)
    late = replace(counted, kind="rate_limited", burst_left=0, retry_after_s=2)
    assert describe_limits(late) == ('"burst";r=0;t=2', policy)
    free = replace(counted, limits=Limits(100, 500, None))
    assert describe_limits(free) == ('"burst";r=49;t=1', '"burst";q=500;w=5')
    assert describe_limits(replace(counted, limits=None)) == ("", "")


def test_the_table_judges_by_the_tier_that_the_counters_found(tenant: UUID) -> None:
    row = Route("GET", "/v1/x", "ml_processing", "member", tiers=("enterprise",))
    who = identity(tenant, tier="free")
    now = datetime.now(UTC)
    paid, verdict = judge_route(row, who, Verdict("admitted", "enterprise"), now)
    assert (paid.tier, verdict.kind) == ("enterprise", "admitted")
    _, refused = judge_route(row, who, Verdict("admitted", "pro"), now)
    assert (refused.kind, refused.code) == ("forbidden", "tier_needed")
    late = Verdict("rate_limited", "pro", "rate_limited")
    assert judge_route(row, who, late, now)[1] == late
