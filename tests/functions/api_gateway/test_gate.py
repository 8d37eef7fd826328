"""The counting script in a real Redis: the same sums as the model, marks, grants, refills."""

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from contracts.access_keys import revoked_user_key, tenant_closed_key
from contracts.ids import uuid7
from functions.api_gateway.errors import GateUnavailable
from functions.api_gateway.logic.gcra import count
from functions.api_gateway.models import DayRow, Grant, Limits, Mark
from functions.api_gateway.store.gate import Gate, open_gate_redis
from functions.api_gateway.store.gate_scripts import ADMIT
from tests.functions.api_gateway.conftest import GateMaker, identity, snapshot

LIMITS = Limits(5, 10, 100)


@pytest.fixture(scope="module")
def redis(redis_url: str) -> Any:
    client = Redis.from_url(redis_url, decode_responses=True)
    yield client
    client.close()


def grant(units: int, leased: int, number: int = 1) -> Grant:
    day = snapshot(LIMITS).day.label
    return Grant(uuid7(), day, units, DayRow(leased, number))


@dataclass
class Model:
    """The script's decisions in plain Python; the day's units are a counter here."""

    rate: int
    burst: int
    key_rate: int
    left: int
    arrival: int = 0
    key_arrival: int = 0
    known: dict[str, str] = field(default_factory=dict)

    def admit(self, request_id: str, now_us: int) -> str:
        if request_id in self.known:
            return self.known[request_id]
        tenant = count(self.arrival, now_us, self.rate, self.burst)
        key = count(self.key_arrival, now_us, self.key_rate, self.key_rate)
        if not (tenant.admitted and key.admitted):
            return "rate_limited"
        if self.left == 0:
            return "quota_exhausted"
        self.left -= 1
        self.arrival, self.key_arrival = tenant.arrival_us, key.arrival_us
        self.known[request_id] = "admitted"
        return "admitted"


@settings(max_examples=60, deadline=None)
@given(
    limits=st.tuples(st.integers(1, 50), st.integers(1, 20), st.integers(1, 30)),
    key_rate=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 12)), min_size=1, max_size=40),
)
def test_the_script_decides_as_the_model_does(
    redis: Any, limits: tuple[int, int, int], key_rate: int, steps: list[tuple[int, int]]
) -> None:
    """Only the clock is given; a refused id is not asked again while Redis remembers it."""
    rate, burst, quota = limits
    timed = ADMIT.replace("redis.call('TIME')", "{ARGV[4], ARGV[5]}")
    script = redis.register_script(timed)
    tenant, now_us = f"{{{uuid7()}}}", 1_900_000_000_000_000
    redis.hset(
        f"{tenant}:gate",
        mapping={
            "e": 1, "f": now_us, "ti": "pro", "r": rate, "b": burst, "q": quota, "st": "open",
            "d": "2030-03-17", "de": now_us // 1_000_000 + 86_400, "ld": quota, "lf": quota,
            "ln": 1,
        },
    )  # fmt: skip
    model = Model(rate, burst, key_rate, quota)
    refused: set[str] = set()
    for index, (pause_us, number) in enumerate(steps):
        now_us += pause_us
        request_id = f"r{number}" if f"r{number}" not in refused else f"n{index}"
        keys = [f"{tenant}:{name}" for name in ("gate", "closed", "user", "key")]
        keys += [f"{tenant}:request:{request_id}", f"{tenant}:rate"]
        arguments = [0, key_rate, "", now_us // 1_000_000, now_us % 1_000_000]
        # Redis forgets the key's instant by its own clock; the model's is another one.
        redis.set(f"{tenant}:rate", model.key_arrival)
        answer = script(keys=keys, args=arguments).split("|")[0]
        assert answer == model.admit(request_id, now_us)
        if answer != "admitted":
            refused.add(request_id)
    assert int(redis.hget(f"{tenant}:gate", "lf")) == model.left
    assert int(redis.hget(f"{tenant}:gate", "t") or 0) == model.arrival


@given(
    st.integers(1, 100),
    st.integers(1, 50),
    st.lists(st.integers(0, 2_000_000), min_size=1, max_size=200),
)
def test_gcra_lets_the_burst_and_the_rate_through_and_no_more(
    rate: int, burst: int, pauses_us: list[int]
) -> None:
    arrival, now_us, admitted = 0, 1_000_000_000, 0
    began = now_us
    for pause_us in pauses_us:
        now_us += pause_us
        counted = count(arrival, now_us, rate, burst)
        arrival, admitted = counted.arrival_us, admitted + counted.admitted
        assert admitted <= burst + (now_us - began) * rate // 1_000_000
        if not counted.admitted:
            assert count(arrival, now_us + counted.retry_us, rate, burst).admitted
            assert not count(arrival, now_us + counted.retry_us - 1, rate, burst).admitted


def fill(gate: Gate, tenant: UUID, units: int = 50, **values: Any) -> None:
    limits = values.pop("limits", LIMITS)
    gate.fill(tenant, snapshot(limits, leased=0, **values))
    if limits.requests_per_day is not None:
        who = identity(tenant)
        gate.admit(who, "first", grant(units, units))


def test_nobody_passes_before_the_gate_is_filled(gates: GateMaker, tenant: UUID) -> None:
    gate = gates.gate()
    answer = gate.admit(identity(tenant), "r")
    assert answer.code == "rebuild"
    assert abs(answer.now_s - time.time()) < 5


def test_a_request_id_is_charged_once_and_gets_the_same_verdict(
    gates: GateMaker, tenant: UUID, redis: Any
) -> None:
    gate, who = gates.gate(), identity(tenant)
    fill(gate, tenant)
    answers = [gate.admit(who, "same") for _ in range(20)]
    assert set(answers) == {answers[0]}
    assert answers[0].code == "admitted"
    assert redis.hget(f"{{{tenant}}}:gate", "lf") == "48"


def test_a_refused_request_consumes_nothing(gates: GateMaker, tenant: UUID, redis: Any) -> None:
    gate, who = gates.gate(), identity(tenant, key_rate=1, credential="api_key")
    fill(gate, tenant)
    assert gate.admit(who, "a").code == "admitted"
    before = redis.hgetall(f"{{{tenant}}}:gate")
    refused = gate.admit(who, "b")
    assert refused.code == "rate_limited"
    assert 0 < refused.retry_us <= 1_000_000
    assert redis.hgetall(f"{{{tenant}}}:gate") == before


def test_a_grant_arrives_once_however_often_it_is_sent(
    gates: GateMaker, tenant: UUID, redis: Any
) -> None:
    gate, who = gates.gate(), identity(tenant)
    gate.fill(tenant, snapshot(LIMITS))
    assert gate.admit(who, "a").code == "need_lease"
    lease = grant(5, 5)
    for number in range(4):
        assert gate.admit(who, f"r{number}", lease).code == "admitted"
    assert redis.hget(f"{{{tenant}}}:gate", "lf") == "1"


def test_yesterdays_grant_does_not_count_today(gates: GateMaker, tenant: UUID) -> None:
    gate, who = gates.gate(), identity(tenant)
    gate.fill(tenant, snapshot(LIMITS))
    lease = grant(5, 5)
    old = replace(lease, day=lease.day - timedelta(days=1))
    assert gate.admit(who, "a", old).code == "need_lease"


def test_the_day_ends_when_all_units_are_leased_and_spent(gates: GateMaker, tenant: UUID) -> None:
    gate, who = gates.gate(), identity(tenant)
    gate.fill(tenant, snapshot(LIMITS, leased=98))
    assert gate.admit(who, "a", grant(2, 100)).code == "admitted"
    last = gate.admit(who, "b")
    assert (last.code, last.day_left) == ("admitted", 0)
    over = gate.admit(who, "c")
    assert over.code == "quota_exhausted"
    assert 0 < over.day_ends_in_s <= 86_400
    assert abs(over.retry_us / 1_000_000 - over.day_ends_in_s) <= 1


def test_an_unlimited_day_needs_no_lease(gates: GateMaker, tenant: UUID) -> None:
    gate, who = gates.gate(), identity(tenant)
    gate.fill(tenant, snapshot(Limits(100, 500, None), tier="enterprise"))
    assert gate.admit(who, "a").code == "admitted"


def test_a_lower_plan_counts_at_once_and_an_older_version_changes_nothing(
    gates: GateMaker, tenant: UUID
) -> None:
    gate, who = gates.gate(), identity(tenant)
    fill(gate, tenant, limits=Limits(10, 50, 1_000), tier="pro")
    gate.tell(tenant, snapshot(Limits(1, 5, 3), version=3).standing)
    gate.tell(tenant, snapshot(Limits(100, 500, None), version=2, tier="enterprise").standing)
    assert gate.admit(who, "a").code == "rebuild"
    gate.fill(tenant, snapshot(Limits(10, 50, 1_000), version=1, tier="pro"))
    answer = gate.admit(who, "b")
    assert (answer.tier, answer.limits) == ("free", Limits(1, 5, 3))


def test_what_is_ended_is_ended_at_the_next_request(gates: GateMaker, tenant: UUID) -> None:
    gate, who, other = gates.gate(), identity(tenant), identity(tenant)
    key = identity(tenant, credential="api_key")
    fill(gate, tenant)
    standing = snapshot(LIMITS).standing
    after = who.issued_ms + 1
    gate.tell(tenant, standing, [Mark("session", who.subject_id, after)])
    gate.tell(tenant, standing, [Mark("user", other.user_id, after)])
    gate.tell(tenant, standing, [Mark("api_key", key.subject_id, after)])
    gate.fill(tenant, snapshot(LIMITS))
    assert gate.admit(who, "a").code == "ended"
    assert gate.admit(other, "b").code == "reissue"
    assert gate.admit(key, "c").code == "ended"
    renewed = replace(other, issued_ms=after)
    assert gate.admit(renewed, "d").code == "admitted"
    assert gate.admit(identity(tenant), "e").code == "admitted"


def test_a_mark_never_moves_back(gates: GateMaker, tenant: UUID, redis: Any) -> None:
    gate, who = gates.gate(), identity(tenant)
    for before in (9_000, 5_000):
        gate.tell(tenant, snapshot(LIMITS).standing, [Mark("user", who.user_id, before)])
    assert redis.get(revoked_user_key(tenant, who.user_id)) == "9000"
    assert 0 < redis.ttl(revoked_user_key(tenant, who.user_id)) <= 900


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_a_tenants_state_closes_the_gate_and_opens_it_again(
    gates: GateMaker, tenant: UUID, redis: Any, state: Any
) -> None:
    gate, who = gates.gate(), identity(tenant)
    fill(gate, tenant)
    gate.fill(tenant, snapshot(LIMITS, state=state, state_version=2))
    assert redis.get(tenant_closed_key(tenant)) == state
    gate.fill(tenant, snapshot(LIMITS, state="open", state_version=1))
    assert gate.admit(who, "a").code == state
    gate.fill(tenant, snapshot(LIMITS, state="open", state_version=3))
    assert gate.admit(who, "b").code == "admitted"


def test_a_new_day_asks_for_a_refill_and_starts_with_nothing_leased(
    gates: GateMaker, tenant: UUID, redis: Any
) -> None:
    gate, who = gates.gate(), identity(tenant)
    fill(gate, tenant)
    redis.hset(f"{{{tenant}}}:gate", mapping={"d": "2020-01-01", "de": int(time.time()) - 1})
    assert gate.admit(who, "a").code == "rebuild"
    gate.fill(tenant, snapshot(LIMITS))
    assert gate.admit(who, "b").code == "need_lease"


def test_one_request_in_a_while_is_told_to_look_at_postgresql(
    gates: GateMaker, tenant: UUID, redis: Any
) -> None:
    gate, who = gates.gate(), identity(tenant)
    fill(gate, tenant)
    assert not gate.admit(who, "a").refresh
    redis.hset(f"{{{tenant}}}:gate", "f", "0")
    assert gate.admit(who, "b").refresh
    assert not gate.admit(who, "c").refresh


def test_all_keys_of_a_request_are_in_the_tenants_slot(
    gates: GateMaker, tenant: UUID, redis: Any
) -> None:
    gate, who = gates.gate(), identity(tenant, key_rate=5, credential="api_key")
    fill(gate, tenant)
    gate.admit(who, "a")
    names = [name for name in redis.scan_iter(count=1_000) if str(tenant) in name]
    assert len(names) >= 4
    assert all(name.startswith(f"{{{tenant}}}:") for name in names)


def test_a_redis_that_is_not_there_is_said_to_be_unavailable(tenant: UUID) -> None:
    gate = Gate(lambda: open_gate_redis("redis://127.0.0.1:9/0"))
    with pytest.raises(GateUnavailable):
        gate.admit(identity(tenant), "a")
    with pytest.raises(GateUnavailable):
        gate.read_key("0" * 64)
