"""Whether a request of a known bearer may be served now: ended access, rate, and the day's quota.

Redis counts while it answers. When it does not, PostgreSQL says whose access ended; the free tier
waits, paid tiers are counted in this process and spend their quota unit by unit in PostgreSQL.
Whatever cannot be counted is not let in.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from contracts.subscription_service import Tier
from functions.api_gateway.errors import (
    AccessEnded,
    GateUnavailable,
    RecordsUnavailable,
    ReissueNeeded,
)
from functions.api_gateway.logic.breaker import Breaker
from functions.api_gateway.logic.local import LocalLimiter, refuse
from functions.api_gateway.logic.quota import find_day
from functions.api_gateway.models import (
    GateAnswer,
    Grant,
    Identity,
    Mark,
    Snapshot,
    Standing,
    Verdict,
)
from kit.observability import warn

STEPS_MAX = 24
"""Looks at Redis for one request: fills, leases and waits for another's lease are all counted."""
LEASE_WAIT_S = 0.002
LEASE_WAITS_MAX = 10
SYNCED_MAX = 10_000
Answer = TypeVar("Answer")
SUSPENDED = "this tenant is suspended; write to support"


class Gate(Protocol):
    """What admission needs of Redis."""

    def admit(self, who: Identity, request_id: str, grant: Grant | None = None) -> GateAnswer:
        """Judge and count. Raises GateUnavailable."""

    def fill(self, tenant_id: UUID, snapshot: Snapshot) -> None:
        """Write what PostgreSQL knows. Raises GateUnavailable."""


class Records(Protocol):
    """What admission needs of PostgreSQL."""

    def read_snapshot(self, tenant_id: UUID, tier: Tier, now: datetime) -> Snapshot:
        """All that Redis must hold. Raises RecordsUnavailable."""

    def read_standing(self, who: Identity, now: datetime) -> tuple[Standing, Sequence[Mark]]:
        """What one request is judged by. Raises RecordsUnavailable."""

    def lease(self, tenant_id: UUID, tier: Tier, day: date, seen_no: int | None) -> Grant | None:
        """Hand out a block. Raises RecordsUnavailable."""

    def charge(self, tenant_id: UUID, quota: int, day: date) -> int | None:
        """Take one unit past Redis. Raises RecordsUnavailable."""


class Admission:
    """Judges requests; one a process, for it remembers which stores do not answer."""

    def __init__(
        self,
        gate: Gate,
        records: Records,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gate, self._records = gate, records
        self._monotonic, self._sleep = monotonic, sleep
        self.gate_breaker = Breaker(failures_max=3, pause_s=1.0)
        self.records_breaker = Breaker(failures_max=1, pause_s=1.0)
        self._local = LocalLimiter()
        self._synced: OrderedDict[UUID, int] = OrderedDict()

    def admit(self, who: Identity, request_id: str, now: datetime) -> Verdict:
        """Judge and count one request. Raises AccessEnded, ReissueNeeded."""
        if self.gate_breaker.allows(self._monotonic()):
            try:
                verdict = self._ask_gate(who, request_id, now)
            except GateUnavailable as error:
                self.gate_breaker.fail(self._monotonic())
                warn("the gate does not answer", error=error.detail)
            except RecordsUnavailable:
                self.gate_breaker.succeed()
                return _unavailable(who.tier)
            except (AccessEnded, ReissueNeeded):
                self.gate_breaker.succeed()
                raise
            else:
                self.gate_breaker.succeed()
                return verdict
        return self._do_without_gate(who, request_id, now)

    def _ask_gate(self, who: Identity, request_id: str, now: datetime) -> Verdict:
        if self._synced.get(who.tenant_id, 0) != self.gate_breaker.outages:
            self._fill(who, now)
        grant: Grant | None = None
        waits = 0
        for _ in range(STEPS_MAX):
            answer = self._gate.admit(who, request_id, grant)
            if answer.code == "rebuild":
                self._fill(who, datetime.fromtimestamp(answer.now_s, UTC))
            elif answer.code == "need_lease":
                if grant is not None and grant.units == 0:
                    self._fill(who, now)
                seen_no = answer.lease_no if waits < LEASE_WAITS_MAX else None
                grant = self._lease(who, answer.day, seen_no)
                if grant is None:
                    waits += 1
                    if waits == LEASE_WAITS_MAX // 2:
                        self._refresh(who, now)
                    self._sleep(LEASE_WAIT_S)
            else:
                verdict = _read_verdict(who, answer)
                if answer.refresh:
                    self._refresh(who, now)
                return verdict
        warn("the gate did not settle", tenant_id=str(who.tenant_id))
        return _unavailable(who.tier)

    def _fill(self, who: Identity, now: datetime) -> None:
        """Give Redis all that PostgreSQL knows. Raises RecordsUnavailable, GateUnavailable."""
        outages = self.gate_breaker.outages
        snapshot = self._ask_records(
            lambda: self._records.read_snapshot(who.tenant_id, who.tier, now)
        )
        self._gate.fill(who.tenant_id, snapshot)
        self._synced[who.tenant_id] = outages
        self._synced.move_to_end(who.tenant_id)
        if len(self._synced) > SYNCED_MAX:
            self._synced.popitem(last=False)

    def _refresh(self, who: Identity, now: datetime) -> None:
        """Fill anew what is there; a PostgreSQL that does not answer can wait."""
        try:
            self._fill(who, now)
        except RecordsUnavailable:
            warn("limits are not refreshed", tenant_id=str(who.tenant_id))

    def _lease(self, who: Identity, day: date, seen_no: int | None) -> Grant | None:
        return self._ask_records(lambda: self._records.lease(who.tenant_id, who.tier, day, seen_no))

    def _ask_records(self, ask: Callable[[], Answer]) -> Answer:
        if not self.records_breaker.allows(self._monotonic()):
            raise RecordsUnavailable("PostgreSQL did not answer just now")
        try:
            answer = ask()
        except RecordsUnavailable as error:
            self.records_breaker.fail(self._monotonic())
            warn("the records do not answer", error=error.detail)
            raise
        self.records_breaker.succeed()
        return answer

    def _do_without_gate(self, who: Identity, request_id: str, now: datetime) -> Verdict:
        """Judge by PostgreSQL; the free tier waits for Redis."""
        try:
            standing, marks = self._ask_records(lambda: self._records.read_standing(who, now))
            check_marks(who, marks)
            if standing.state != "open":
                return _read_state(who, standing.state)
            if standing.tier == "free":
                return _unavailable(standing.tier)
            day = find_day(standing.time_zone, now)
            return self._local.admit(
                who,
                standing,
                request_id,
                now,
                lambda quota: self._ask_records(
                    lambda: self._records.charge(who.tenant_id, quota, day.label)
                ),
            )
        except RecordsUnavailable:
            return _unavailable(who.tier)


def check_marks(who: Identity, marks: Sequence[Mark]) -> None:
    """Refuse a credential that a mark ends. Raises AccessEnded, ReissueNeeded."""
    for mark in marks:
        if (mark.kind, mark.subject_id) == (who.credential, who.subject_id):
            raise AccessEnded(f"the {mark.kind} was ended")
    for mark in marks:
        if mark.kind == "user" and mark.before_ms > who.issued_ms:
            _refuse_old(who)


def _refuse_old(who: Identity) -> None:
    if who.credential == "api_key":
        raise ReissueNeeded
    raise AccessEnded("the user's earlier tokens were ended")


def _read_verdict(who: Identity, answer: GateAnswer) -> Verdict:
    """Raises AccessEnded, ReissueNeeded."""
    if answer.code == "ended":
        raise AccessEnded(f"the {who.credential} was ended")
    if answer.code == "reissue":
        _refuse_old(who)
    if answer.code in ("suspended", "closed"):
        return _read_state(who, answer.code)
    retry_s = -(-answer.retry_us // 1_000_000)
    counted: dict[str, Any] = {
        "limits": answer.limits,
        "burst_left": answer.burst_left,
        "day_left": answer.day_left,
        "day_ends_in_s": answer.day_ends_in_s,
    }
    if answer.code == "admitted":
        return Verdict("admitted", answer.tier, **counted)
    if answer.code == "rate_limited":
        return refuse("rate_limited", answer.tier, retry_s, **counted)
    assert answer.code == "quota_exhausted", "the steps before answered all others"
    return refuse("quota_exhausted", answer.tier, retry_s, **counted)


def _read_state(who: Identity, state: str) -> Verdict:
    """Raises AccessEnded."""
    if state == "suspended":
        return Verdict("forbidden", who.tier, "tenant_suspended", SUSPENDED)
    raise AccessEnded(f"the tenant is {state}")


def _unavailable(tier: Tier) -> Verdict:
    detail = "requests cannot be counted just now; try again in a moment"
    return Verdict("limiter_unavailable", tier, "limiter_unavailable", detail, retry_after_s=1)
