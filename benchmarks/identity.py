"""What signing in and being let in costs, in process against real PostgreSQL and Redis.

(a) the authorizer, its rate limit and the handler of ``GET /v1/users/me``, warm, with an access
token and with an API key; the same without the limit is the floor; (b) the rate limit's one Redis
call beside a bare PING; (c) a log-in beside the bare argon2 verification; (d) the authorizer while
Redis is down and PostgreSQL judges and counts. Every floor is of the same run, taken turn by turn.
"""

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks.product import PASSWORD, Product, make_event, open_product
from contracts.ids import uuid7
from contracts.subscription_service import ApiLimits
from functions.api_gateway.models import Grant, Identity, Verdict

REQUESTS = 3_000
WARM_UP = 200
LOGINS = 60
FALLBACKS = 1_000
SETTLING = 20
ME = "/v1/users/me"
PLENTY = ApiLimits(requests_per_second=100_000, burst=100_000, requests_per_day=10_000_000)
Spread = dict[str, float]


def run() -> dict[str, Any]:
    """Measure everything; microseconds, but for log-ins (milliseconds)."""
    with open_product() as product, _writing_logs_nowhere():
        product.sign_up(PLENTY)
        token = product.log_in()
        result: dict[str, Any] = {
            "requests": REQUESTS,
            "read_me": measure_requests(product, token),
            "read_me_with_key": measure_requests(product, product.make_api_key(token)),
            "redis_check": measure_check(product),
            "login": measure_logins(product),
        }
        token = product.log_in()
        up = measure_authorizer(product, token)
        product.redis.stop()
        result["redis_down"] = {"authorizer": measure_authorizer(product, token), "with_redis": up}
    return result


@contextlib.contextmanager
def _writing_logs_nowhere() -> Iterator[None]:
    """Log lines are written as in a function, and not shown."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


class Unlimited:
    """Stands where the counting is: everybody is let in, nothing is asked."""

    def admit(self, who: Identity, *_: object) -> Verdict:
        return Verdict("admitted", who.tier)


def measure_requests(product: Product, credential: str) -> dict[str, Spread]:
    """Authorizer and handler of one request, and the same without the limit, turn by turn."""
    module = product.modules["api_gateway.authorizer"]
    counting, unlimited = module._admission, Unlimited()
    whole, gate, floor = [], [], []
    for index in range(WARM_UP + REQUESTS):
        began, authorized, ended = read_me(product, credential)
        module._admission = lambda: unlimited
        floor_began, _, floor_ended = read_me(product, credential)
        module._admission = counting
        if index >= WARM_UP:
            whole.append(ended - began)
            gate.append(authorized - began)
            floor.append(floor_ended - floor_began)
    return {"whole": spread(whole), "authorizer": spread(gate), "without_limit": spread(floor)}


def read_me(product: Product, credential: str) -> tuple[int, int, int]:
    """One request: when it began, was authorized, and was answered (ns)."""
    event = make_event("GET", ME, address="10.1.2.3", headers=bearer(credential))
    began = perf_counter_ns()
    context = product.handler("api_gateway.authorizer")(event, None)["context"]
    authorized = perf_counter_ns()
    event["requestContext"]["authorizer"] = context
    answer = product.handler("user_management.api")(event, None)
    ended = perf_counter_ns()
    if answer["statusCode"] != 200:
        raise RuntimeError(f"{ME} answered {answer['statusCode']}: {answer['body']}")
    return began, authorized, ended


def measure_authorizer(product: Product, credential: str) -> Spread:
    """The authorizer alone; the first requests find out that a store is gone."""
    authorizer, took = product.handler("api_gateway.authorizer"), []
    for index in range(SETTLING + FALLBACKS):
        event = make_event("GET", ME, address="10.1.2.3", headers=bearer(credential))
        began = perf_counter_ns()
        verdict = authorizer(event, None)["context"]["verdict"]
        ended = perf_counter_ns()
        if verdict != "admitted":
            raise RuntimeError(f"the authorizer said {verdict}")
        if index >= SETTLING:
            took.append(ended - began)
    return spread(took)


def measure_logins(product: Product) -> dict[str, Any]:
    """Whole log-ins, and argon2's verification of the same password, turn by turn."""
    from functions.user_service.logic import passwords

    stored = passwords.hash_password(PASSWORD)
    logins, bare = [], []
    for index in range(5 + LOGINS):
        began = perf_counter_ns()
        product.log_in()
        between = perf_counter_ns()
        right = passwords.verify_password(stored, PASSWORD)
        ended = perf_counter_ns()
        if not right:
            raise RuntimeError("argon2 does not know its own hash")
        if index >= 5:
            logins.append(between - began)
            bare.append(ended - between)
    return {
        "argon2": {"m_kib": passwords.MEMORY_KIB, "t": passwords.PASSES, "p": passwords.LANES},
        "p50_ms": round(statistics.median(logins) / 1e6, 2),
        "argon2_p50_ms": round(statistics.median(bare) / 1e6, 2),
    }


def measure_check(product: Product) -> dict[str, Spread]:
    """The one script call that judges and counts a request, and a PING, turn by turn."""
    gate, ping = product.modules["api_gateway.authorizer"]._gate(), open_redis(product).ping
    records = product.modules["api_gateway.authorizer"]._records()
    who = Identity(
        user_id=product.user_id,
        tenant_id=product.tenant_id,
        role="owner",
        tier="enterprise",
        scope="read",
        credential="session",
        subject_id=uuid7(),
        issued_ms=time.time_ns() // 1_000_000,
    )
    grant: Grant | None = None
    checks: list[int] = []
    pings: list[int] = []
    while len(checks) < WARM_UP + REQUESTS:
        began = perf_counter_ns()
        ping()
        between = perf_counter_ns()
        answer = gate.admit(who, str(uuid7()), grant)
        ended = perf_counter_ns()
        grant = None
        if answer.code == "need_lease":  # once in five hundred requests; then PostgreSQL is asked
            grant = records.lease(who.tenant_id, who.tier, answer.day, answer.lease_no)
        elif answer.code != "admitted":
            raise RuntimeError(f"the gate said {answer.code}")
        else:
            pings.append(between - began)
            checks.append(ended - between)
    return {"check": spread(checks[WARM_UP:]), "ping": spread(pings[WARM_UP:])}


def open_redis(product: Product) -> Any:
    """The same client as the gate's."""
    from functions.api_gateway.store.gate import open_gate_redis

    return open_gate_redis(product.redis.url)


def bearer(credential: str) -> dict[str, str]:
    """The header that opens the door."""
    return {"authorization": f"Bearer {credential}"}


def spread(took_ns: list[int]) -> Spread:
    """Median and 99th percentile, in microseconds."""
    cuts = statistics.quantiles(took_ns, n=100)
    return {"p50_us": round(cuts[49] / 1e3, 1), "p99_us": round(cuts[98] / 1e3, 1)}


def describe(result: dict[str, Any]) -> str:
    """The figures in a few lines, each beside its floor."""
    login, check = result["login"], result["redis_check"]
    cost, down = login["argon2"], result["redis_down"]
    lines = []
    for name, label in (("read_me", "an access token"), ("read_me_with_key", "an API key")):
        whole, floor = result[name]["whole"], result[name]["without_limit"]
        lines.append(
            f"GET {ME} with {label}, authorizer and limit included: {_show(whole)} (asked 50, aim"
            f" p99 8); without the limit: {_show(floor)}"
        )
    lines += [
        f"rate limit and quota in Redis: {_show(check['check'])} (aim p99 0.5); a bare PING:"
        f" {_show(check['ping'])}",
        f"log-in: p50 {login['p50_ms']:.1f} ms; its argon2id (m={cost['m_kib']} KiB, t={cost['t']},"
        f" p={cost['p']}) alone: p50 {login['argon2_p50_ms']:.1f} ms",
        f"authorizer with Redis down (PostgreSQL counts): {_show(down['authorizer'])}; with Redis:"
        f" {_show(down['with_redis'])}",
    ]
    return "\n".join(lines)


def _show(took: Spread) -> str:
    return f"p50 {took['p50_us'] / 1e3:.2f}, p99 {took['p99_us'] / 1e3:.2f} ms"
