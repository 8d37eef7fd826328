"""API keys over HTTP: shown once, never more than their maker, ended at once, nobody else's."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.access_keys import ACCESS_MARK_LIFE_S, revoked_api_key_key
from contracts.api_keys import read_api_key, write_api_key
from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.user_management import (
    MemberRemoved,
    MemberRoleChanged,
    TenantClosed,
    TenantReinstated,
    TenantSuspended,
)
from contracts.user_service import AccessRevoked, SecurityAlertRaised
from functions.user_service import api
from kit.db import Database
from kit.service_tokens import sign
from tests.conftest import Stores
from tests.functions.user_service.conftest import UserDoors
from tests.functions.user_service.key_desk import BILLING, GATEWAY, READER, TRADER, KeyDesk
from tests.support.builders import NOW, FixedClock, wrap
from tests.support.publisher import RecordingPublisher


@pytest.fixture
def desk(users: UserDoors, set_secret: Callable[[str, dict[str, Any]], None]) -> KeyDesk:
    return KeyDesk(users, api._database(), set_secret)


def read_actions(published: RecordingPublisher) -> list[str]:
    return [audit.action for audit in published.messages(AuditRecorded)]


def test_a_key_is_shown_once_and_opens_what_it_was_given(desk: KeyDesk) -> None:
    owner = desk.add_member()
    made = desk.make(owner, {**READER, "requests_per_second": 7})
    assert made["key"].startswith(made["prefix"] + "_")
    assert made["prefix"].startswith("sk_test_")
    assert made["expires_at"] == (NOW + timedelta(days=90)).isoformat().replace("+00:00", "Z")
    status, answer = desk.ask(made["key"])
    assert (status, answer) == (
        200,
        {
            "active": True,
            "key_id": made["key_id"],
            "tenant_id": str(owner.tenant_id),
            "user_id": str(owner.user_id),
            "role": "owner",
            "scope": "read",
            "tier": "free",
            "requests_per_second": 7,
            "expires_at": made["expires_at"],
        },
    )
    (card,) = desk.list(owner)["items"]
    assert "key" not in card
    assert card["name"] == READER["name"]


def test_the_secret_is_nowhere_but_in_the_answer(
    desk: KeyDesk,
    published: RecordingPublisher,
    stores: Stores,
    capsys: pytest.CaptureFixture[str],
) -> None:
    owner = desk.add_member()
    key = desk.create(owner, READER, headers={"Idempotency-Key": "secret-hunt"})[1]["key"]
    assert desk.opens(key)
    secret = key.split("_")[3]
    assert all(secret not in row.envelope for row in published.rows)
    output = capsys.readouterr()
    assert secret not in output.out + output.err
    with psycopg.connect(stores.dsn) as connection:
        for table in ("api_keys", "idempotency_keys", "outbox"):
            rows = connection.execute(f"SELECT t::text FROM user_service.{table} t").fetchall()
            assert all(secret not in row[0] for row in rows)
        (held,) = connection.execute(
            "SELECT key_hash FROM user_service.api_keys WHERE tenant_id = %s", [owner.tenant_id]
        ).fetchone() or (None,)
    assert held == bytes.fromhex(read_api_key(key).digest)


def test_a_new_key_is_told_to_its_owner_and_audited(
    desk: KeyDesk, published: RecordingPublisher
) -> None:
    owner = desk.add_member()
    made = desk.make(owner, TRADER)
    (alert,) = published.messages(SecurityAlertRaised)
    assert (alert.kind, alert.user_id, alert.locale) == ("api_key_created", owner.user_id, "en")
    (audit,) = published.messages(AuditRecorded)
    assert (audit.action, audit.target_id) == ("api_key.created", made["key_id"])
    assert (audit.actor_kind, audit.actor_id) == ("user", owner.user_id)
    assert audit.detail["scopes"] == "read trade"


def test_a_repeat_with_the_same_idempotency_key_makes_no_second_key(desk: KeyDesk) -> None:
    owner = desk.add_member()
    key = {"Idempotency-Key": "k-1"}
    status, made = desk.create(owner, READER, headers=key)
    assert status == 201
    for body in (READER, {**READER, "name": "another"}):
        status, problem = desk.create(owner, body, headers=key)
        assert (status, problem["code"]) == (409, "key_already_created")
        assert problem["key_id"] == made["key_id"]
        assert "key" not in problem
    assert len(desk.list(owner)["items"]) == 1
    colleague = desk.add_member("admin", owner.tenant_id)
    assert desk.create(colleague, READER, headers=key)[0] == 201
    assert desk.create(owner, READER, headers={"Idempotency-Key": "k-2"})[0] == 201
    for unreadable in ("", "two words", "caf\u00e9"):
        assert desk.create(owner, READER, headers={"Idempotency-Key": unreadable})[0] == 400


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": ["members"]},
        {"scopes": ["account"]},
        {"scopes": ["read"] * 4},
        {"scopes": "read"},
        {"name": ""},
        {"name": "x" * 121},
        {"name": "line\nbreak"},
        {"requests_per_second": 0},
        {"requests_per_second": 1001},
        {"requests_per_second": 1.5},
        {"expires_at": "tomorrow"},
        {"expires_at": "2026-04-01T00:00:00"},
        {"expires_at": NOW.isoformat()},
        {"expires_at": (NOW - timedelta(days=1)).isoformat()},
        {"expires_at": (NOW + timedelta(days=365, seconds=1)).isoformat()},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"tenant_id": str(uuid7())},
        {"user_id": str(uuid7())},
    ],
)
def test_keys_that_cannot_be_are_refused(desk: KeyDesk, change: dict[str, Any]) -> None:
    owner = desk.add_member()
    status, problem = desk.create(owner, {**READER, **change})
    assert (status, problem["code"] in {"invalid_value", "key_life_refused"}) == (422, True)
    assert desk.list(owner)["items"] == []


def test_a_key_for_a_year_is_the_longest(desk: KeyDesk, clock: FixedClock) -> None:
    owner = desk.add_member()
    until = (NOW + timedelta(days=365)).isoformat()
    key = desk.make(owner, {**READER, "expires_at": until})["key"]
    clock.advance(days=364, hours=23)
    assert desk.opens(key)
    clock.advance(hours=1)
    assert not desk.opens(key)
    assert desk.list(owner)["items"][0]["status"] == "expired"


def test_nobody_gives_a_key_more_than_their_role_has(desk: KeyDesk) -> None:
    trader = desk.add_member("trader")
    status, problem = desk.create(trader, {"name": "x", "scopes": ["read", "billing"]})
    assert (status, problem["code"]) == (403, "scope_not_held")
    admin = desk.add_member("admin")
    assert desk.create(admin, {"name": "x", "scopes": ["billing"]})[0] == 201
    viewer = desk.add_member("viewer")
    assert desk.create(viewer, READER)[0] == 403


@pytest.mark.parametrize("age_s", [None, 300, 3600])
def test_a_key_that_may_trade_asks_for_a_fresh_second_factor(
    desk: KeyDesk, clock: FixedClock, age_s: int | None
) -> None:
    owner = desk.add_member()
    who = desk.principal(owner, stepped_up=age_s is not None)
    clock.advance(seconds=age_s or 0)
    status, problem = desk.users.call("POST", "/v1/auth/api-keys", TRADER, principal=who)
    assert (status, problem["code"]) == (403, "step_up_needed")
    assert desk.create(owner, READER, stepped_up=False)[0] == 201
    made = desk.make(owner, TRADER)
    status, problem = desk.rotate(owner, made["key_id"], stepped_up=False)
    assert (status, problem["code"]) == (403, "step_up_needed")
    assert desk.opens(made["key"])


def test_a_revoked_key_opens_nothing_and_the_gateway_hears_of_it(
    desk: KeyDesk, published: RecordingPublisher, throttle_redis: Any
) -> None:
    owner = desk.add_member()
    made = desk.make(owner)
    for _ in range(2):
        assert desk.revoke(owner, made["key_id"]) == (204, None)
    assert not desk.opens(made["key"])
    (revoked,) = published.messages(AccessRevoked)
    assert (revoked.kind, str(revoked.subject_id), revoked.before) == (
        "api_key",
        made["key_id"],
        NOW,
    )
    assert read_actions(published) == ["api_key.created", "api_key.revoked"]
    mark = revoked_api_key_key(owner.tenant_id, UUID(made["key_id"]))
    assert throttle_redis.get(mark) == str(int(NOW.timestamp() * 1000))
    assert 0 < throttle_redis.ttl(mark) <= ACCESS_MARK_LIFE_S
    assert desk.list(owner)["items"][0]["status"] == "revoked"


def test_a_key_is_revoked_though_redis_is_away(
    desk: KeyDesk, published: RecordingPublisher, stop_redis: Callable[[], None]
) -> None:
    owner = desk.add_member()
    made = desk.make(owner)
    stop_redis()
    assert desk.revoke(owner, made["key_id"])[0] == 204
    assert len(published.messages(AccessRevoked)) == 1


def test_a_rotated_key_gives_way_at_once(desk: KeyDesk, published: RecordingPublisher) -> None:
    owner = desk.add_member()
    old = desk.make(owner, {**TRADER, "requests_per_second": 3})
    status, new = desk.rotate(owner, old["key_id"])
    assert status == 201
    assert (desk.opens(old["key"]), desk.opens(new["key"])) == (False, True)
    assert (new["name"], new["scopes"], new["requests_per_second"]) == (
        TRADER["name"],
        TRADER["scopes"],
        3,
    )
    (revoked,) = published.messages(AccessRevoked)
    assert str(revoked.subject_id) == old["key_id"] != new["key_id"]
    cards = {card["key_id"]: card for card in desk.list(owner)["items"]}
    assert cards[old["key_id"]]["status"] == "rotated"
    assert cards[old["key_id"]]["replaced_by"] == new["key_id"]
    status, problem = desk.rotate(owner, old["key_id"])
    assert (status, problem["code"]) == (409, "key_already_rotated")
    assert problem["key_id"] == new["key_id"]


def test_an_old_secret_is_honoured_for_the_overlap_and_not_a_second_longer(
    desk: KeyDesk, clock: FixedClock, published: RecordingPublisher
) -> None:
    owner = desk.add_member()
    old = desk.make(owner)
    status, new = desk.rotate(owner, old["key_id"], overlap_s=600)
    assert status == 201
    assert published.messages(AccessRevoked) == []
    _, answer = desk.ask(old["key"])
    assert answer["expires_at"] == (NOW + timedelta(seconds=600)).isoformat().replace("+00:00", "Z")
    clock.advance(seconds=599)
    assert desk.opens(old["key"])
    clock.advance(seconds=1)
    assert (desk.opens(old["key"]), desk.opens(new["key"])) == (False, True)


@pytest.mark.parametrize("overlap_s", [-1, 86_401, "soon", 1.5])
def test_an_overlap_out_of_bounds_is_refused(desk: KeyDesk, overlap_s: Any) -> None:
    owner = desk.add_member()
    made = desk.make(owner)
    assert desk.rotate(owner, made["key_id"], overlap_s=overlap_s)[0] == 422


def test_revoking_a_key_ends_those_it_was_rotated_from_too(
    desk: KeyDesk, published: RecordingPublisher
) -> None:
    owner = desk.add_member()
    keys = [desk.make(owner)]
    for _ in range(2):
        keys.append(desk.rotate(owner, keys[-1]["key_id"], overlap_s=86_400)[1])
    assert [desk.opens(key["key"]) for key in keys] == [True, True, True]
    assert desk.revoke(owner, keys[-1]["key_id"])[0] == 204
    assert [desk.opens(key["key"]) for key in keys] == [False, False, False]
    ended = {str(revoked.subject_id) for revoked in published.messages(AccessRevoked)}
    assert ended == {key["key_id"] for key in keys}


def test_a_key_that_ended_cannot_be_rotated(desk: KeyDesk, clock: FixedClock) -> None:
    owner = desk.add_member()
    revoked, expired = desk.make(owner), desk.make(owner)
    desk.revoke(owner, revoked["key_id"])
    clock.advance(days=90)
    for made in (revoked, expired):
        status, problem = desk.rotate(owner, made["key_id"])
        assert (status, problem["code"]) == (409, "key_ended")


def test_managers_see_and_end_all_keys_and_rotate_their_own_only(desk: KeyDesk) -> None:
    owner = desk.add_member()
    admin = desk.add_member("admin", owner.tenant_id)
    trader = desk.add_member("trader", owner.tenant_id)
    made = desk.make(trader)
    for manager in (owner, admin):
        (card,) = desk.list(manager)["items"]
        assert card["created_by"] == str(trader.user_id)
        status, problem = desk.rotate(manager, made["key_id"])
        assert (status, problem["code"]) == (403, "not_your_key")
    assert desk.revoke(admin, made["key_id"])[0] == 204
    assert not desk.opens(made["key"])


def test_traders_see_their_own_keys_only(desk: KeyDesk) -> None:
    owner = desk.add_member()
    trader = desk.add_member("trader", owner.tenant_id)
    theirs, own = desk.make(owner), desk.make(trader)
    assert [card["key_id"] for card in desk.list(trader)["items"]] == [own["key_id"]]
    assert desk.revoke(trader, theirs["key_id"])[1]["code"] == "unknown_key"
    assert desk.rotate(trader, theirs["key_id"])[0] == 404
    assert desk.opens(theirs["key"])


def test_a_key_of_another_tenant_is_not_there(desk: KeyDesk) -> None:
    owner, stranger = desk.add_member(), desk.add_member()
    made = desk.make(owner)
    assert desk.list(stranger)["items"] == []
    assert desk.list(stranger, cursor=made["key_id"])["items"] == []
    assert desk.revoke(stranger, made["key_id"])[0] == 404
    assert desk.rotate(stranger, made["key_id"])[0] == 404
    assert desk.opens(made["key"])
    assert desk.revoke(owner, uuid7())[0] == 404


def test_keys_are_listed_page_by_page_the_newest_first(desk: KeyDesk, clock: FixedClock) -> None:
    owner = desk.add_member()
    made = []
    for number in range(5):
        made.append(desk.make(owner, {**READER, "name": f"key {number}"})["key_id"])
        clock.advance(seconds=number % 2)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = desk.list(owner, limit="2", **cursor)
        seen += [card["key_id"] for card in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert cursor == {"cursor": None}
    assert sorted(seen) == sorted(made)
    assert seen[0] == made[-1]


def test_a_key_follows_its_makers_role(desk: KeyDesk) -> None:
    owner = desk.add_member()
    trader = desk.add_member("trader", owner.tenant_id)
    key = desk.make(trader, TRADER)["key"]
    scopes = []
    for version, role in enumerate(("trader", "viewer", "admin"), start=1):
        change = MemberRoleChanged(user_id=trader.user_id, role=role, version=version)
        assert desk.users.deliver(wrap(change, owner.tenant_id)) == []
        answer = desk.ask(key)[1]
        scopes.append((answer["role"], answer["scope"]))
    assert scopes == [("trader", "read trade"), ("viewer", "read"), ("admin", "read trade")]


def test_a_key_with_nothing_left_of_its_scopes_opens_nothing(desk: KeyDesk) -> None:
    admin = desk.add_member("admin")
    key = desk.make(admin, {"name": "bills", "scopes": ["billing"]})["key"]
    change = MemberRoleChanged(user_id=admin.user_id, role="viewer", version=1)
    desk.users.deliver(wrap(change, admin.tenant_id))
    assert not desk.opens(key)


def test_the_keys_of_a_removed_member_end_and_no_others(
    desk: KeyDesk, published: RecordingPublisher
) -> None:
    owner = desk.add_member()
    trader = desk.add_member("trader", owner.tenant_id)
    theirs, kept = desk.make(trader), desk.make(owner)
    removed = wrap(MemberRemoved(user_id=trader.user_id), owner.tenant_id)
    for _ in range(2):
        assert desk.users.deliver(removed) == []
    assert (desk.opens(theirs["key"]), desk.opens(kept["key"])) == (False, True)
    ended = [r for r in published.messages(AccessRevoked) if r.kind == "api_key"]
    assert [str(revoked.subject_id) for revoked in ended] == [theirs["key_id"]]


def test_keys_rest_while_the_tenant_is_suspended_and_end_when_it_closes(
    desk: KeyDesk, published: RecordingPublisher
) -> None:
    owner, stranger = desk.add_member(), desk.add_member()
    key, other = desk.make(owner)["key"], desk.make(stranger)["key"]
    opens = []
    for event in (
        TenantSuspended(reason="unpaid", version=1),
        TenantReinstated(version=2),
        TenantClosed(erase_after=NOW + timedelta(days=30), version=3),
    ):
        assert desk.users.deliver(wrap(event, owner.tenant_id)) == []
        opens.append(desk.opens(key))
    assert opens == [False, True, False]
    assert desk.opens(other)
    assert [r.kind for r in published.messages(AccessRevoked)].count("api_key") == 1
    assert desk.list(owner)["items"][0]["status"] == "revoked"


def test_a_key_notes_its_use_at_most_once_a_minute(desk: KeyDesk, clock: FixedClock) -> None:
    owner = desk.add_member()
    key = desk.make(owner)["key"]
    used = []
    for seconds in (0, 59, 1, 0):
        clock.advance(seconds=seconds)
        assert desk.opens(key)
        used.append(desk.list(owner)["items"][0]["last_used_at"])
    assert used[0] == used[1] == NOW.isoformat().replace("+00:00", "Z")
    assert used[2] == used[3] == (NOW + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")


def test_a_key_that_is_not_ours_opens_nothing(desk: KeyDesk) -> None:
    key = desk.make(desk.add_member())["key"]
    text = read_api_key(key)
    own = {"prefix": text.prefix, "digest": text.digest}
    assert desk.inquire(own)[1]["active"]
    foreign = write_api_key("prod", text.prefix[-8:], key.split("_")[3])
    assert not desk.opens(foreign)
    for question in ({**own, "prefix": "sk_test_00000000"}, {**own, "digest": "0" * 64}):
        assert desk.inquire(question) == (200, {"active": False})
    for question in ({}, {**own, "digest": "0" * 63}, {**own, "prefix": "x" * 41}, {"key": key}):
        status, problem = desk.inquire(question)
        assert status == 422
        assert key not in json.dumps(problem)


def test_only_the_authorizer_may_ask_what_a_key_opens(desk: KeyDesk) -> None:
    key = desk.make(desk.add_member())["key"]
    question = {"prefix": "sk_test_00000000", "digest": read_api_key(key).digest}
    assert desk.users.post("introspect", question)[0] == 401
    basic = {"authorization": "Basic YTpi"}
    assert desk.users.post("introspect", question, headers=basic)[0] == 401
    for refused in (
        "nonsense",
        sign("api_gateway", "user_management", GATEWAY, NOW),
        sign("api_gateway", "user_service", GATEWAY, NOW - timedelta(minutes=5)),
        sign("api_gateway", "user_service", BILLING, NOW),
        sign("unknown_room", "user_service", GATEWAY, NOW),
    ):
        status, problem = desk.ask(key, refused)
        assert (status, problem["code"]) == (401, "service_token_refused")
        assert "tenant_id" not in json.dumps(problem)
    status, problem = desk.ask(key, sign("billing_service", "user_service", BILLING, NOW))
    assert (status, problem["code"]) == (403, "caller_not_allowed")


def test_a_room_sees_no_key_without_its_hash(desk: KeyDesk, tenant: UUID) -> None:
    desk.make(desk.add_member())
    database: Database = desk.database
    for bound in (None, tenant):
        with database.transaction(bound) as tx:
            assert tx.fetch_one("SELECT count(*) AS n FROM api_keys") == {"n": 0}


@pytest.mark.parametrize("scopes", [["billing"], ["read", "billing"], ["trade"]])
def test_a_key_that_can_cost_money_asks_for_a_fresh_second_factor(
    desk: KeyDesk, scopes: list[str]
) -> None:
    owner = desk.add_member()
    body = {"name": "kasir", "scopes": scopes}
    status, problem = desk.create(owner, body, stepped_up=False)
    assert (status, problem["code"]) == (403, "step_up_needed")
    assert desk.create(owner, body)[0] == 201
