"""A stranger's journey through the deployed stack, from sign-up to erasure, and what it shows.

The doors, API Gateway, the bus, the queues, the schedules and the stores are all real; delays are
those of the local stack.
"""

import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from iac.local.room_env import make_room_env
from iac.local.stack import ROOT, Stack
from tests.support.deployed import DeployedStack
from tests.support.people import Answer, Person, eventually, sign_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

REVOCATION_S = 5.0
"""How soon ended access must be refused."""
ERASURE_S = 120.0
"""The clock asks each minute; MiniStack's may be ten seconds late."""


@pytest.fixture(scope="module")
def world(stack: Stack) -> DeployedStack:
    return DeployedStack(stack)


@pytest.fixture(scope="module")
def owner(world: DeployedStack) -> Iterator[Person]:
    person = sign_up(world, "pro")
    person.take_authenticator()
    yield person


@pytest.fixture(scope="module")
def admin(stack: Stack, world: DeployedStack) -> Person:
    known = stack.describe()["admin"]
    person = Person(world, known["email"], known["password"])
    person.log_in()
    return person


def measure_refusal(ask: Callable[[], Answer], refused: Callable[[Answer], bool]) -> float:
    """Seconds until a request is refused."""
    began = time.monotonic()
    while time.monotonic() - began < REVOCATION_S * 4:
        answer = ask()
        if refused(answer):
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError("the access was never refused")


def say(what: str, seconds: float) -> None:
    sys.stdout.write(f"{what}: refused after {seconds * 1_000:.0f} ms\n")


def make_key(owner: Person, *scopes: str) -> dict[str, Any]:
    body = {"name": "robot", "scopes": list(scopes)}
    return dict(owner.expect(201, "POST", "/v1/auth/api-keys", body))


def call_by_key(world: DeployedStack, key: str, method: str, path: str, body: Any = None) -> Answer:
    return world.call(method, path, body, headers={"x-api-key": key})


def test_an_invited_colleague_works_with_the_rights_of_the_role(owner: Person) -> None:
    trader = owner.invite("trader")
    assert trader.expect(200, "GET", "/v1/users/me")["role"] == "trader"
    assert trader.call("POST", "/v1/subscription", {"plan": "free"}).code == "role_needed"
    owner.expect(200, "PATCH", f"/v1/tenants/members/{trader.user_id}", {"role": "viewer"})
    denied = measure_refusal(
        lambda: trader.call("POST", "/v1/accounts", {"mode": "paper"}), lambda a: a.status == 401
    )
    say("token of the role before", denied)
    assert denied < REVOCATION_S
    trader.log_in()
    assert trader.call("POST", "/v1/accounts", {"mode": "paper"}).code == "role_needed"


def test_an_api_key_opens_what_its_scopes_name_until_it_is_revoked(
    world: DeployedStack, owner: Person
) -> None:
    made = make_key(owner, "read", "trade")
    key = made["key"]
    linked = eventually(
        lambda: _only(call_by_key(world, key, "POST", "/v1/accounts", {"mode": "paper"}), 201),
        "an account linked by key",
    )
    listed = call_by_key(world, key, "GET", "/v1/accounts").body["items"]
    assert linked["account_id"] in {each["account_id"] for each in listed}
    assert call_by_key(world, key, "GET", "/v1/auth/api-keys").code == "session_needed"
    reader = make_key(owner, "read")["key"]
    path = f"/v1/accounts/{linked['account_id']}"
    assert call_by_key(world, reader, "DELETE", path).code == "scope_needed"
    forged = reader[:-1] + ("x" if reader[-1] != "x" else "y")
    assert call_by_key(world, forged, "GET", "/v1/accounts").status == 401
    owner.expect(204, "DELETE", f"/v1/auth/api-keys/{made['key_id']}")
    took = measure_refusal(
        lambda: call_by_key(world, key, "GET", "/v1/accounts"), lambda a: a.status == 401
    )
    say("revoked API key", took)
    assert took < REVOCATION_S


def _only(answer: Answer, status: int) -> Any:
    return answer.body if answer.status == status else None


def test_an_ended_session_opens_nothing_any_more(world: DeployedStack, owner: Person) -> None:
    thief = Person(world, owner.email, owner.password, authenticator=owner.authenticator)
    thief.shown = owner.shown
    thief.log_in()
    sessions = owner.expect(200, "GET", "/v1/auth/sessions")["items"]
    assert [each["current"] for each in sessions].count(True) == 1
    mine = {each["session_id"] for each in sessions if each["current"]}
    owner.expect(200, "DELETE", "/v1/auth/sessions")
    took = measure_refusal(lambda: thief.call("GET", "/v1/users/me"), lambda a: a.status == 401)
    say("ended session", took)
    assert took < REVOCATION_S
    left = owner.expect(200, "GET", "/v1/auth/sessions")["items"]
    assert {each["session_id"] for each in left} == mine


def test_a_suspended_tenant_is_refused_and_a_reinstated_one_is_not(
    world: DeployedStack, admin: Person
) -> None:
    tenant = sign_up(world, "pro")
    path = f"/v1/tenants/{tenant.tenant_id}/suspension"
    admin.expect(200, "POST", path, {"reason": "a chargeback"})
    took = measure_refusal(
        lambda: tenant.call("GET", "/v1/users/me"),
        lambda a: a.status in (401, 403),
    )
    say("suspended tenant", took)
    assert took < REVOCATION_S
    admin.expect(200, "DELETE", path)

    def signed_in() -> Answer | None:
        body = {"email": tenant.email, "password": tenant.password}
        answer = world.call("POST", "/v1/auth/login", body)
        if answer.status != 200:
            return None
        tenant.token = answer.body["access_token"]
        again = tenant.call("GET", "/v1/users/me")
        return again if again.status == 200 else None

    assert eventually(signed_in, "the reinstated tenant's sign-in").status == 200


def test_a_plan_change_counts_at_once_with_the_token_of_before(world: DeployedStack) -> None:
    tenant = sign_up(world)
    answer = tenant.call("GET", "/v1/users/me")
    assert '"burst";q=5;' in answer.headers["ratelimit-policy"]
    limited = [tenant.call("GET", "/v1/users/me") for _ in range(12)]
    refused = [each for each in limited if each.status == 429]
    assert refused
    assert {each.code for each in refused} == {"rate_limited"}
    assert all(int(each.headers["retry-after"]) >= 1 for each in refused)
    time.sleep(2)
    tenant.expect(200, "POST", "/v1/subscription", {"plan": "enterprise"})

    def raised() -> bool | None:
        policy = tenant.call("GET", "/v1/users/me").headers["ratelimit-policy"]
        return True if '"burst";q=500;' in policy else None

    assert eventually(raised, "the dearer plan's limits")
    assert {tenant.call("GET", "/v1/users/me").status for _ in range(30)} == {200}


def test_the_tenant_sees_its_own_requests_and_deeds(stack: Stack, owner: Person) -> None:
    def counted() -> dict[str, Any] | None:
        usage = owner.expect(200, "GET", "/v1/usage/requests?group=route")
        routes = {each["key"] for each in usage["groups"]}
        return usage if any("/v1/auth/api-keys" in route for route in routes) else None

    usage = eventually(counted, "the request log")
    assert usage["total"]["requests"] > 10

    def deeds() -> set[str] | None:
        items = owner.expect(200, "GET", "/v1/audit-log?limit=100")["items"]
        found = {each["action"] for each in items}
        return found if {"api_key.created", "account.linked"} <= found else None

    assert eventually(deeds, "the audit log")
    verified = subprocess.run(
        [sys.executable, "-m", "functions.api_gateway.audit", "verify"],
        env=make_room_env("api_gateway", stack.aws_endpoint),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "0 broken" in verified.stdout


def test_correlation_ids_run_into_the_events(stack: Stack, owner: Person) -> None:
    wanted = str(uuid4())
    body = {"mode": "paper"}
    answer = owner.call("POST", "/v1/accounts", body, x_correlation_id=wanted)
    assert (answer.status, answer.headers["x-correlation-id"]) == (201, wanted)
    secret = stack.clickhouse.secret
    query = f"SELECT detail_type FROM events WHERE correlation_id = '{wanted}' FORMAT JSONEachRow"

    def arrived() -> set[str] | None:
        found = httpx.post(
            f"http://{secret['host']}:{secret['port']}/",
            params={"database": secret["database"], "query": query},
            auth=(secret["username"], secret["password"]),
            timeout=10,
            trust_env=False,
        )
        kinds = {json.loads(line)["detail_type"] for line in found.text.splitlines()}
        return kinds if "AccountLinked" in kinds else None

    assert "AccountLinked" in eventually(arrived, "the event of the request")


@pytest.mark.slow
def test_a_tenant_takes_its_data_along_and_is_erased(
    stack: Stack, world: DeployedStack, admin: Person
) -> None:
    leaver, stranger = sign_up(world, "pro"), sign_up(world)
    asked = leaver.expect(202, "POST", "/v1/data/exports")
    path = f"/v1/data/exports/{asked['export_id']}"
    ready = eventually(lambda: _ready(leaver, path), "the export")
    archive = httpx.get(ready["url"], timeout=30, trust_env=False)
    assert archive.status_code == 200
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        text = "".join(opened.read(name).decode() for name in opened.namelist())
    assert leaver.email in text
    assert stranger.email not in text
    assert "$argon2" not in text
    assert stranger.call("GET", path).status == 404

    assert leaver.call("DELETE", "/v1/tenants/me").code == "step_up_needed"
    leaver.take_authenticator()
    leaver.expect(202, "DELETE", "/v1/tenants/me")
    began = time.monotonic()
    while True:
        state = admin.expect(200, "GET", f"/v1/tenants/{leaver.tenant_id}")["status"]
        if state == "erased":
            break
        assert time.monotonic() - began < ERASURE_S, f"the tenant is {state} still"
        time.sleep(2)
    body = {"email": leaver.email, "password": leaver.password}
    assert world.call("POST", "/v1/auth/login", body).status == 401
    assert find_in_postgres(stack, leaver.email) == []
    assert find_in_postgres(stack, stranger.email) != []


def _ready(person: Person, path: str) -> dict[str, Any] | None:
    answer = person.expect(200, "GET", path)
    assert answer["status"] != "failed", answer
    return dict(answer) if answer.get("url") else None


def find_in_postgres(stack: Stack, text: str) -> list[str]:
    """The tables of any room that hold a text in any column."""
    found = []
    with psycopg.connect(stack.postgres.dsn) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("SELECT count(*) FROM {} AS t WHERE t::text ILIKE %s").format(
                sql.Identifier(schema, table)
            )
            row = connection.execute(query, [f"%{text}%"]).fetchone()
            if row and row[0]:
                found.append(f"{schema}.{table}")
    return found
