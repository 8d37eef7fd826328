"""Redis as the gate sees it: one script call a request, and what fills it from PostgreSQL.

It decides nothing that PostgreSQL could not decide again: see ``gate_scripts``.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from contracts.access_keys import (
    revoked_api_key_key,
    revoked_session_key,
    revoked_user_key,
    tenant_closed_key,
)
from functions.api_gateway.errors import GateUnavailable
from functions.api_gateway.models import (
    GateAnswer,
    Grant,
    Identity,
    Limits,
    Mark,
    Snapshot,
    Standing,
)
from functions.api_gateway.store.gate_scripts import ADMIT, FILL

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_S = 0.05
FRESH_MS = 30_000
"""How long a tenant's numbers are taken from Redis before PostgreSQL is looked at again."""
KEY_LIFE_S = 60

_MARKERS = {
    "session": revoked_session_key,
    "user": revoked_user_key,
    "api_key": revoked_api_key_key,
}
Answer = TypeVar("Answer")


@lru_cache(maxsize=4)
def open_gate_redis(url: str) -> "Redis[str]":
    """The process's connection: 50 ms; a dead idle connection is replaced once, a slow one not."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as Disconnected
    from redis.retry import Retry

    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
        decode_responses=True,
    )


class Gate:
    """Counts requests, ends access, and remembers API keys for a minute."""

    def __init__(self, redis: "Callable[[], Redis[str]]") -> None:
        self._redis = redis
        self._admit: Any = None
        self._fill: Any = None

    def admit(self, who: Identity, request_id: str, grant: Grant | None = None) -> GateAnswer:
        """Judge and count one request, in one call. Raises GateUnavailable."""
        tenant = f"{{{who.tenant_id}}}"
        keys = [
            f"{tenant}:gate",
            tenant_closed_key(who.tenant_id),
            revoked_user_key(who.tenant_id, who.user_id),
            _MARKERS[who.credential](who.tenant_id, who.subject_id),
            f"{tenant}:request:{request_id}",
            f"{tenant}:rate:{who.subject_id}",
        ]
        arguments: list[Any] = [who.issued_ms, who.key_rate or 0, ""]
        if grant is not None:
            keys.append(f"{tenant}:lease:{grant.grant_id}")
            arguments = [
                *arguments[:2], str(grant.grant_id), grant.day.isoformat(), grant.units,
                grant.row.leased, grant.row.lease_no,
            ]  # fmt: skip
        return _read_answer(self._call(lambda: self._scripts()[0](keys=keys, args=arguments)))

    def fill(self, tenant_id: UUID, snapshot: Snapshot) -> None:
        """Write all that PostgreSQL knows; older versions lose. Raises GateUnavailable."""
        day, row = snapshot.day, snapshot.row
        tail = ["1", FRESH_MS, day.label.isoformat(), day.ends_at, row.leased, row.lease_no]
        self._write(tenant_id, snapshot.standing, tail, snapshot.marks)

    def tell(self, tenant_id: UUID, standing: Standing, marks: Sequence[Mark] = ()) -> None:
        """Write a change at once; the next request fills in the rest. Raises GateUnavailable."""
        self._write(tenant_id, standing, ["0", 0, "", 0, 0, 0], marks)

    def _write(
        self, tenant_id: UUID, standing: Standing, tail: Sequence[Any], marks: Sequence[Mark]
    ) -> None:
        limits = standing.limits
        quota = limits.requests_per_day
        arguments = [
            standing.entitlements_version, standing.tier, limits.requests_per_second,
            limits.burst, "" if quota is None else quota, standing.state_version, standing.state,
            *tail, *(mark.before_ms for mark in marks),
        ]  # fmt: skip
        keys = [
            f"{{{tenant_id}}}:gate",
            tenant_closed_key(tenant_id),
            *(_MARKERS[mark.kind](tenant_id, mark.subject_id) for mark in marks),
        ]
        self._call(lambda: self._scripts()[1](keys=keys, args=arguments))

    def read_key(self, digest: str) -> str | None:
        """What was kept of an API key. Raises GateUnavailable."""
        return self._call(lambda: self._redis().get(f"api-key:{digest}"))

    def keep_key(self, digest: str, text: str, life_s: int) -> None:
        """Keep what is known of an API key, a minute at most. Raises GateUnavailable."""
        life_s = min(KEY_LIFE_S, life_s)
        self._call(lambda: self._redis().set(f"api-key:{digest}", text, ex=life_s))

    def forget_key(self, digest: str) -> None:
        """Ask anew next time. Raises GateUnavailable."""
        self._call(lambda: self._redis().delete(f"api-key:{digest}"))

    def _scripts(self) -> tuple[Any, Any]:
        if self._admit is None:
            self._admit = self._redis().register_script(ADMIT)
            self._fill = self._redis().register_script(FILL)
        return self._admit, self._fill

    @staticmethod
    def _call(run: Callable[[], Answer]) -> Answer:
        from redis.exceptions import RedisError

        try:
            return run()
        except (RedisError, OSError) as error:
            raise GateUnavailable(f"Redis did not answer: {type(error).__name__}") from error


def _read_answer(text: str) -> GateAnswer:
    code, *rest = text.split("|")
    if not rest:
        return GateAnswer(code=code)  # type: ignore[arg-type]
    if code == "rebuild":
        return GateAnswer(code="rebuild", now_s=int(rest[0]))
    refresh, tier, rate, burst, quota, burst_left, day_left, ends_in_s, retry_us, number, day = rest
    return GateAnswer(
        code=code,  # type: ignore[arg-type]
        refresh=refresh == "1",
        tier=tier,  # type: ignore[arg-type]
        limits=Limits(int(rate), int(burst), int(quota) if quota else None),
        burst_left=int(burst_left),
        day_left=int(day_left),
        day_ends_in_s=int(ends_in_s),
        retry_us=int(retry_us),
        lease_no=int(number),
        day=date.fromisoformat(day),
    )
