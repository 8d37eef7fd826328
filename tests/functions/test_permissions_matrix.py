"""Every route by every caller: the authorizer and the rooms allow what the policy allows, no more.

The policy is stated by hand in ``tests.support.policy``; tokens and keys are real ones that the
product's own doors gave out, and everything runs on real stores.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.api_keys import write_api_key
from contracts.ids import uuid7
from functions.database_service.migrate import ROOMS
from kit.cache import open_redis
from tests.conftest import Stores
from tests.support.builders import api_event, principal, read_answer
from tests.support.forgery import forge_tokens
from tests.support.house import JWT_SEED, House, make_event, open_house
from tests.support.people import Person, sign_up
from tests.support.policy import ROLES, Rule, read_policy
from tests.support.things import make_staff

RULES = read_policy()
GUARDED = [rule for rule in RULES if not rule.is_open]
KEY_LIFE_S = 1.5
ASKS_THE_STORE = {"DELETE /v1/tenants/invitations/{invitation_id}"}
"""Where the room looks the caller's role up: callers must be there."""
REFUSALS = {
    "role_needed", "scope_needed", "tier_needed", "step_up_needed", "session_needed", "forbidden",
}  # fmt: skip


def name_rule(rule: Rule) -> str:
    return rule.name


@dataclass(frozen=True)
class Caller:
    """A credential, and what the policy has to know of who holds it."""

    name: str
    headers: dict[str, str] = field(repr=False)
    role: str = "owner"
    tier: str = "enterprise"
    scopes: str | None = None
    key: bool = False
    fresh: bool = False
    staff: str | None = None
    tenant_id: str = ""

    def may(self, rule: Rule) -> bool:
        return rule.admits(
            self.role,
            tier=self.tier,
            scopes=self.scopes,
            key=self.key,
            fresh=self.fresh,
            staff=self.staff,
        )


@dataclass
class Cast:
    """Everybody who takes part."""

    house: House
    owner: Person
    stranger: Person
    members: dict[str, Person]
    callers: list[Caller]

    def forget_counts(self) -> None:
        """What is tested here is who may, not how often."""
        for tenant_id in {caller.tenant_id for caller in self.callers}:
            open_redis().delete(f"{{{tenant_id}}}:gate")


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


def fill(path: str) -> str:
    """The path with ids of nothing."""
    return "/".join(str(uuid7()) if part.startswith("{") else part for part in path.split("/"))


def ask(house: House, rule: Rule, headers: dict[str, str]) -> dict[str, Any] | None:
    """What the authorizer says; None is a 401."""
    return house.authorize(make_event(rule.method, fill(rule.path), headers, None))


def make_keys(person: Person, role: str, tenant_id: str) -> list[Caller]:
    """API keys of one member: one a scope, and one with all."""
    callers = []
    scopes_of_role = ("read", "trade", "billing") if role == "owner" else ("read", "trade")
    for scopes in (*((scope,) for scope in scopes_of_role), scopes_of_role):
        body = {"name": " ".join(scopes), "scopes": list(scopes)}
        made = person.expect(201, "POST", "/v1/auth/api-keys", body)
        name = f"{role}'s key to {' '.join(scopes)}"
        headers = {"x-api-key": made["key"]}
        callers.append(
            Caller(name, headers, role, scopes=" ".join(scopes), key=True, tenant_id=tenant_id)
        )
    return callers


def employ(house: House, staff: str) -> Caller:
    """Somebody of the platform's own."""
    person = make_staff(house, support=staff == "support")
    return Caller(staff, bearer(person.token), tier="free", staff=staff, tenant_id=person.tenant_id)


def gather(house: House) -> Cast:
    owner, stranger = sign_up(house, "enterprise"), sign_up(house, "free")
    tenant_id = owner.tenant_id
    members = {"owner": owner, **{role: owner.invite(role) for role in ROLES[1:]}}
    callers = [
        Caller("the owner of a free tenant", bearer(stranger.token), tier="free",
               tenant_id=stranger.tenant_id),
        employ(house, "support"),
        employ(house, "platform_admin"),
    ]  # fmt: skip
    for role, person in members.items():
        callers.append(Caller(role, bearer(person.token), role, tenant_id=tenant_id))
        person.take_authenticator()
        callers.append(
            Caller(f"{role} with a second factor", bearer(person.token), role, fresh=True,
                   tenant_id=tenant_id)
        )  # fmt: skip
    callers += make_keys(owner, "owner", tenant_id)
    callers += make_keys(members["trader"], "trader", tenant_id)
    return Cast(house, owner, stranger, members, callers)


@pytest.fixture(scope="module")
def cast(
    stores: Stores,
    redis_url: str,
    clickhouse: dict[str, Any],
    sandbox_endpoints: dict[str, str],
) -> Iterator[Cast]:
    databases = {room: stores.secret(room) for room in ROOMS}
    with open_house(databases, redis_url, clickhouse, sandbox_endpoints) as house:
        yield gather(house)


@pytest.mark.parametrize("rule", GUARDED, ids=name_rule)
def test_the_authorizer_admits_whom_the_policy_admits(cast: Cast, rule: Rule) -> None:
    cast.forget_counts()
    for caller in cast.callers:
        context = ask(cast.house, rule, caller.headers)
        assert context is not None, f"{caller.name} is not known"
        admitted = context["verdict"] == "admitted"
        assert admitted == caller.may(rule), (caller.name, context)
        assert context["tenant_id"] == caller.tenant_id
        if not admitted:
            assert context["verdict"] == "forbidden"
            assert context["refusal_code"] in REFUSALS


def test_every_rule_is_met_by_somebody_who_may_and_somebody_who_may_not(cast: Cast) -> None:
    """Or the matrix would prove nothing about it."""
    for rule in GUARDED:
        assert {caller.may(rule) for caller in cast.callers} == {True, False}, rule.name


@pytest.fixture(scope="module")
def forged(cast: Cast) -> dict[str, str | None]:
    return forge_tokens(cast.owner.token, JWT_SEED)


@pytest.mark.parametrize("rule", GUARDED, ids=name_rule)
def test_a_bad_token_opens_nothing(cast: Cast, forged: dict[str, str | None], rule: Rule) -> None:
    opened = [name for name, token in forged.items() if ask(cast.house, rule, bearer(token))]
    assert opened == []
    assert len(forged) > 25


def test_the_token_that_the_bad_ones_were_made_from_is_good(cast: Cast) -> None:
    cast.forget_counts()
    context = ask(cast.house, RULES[4], bearer(cast.owner.token))
    assert context is not None
    assert context["verdict"] == "admitted"


@pytest.fixture(scope="module")
def ended(cast: Cast) -> dict[str, dict[str, str]]:
    """Credentials that were good until just now."""
    owner = cast.owner
    leaver = owner.invite("admin")
    leaver.expect(204, "POST", "/v1/auth/logout")
    removed = owner.invite("admin")
    owner.expect(204, "DELETE", f"/v1/tenants/members/{removed.user_id}")
    kept = owner.expect(201, "POST", "/v1/auth/api-keys", {"name": "a", "scopes": ["read"]})
    gone = owner.expect(201, "POST", "/v1/auth/api-keys", {"name": "b", "scopes": ["read"]})
    owner.expect(204, "DELETE", f"/v1/auth/api-keys/{gone['key_id']}")
    secret = kept["key"]
    soon = datetime.now(UTC) + timedelta(seconds=KEY_LIFE_S)
    short = {"name": "c", "scopes": ["read"], "expires_at": soon.isoformat()}
    expired = owner.expect(201, "POST", "/v1/auth/api-keys", short)
    time.sleep(KEY_LIFE_S)
    return {
        "a session that was logged out": bearer(leaver.token),
        "a member who was removed": bearer(removed.token),
        "a key that was revoked": {"x-api-key": gone["key"]},
        "a key that has expired": {"x-api-key": expired["key"]},
        "a key of another environment": {"x-api-key": write_api_key("prod", "a" * 8, "b" * 43)},
        "a key that nobody made": {"x-api-key": write_api_key("test", "a" * 8, "b" * 43)},
        "a key with another end": {"x-api-key": secret[:-1] + ("A" if secret[-1] != "A" else "B")},
        "a key cut short": {"x-api-key": secret[:-1]},
        "an empty key": {"x-api-key": ""},
        "a token and a key at once": bearer(owner.token) | {"x-api-key": secret},
        "a refresh token sent as an access token": bearer(owner.refresh_token),
    }


@pytest.mark.parametrize("rule", GUARDED, ids=name_rule)
def test_what_was_ended_opens_nothing(
    cast: Cast, ended: dict[str, dict[str, str]], rule: Rule
) -> None:
    opened = [name for name, headers in ended.items() if ask(cast.house, rule, headers)]
    assert opened == []


def _enter(rule: Rule, context: dict[str, Any] | None) -> tuple[int, Any]:
    """The room's own door, without an authorizer's verdict: the room decides by itself."""
    import importlib

    from contracts.routes import BY_PATTERN

    door = importlib.import_module(f"functions.{BY_PATTERN[rule.method, rule.path].room}.api")
    body = None if rule.method in ("GET", "DELETE") else {}
    event = api_event(rule.method, fill(rule.path), body=body, principal=context)
    answer = door.handler(event, None)
    return read_answer(answer) if answer["statusCode"] >= 400 else (answer["statusCode"], None)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("rule", GUARDED, ids=name_rule)
def test_a_room_refuses_by_itself_whom_the_policy_refuses(
    cast: Cast, rule: Rule, role: str
) -> None:
    """Of tenants that do not exist, so that nothing is done to anybody."""
    fresh = str(int(time.time()))
    context = principal(uuid7(), role=role, tier="enterprise", stepped_up_at=fresh)
    if rule.name in ASKS_THE_STORE:
        context |= {"tenant_id": cast.owner.tenant_id, "user_id": cast.members[role].user_id}
    status, answer = _enter(rule, context)
    if rule.admits(role):
        assert status < 500, answer
        assert status not in (401, 403) or answer["code"] not in REFUSALS, answer
    else:
        assert (status, answer["code"] in REFUSALS) == (403, True), answer


@pytest.mark.parametrize("rule", GUARDED, ids=name_rule)
def test_a_room_lets_nobody_in_whom_it_does_not_know(cast: Cast, rule: Rule) -> None:
    assert _enter(rule, None)[0] == 401
    weak = principal(uuid7(), role="owner", tier="enterprise")
    if rule.second_factor:
        status, answer = _enter(rule, weak)
        assert (status, answer["code"]) == (403, "step_up_needed")
    if not rule.by_key:
        status, _ = _enter(rule, {**weak, "credential": "api_key", "key_id": str(uuid7())})
        assert status == 403
