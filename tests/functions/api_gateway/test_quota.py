"""The day's quota is exact: under concurrency, with Redis flushed, and with Redis killed."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from contracts.ids import uuid7
from functions.api_gateway.logic.admission import Admission
from functions.api_gateway.logic.quota import (
    BLOCK_MAX,
    BLOCK_SHARE,
    SINGLES_BELOW,
    choose_block,
    find_day,
)
from functions.api_gateway.models import Day, DayRow, Identity, Limits
from iac.local import testing
from tests.conftest import Stores
from tests.functions.api_gateway.conftest import GateMaker, identity

CLIENTS = 64
FAST = 1_000_000
"""A rate that no test reaches."""


def ask(admission: Admission, who: Identity, times: int) -> Counter[str]:
    return Counter(admission.admit(who, str(uuid7()), datetime.now(UTC)).kind for _ in range(times))


def ask_all(admissions: list[Admission], who: Identity, times: int) -> Counter[str]:
    """Everybody asks at once."""
    with ThreadPoolExecutor(len(admissions)) as pool:
        parts = pool.map(lambda admission: ask(admission, who, times), admissions)
        return sum(parts, Counter())


def leased(stores: GateMaker, tenant_id: UUID) -> int:
    with stores.database().transaction(tenant_id) as tx:
        row = tx.fetch_one("SELECT sum(leased)::int AS n FROM quota_days")
    assert row is not None
    return row["n"] or 0


def run_at_once(gates: GateMaker, runs: int) -> None:
    """64 clients, limit N: exactly N of them are admitted, in every run."""
    admissions = [gates.admission() for _ in range(CLIENTS)]
    for run in range(runs):
        quota = 40 + 13 * run
        tenant_id = uuid7()
        gates.set_limits(tenant_id, Limits(FAST, FAST, quota))
        answers = ask_all(admissions, identity(tenant_id), 2 + quota // 40)
        assert answers["admitted"] == quota, answers
        assert set(answers) == {"admitted", "quota_exhausted"}
        assert leased(gates, tenant_id) == quota


def test_64_clients_at_once_get_exactly_the_days_quota(gates: GateMaker) -> None:
    run_at_once(gates, 3)


@pytest.mark.slow
def test_64_clients_at_once_get_exactly_the_days_quota_twenty_times(gates: GateMaker) -> None:
    run_at_once(gates, 20)


def test_64_clients_at_once_get_exactly_the_burst(gates: GateMaker, tenant: UUID) -> None:
    """A rate of one a second gives one more for each second that the asking took."""
    gates.set_limits(tenant, Limits(1, 50, None), "enterprise")
    admissions = [gates.admission() for _ in range(CLIENTS)]
    admissions[0].admit(identity(tenant), "fills the gate", datetime.now(UTC))
    began = time.monotonic()
    answers = ask_all(admissions, identity(tenant), 3)
    assert 49 <= answers["admitted"] <= 50 + (time.monotonic() - began)
    assert answers["rate_limited"] == CLIENTS * 3 - answers["admitted"]


def test_the_same_requests_sent_by_everybody_are_charged_once(
    gates: GateMaker, tenant: UUID
) -> None:
    gates.set_limits(tenant, Limits(FAST, FAST, 100))
    who, ids = identity(tenant), [str(uuid7()) for _ in range(30)]
    admissions = [gates.admission() for _ in range(8)]

    def ask_the_same(admission: Admission) -> set[str]:
        return {admission.admit(who, name, datetime.now(UTC)).kind for name in ids}

    with ThreadPoolExecutor(8) as pool:
        kinds = set().union(*pool.map(ask_the_same, admissions))
    assert kinds == {"admitted"}
    assert ask(admissions[0], who, 100)["admitted"] == 70


def test_a_redis_that_is_flushed_again_and_again_never_lets_more_through(
    gates: GateMaker, tenant: UUID
) -> None:
    quota, flushes, whose = 600, 6, identity(tenant)
    gates.set_limits(tenant, Limits(FAST, FAST, quota))
    admissions = [gates.admission() for _ in range(8)]
    with ThreadPoolExecutor(9) as pool, Redis.from_url(gates.redis_url) as redis:
        asked = [pool.submit(ask, admission, whose, 150) for admission in admissions]
        for _ in range(flushes):
            time.sleep(0.05)
            redis.flushall()
        answers = sum((part.result() for part in asked), Counter())
    lost_most = flushes * (quota // BLOCK_SHARE)
    assert quota - lost_most <= answers["admitted"] <= quota
    assert ask(admissions[0], whose, 1)["admitted"] == 0


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[testing.RedisServer]:
    server = testing.start_redis(tmp_path)
    yield server
    server.stop()


def test_a_redis_killed_in_the_middle_never_lets_more_through(
    gates: GateMaker, tenant: UUID, own_redis: testing.RedisServer
) -> None:
    """Paid tiers go on by PostgreSQL; what Redis had leased and not spent is lost, no more."""
    quota, whose = 400, identity(tenant, tier="pro")
    gates.set_limits(tenant, Limits(FAST, FAST, quota), "pro")
    admissions = [gates.admission(own_redis.url) for _ in range(8)]
    first = ask_all(admissions, whose, 12)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, admission, whose, 60) for admission in admissions]
        time.sleep(0.02)
        own_redis.stop()
        answers = sum((part.result() for part in asked), first)
    assert quota - quota // BLOCK_SHARE <= answers["admitted"] <= quota
    assert leased(gates, tenant) == quota
    assert set(answers) == {"admitted", "quota_exhausted"}


def test_without_redis_the_free_tier_waits_and_paid_tiers_are_counted_here(
    gates: GateMaker, tenant: UUID, other_tenant: UUID
) -> None:
    gates.set_limits(tenant, Limits(1, 5, 1_000))
    gates.set_limits(other_tenant, Limits(1, 5, 3), "pro")
    admission = gates.admission("redis://127.0.0.1:9/0")
    assert ask(admission, identity(tenant), 2) == {"limiter_unavailable": 2}
    assert ask(admission, identity(other_tenant), 9) == {"admitted": 3, "quota_exhausted": 6}
    rich = uuid7()
    gates.set_limits(rich, Limits(1, 5, None), "enterprise")
    assert ask(admission, identity(rich), 9) == {"admitted": 5, "rate_limited": 4}


def test_without_redis_a_request_id_is_charged_once_too(gates: GateMaker, tenant: UUID) -> None:
    gates.set_limits(tenant, Limits(10, 50, 100), "pro")
    admission = gates.admission("redis://127.0.0.1:9/0")
    who = identity(tenant)
    for _ in range(5):
        assert admission.admit(who, "same", datetime.now(UTC)).kind == "admitted"
    assert leased(gates, tenant) == 1


def test_without_both_stores_nobody_is_admitted(
    gates: GateMaker, stores: Stores, tenant: UUID
) -> None:
    database = gates.database()
    database._conninfo = database._conninfo.replace(f"port={stores.port}", "port=9")
    from functions.api_gateway.store.records import Records

    records = Records(lambda: database, find_day, choose_block)
    for url in (gates.redis_url, "redis://127.0.0.1:9/0"):
        admission = Admission(gates.gate(url), records)
        for tier in ("free", "pro", "enterprise"):
            verdict = admission.admit(identity(tenant, tier=tier), "r", datetime.now(UTC))
            assert (verdict.kind, verdict.retry_after_s) == ("limiter_unavailable", 1)


def test_another_tenants_requests_cost_a_tenant_nothing(
    gates: GateMaker, tenant: UUID, other_tenant: UUID
) -> None:
    for whose in (tenant, other_tenant):
        gates.set_limits(whose, Limits(FAST, FAST, 5))
    admission = gates.admission()
    assert ask(admission, identity(tenant), 9)["admitted"] == 5
    assert ask(admission, identity(other_tenant), 9)["admitted"] == 5


def test_a_plan_change_counts_at_once_in_both_directions(gates: GateMaker, tenant: UUID) -> None:
    from functions.api_gateway.store.tenants import TenantStore

    admission, who = gates.admission(), identity(tenant)

    def change(version: int, limits: Limits) -> None:
        gates.set_limits(tenant, limits, "free", version)
        with gates.database().transaction(tenant) as tx:
            standing = TenantStore(tx).read_standing("free")
        gates.gate().tell(tenant, standing)

    change(1, Limits(FAST, FAST, 10))
    assert ask(admission, who, 15)["admitted"] == 10
    change(2, Limits(FAST, FAST, 100))
    assert ask(admission, who, 30)["admitted"] == 30
    change(3, Limits(FAST, FAST, 20))
    assert ask(admission, who, 5)["admitted"] == 0
    change(4, Limits(FAST, FAST, 45))
    assert ask(admission, who, 20)["admitted"] == 5


def test_a_block_that_never_arrives_is_waited_for_and_then_given_up(
    gates: GateMaker, tenant: UUID
) -> None:
    gates.set_limits(tenant, Limits(FAST, FAST, 320))
    admission, who = gates.admission(), identity(tenant)
    ask(admission, who, 1)
    with gates.database().transaction(tenant) as tx:
        tx.execute("UPDATE quota_days SET leased = leased + 20, lease_no = lease_no + 1")
    assert ask(admission, who, 400) == {"admitted": 299, "quota_exhausted": 101}


@given(st.integers(1, 20_000))
def test_blocks_shrink_towards_the_end_and_never_pass_the_quota(quota: int) -> None:
    row, sizes = DayRow(0, 0), []
    while True:
        chosen = choose_block(quota, row, row.lease_no)
        assert chosen is not None
        units, row = chosen
        if units == 0:
            break
        sizes.append(units)
    assert sum(sizes) == quota
    assert max(sizes) <= max(1, min(BLOCK_MAX, quota // BLOCK_SHARE))
    assert all(earlier >= later for earlier, later in pairwise(sizes))
    assert set(sizes[-min(quota, SINGLES_BELOW - 1) :]) == {1}


def test_who_has_not_seen_the_newest_block_waits_for_it() -> None:
    assert choose_block(1_000, DayRow(100, 2), 1) is None
    assert choose_block(100, DayRow(100, 2), 1) is None
    assert choose_block(100, DayRow(100, 2), 2) == (0, DayRow(100, 2))
    assert choose_block(100, DayRow(99, 2), 1) == (1, DayRow(100, 2))
    assert choose_block(1_000, DayRow(200, 2), None) == (50, DayRow(250, 3))


@pytest.mark.parametrize(
    ("zone", "now", "label", "begins", "ends"),
    [
        ("Asia/Jakarta", "2026-03-02T16:59:59", "2026-03-02", "03-01T17:00", "03-02T17:00"),
        ("Asia/Jakarta", "2026-03-02T17:00:00", "2026-03-03", "03-02T17:00", "03-03T17:00"),
        # Midnight does not exist: clocks go from 00:00 to 01:00.
        ("Africa/Cairo", "2024-04-26T10:00:00", "2024-04-26", "04-25T22:00", "04-26T21:00"),
        # Clocks go back over midnight: 00:00 becomes 23:00, and the old date goes on.
        ("America/Havana", "2026-11-01T12:00:00", "2026-11-01", "11-01T04:00", "11-02T05:00"),
        # A whole date does not exist.
        ("Pacific/Apia", "2011-12-30T09:00:00", "2011-12-29", "12-29T10:00", "12-30T10:00"),
        ("Nowhere/Land", "2026-03-02T17:00:00", "2026-03-03", "03-02T17:00", "03-03T17:00"),
    ],
)
def test_a_day_is_the_tenants_local_date_from_its_first_valid_instant(
    zone: str, now: str, label: str, begins: str, ends: str
) -> None:
    day = find_day(zone, datetime.fromisoformat(now).replace(tzinfo=UTC))
    year = now[:4]

    def instant(text: str) -> int:
        return int(datetime.fromisoformat(f"{year}-{text}").replace(tzinfo=UTC).timestamp())

    assert (day.label.isoformat(), day.starts_at, day.ends_at) == (
        label,
        instant(begins),
        instant(ends),
    )


@given(
    st.sampled_from(["Asia/Jakarta", "Africa/Cairo", "America/Sao_Paulo", "America/Scoresbysund"]),
    st.integers(0, 2_000_000_000),
)
def test_days_follow_each_other_without_gap_or_overlap(zone: str, at: int) -> None:
    def find(epoch: int) -> Day:
        return find_day(zone, datetime.fromtimestamp(epoch, UTC))

    day = find(at)
    assert day.starts_at <= at < day.ends_at
    assert find(day.ends_at).starts_at == day.ends_at
    assert find(day.starts_at) == day
