"""Another tenant's things are not there, and naming a tenant in a request changes nothing.

Both tenants are real, and so are the things: an account, a key, an invoice, a signal and the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.ids import uuid7
from functions.database_service.migrate import ROOMS
from kit.cache import open_redis
from tests.conftest import Stores
from tests.support.house import House, open_house
from tests.support.people import Person, sign_up
from tests.support.policy import Rule, read_policy
from tests.support.things import KNOWN_QUERIES, make_things

MEMBERS_RULES = [rule for rule in read_policy() if rule.roles]
READING = [rule for rule in MEMBERS_RULES if rule.method == "GET" and "{" not in rule.path]
WRITING = [
    rule
    for rule in MEMBERS_RULES
    if rule.method in ("POST", "PUT", "PATCH") and rule.path != "/v1/auth/logout"
]
NAMED = [rule for rule in MEMBERS_RULES if "{" in rule.path]
NEEDED = {
    path: "&".join(f"{name}={value}" for name, value in query.items())
    for path, query in KNOWN_QUERIES.items()
}
BODIES: dict[str, dict[str, Any]] = {
    "PATCH /v1/tenants/members/{user_id}": {"role": "viewer"},
    "POST /v1/invoices/{invoice_id}/payments": {"method": "bca_va"},
}


def name_rule(rule: Rule) -> str:
    return rule.name


@dataclass
class Pair:
    """Two tenants' owners; the things of the second one by the name of the path's variable."""

    house: House
    own: Person
    other: Person
    things: dict[str, str]

    def forget_counts(self) -> None:
        for person in (self.own, self.other):
            open_redis().delete(f"{{{person.tenant_id}}}:gate")


@pytest.fixture(scope="module")
def pair(
    stores: Stores,
    redis_url: str,
    clickhouse: dict[str, Any],
    sandbox_endpoints: dict[str, str],
) -> Iterator[Pair]:
    databases = {room: stores.secret(room) for room in ROOMS}
    with open_house(databases, redis_url, clickhouse, sandbox_endpoints) as house:
        own, other = sign_up(house, "enterprise"), sign_up(house, "enterprise")
        own.take_authenticator()
        other.take_authenticator()
        yield Pair(house, own, other, make_things(house, other))


def look_around(person: Person) -> dict[str, Any]:
    """Everything a tenant sees of itself, but for what changes by looking and the market's data."""
    changing = {"/v1/usage/requests", "/v1/audit-log", "/v1/auth/sessions", "/v1/market/symbols"}
    return {
        rule.path: person.expect(200, "GET", rule.path)
        for rule in READING
        if rule.path not in changing and rule.path not in NEEDED
    }


@pytest.mark.parametrize("rule", NAMED, ids=name_rule)
def test_another_tenants_thing_is_not_found(pair: Pair, rule: Rule) -> None:
    pair.forget_counts()
    path = rule.path.format(**pair.things)
    body = BODIES.get(rule.name, None if rule.method in ("GET", "DELETE") else {})
    answer = pair.own.call(rule.method, path, body)
    pair.house.settle()
    assert answer.status == 404, answer
    assert pair.other.tenant_id not in answer.text
    assert pair.other.email not in answer.text


def test_its_own_tenant_finds_each_of_them_still(pair: Pair) -> None:
    """So that they are hidden, and not gone."""
    pair.forget_counts()
    for rule in NAMED:
        if rule.method == "GET":
            answer = pair.other.call("GET", rule.path.format(**pair.things))
            assert answer.status == 200, (rule.name, answer)
    lists = {
        "/v1/accounts": "account_id",
        "/v1/tenants/members": "user_id",
        "/v1/tenants/invitations": "invitation_id",
        "/v1/auth/api-keys": "key_id",
        "/v1/auth/sessions": "session_id",
    }
    for path, name in lists.items():
        items = pair.other.expect(200, "GET", path)["items"]
        assert pair.things[name] in {item[name] for item in items}, path


@pytest.mark.parametrize("rule", READING, ids=name_rule)
def test_naming_another_tenant_shows_nothing_of_it(pair: Pair, rule: Rule) -> None:
    pair.forget_counts()
    other = pair.other.tenant_id
    query = "&".join([*([NEEDED[rule.path]] if rule.path in NEEDED else []),
                      f"tenant_id={other}", f"tid={other}"])  # fmt: skip
    answer = pair.own.call(
        "GET", f"{rule.path}?{query}", x_tenant_id=other, tenant_id=other, x_sinyal_tenant=other
    )
    assert answer.status in (200, 404, 422), answer
    for secret in (other, pair.other.email, *pair.things.values()):
        assert secret not in answer.text


@pytest.mark.parametrize("rule", WRITING, ids=name_rule)
def test_naming_another_tenant_in_a_body_changes_nothing_of_it(pair: Pair, rule: Rule) -> None:
    pair.forget_counts()
    before = look_around(pair.other)
    path = rule.path.format(**{name: str(uuid7()) for name in pair.things})
    body = BODIES.get(rule.name, {}) | {"tenant_id": pair.other.tenant_id, "mode": "paper"}
    pair.forget_counts()
    answer = pair.own.call(rule.method, path, body)
    pair.house.settle()
    assert answer.status < 500, answer
    assert answer.status != 401, answer
    assert pair.other.tenant_id not in answer.text
    assert look_around(pair.other) == before


def test_ownership_cannot_be_given_to_another_tenants_member(pair: Pair) -> None:
    pair.forget_counts()
    body = {"user_id": pair.things["user_id"]}
    answer = pair.own.call("POST", "/v1/tenants/ownership", body)
    assert answer.status == 404, answer
