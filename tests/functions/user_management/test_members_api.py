"""Invitations and members over HTTP: who may change whom, and what other tenants cannot."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.user_management import (
    InvitationRevoked,
    MemberInvited,
    MemberRemoved,
    MemberRoleChanged,
)
from functions.user_management.logic.invitations import OPEN_INVITATIONS_MAX
from functions.user_management.logic.links import MailLinks
from tests.functions.user_management.conftest import Rooms, as_user, make_address
from tests.support.builders import FixedClock, principal

MEMBERS = "/v1/tenants/members"
INVITATIONS = "/v1/tenants/invitations"


def list_all(rooms: Rooms, path: str, who: dict[str, Any], limit: int = 2) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(100):
        query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        status, page = rooms.call("GET", path, principal=who, query=query)
        assert status == 200
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return seen
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("path", [INVITATIONS, MEMBERS])
def test_an_invitation_goes_out_with_a_signed_token_of_seven_days(
    rooms: Rooms, tenant: UUID, clock: FixedClock, links: MailLinks, path: str
) -> None:
    owner = rooms.found(tenant, full_name="Siti Rahma", locale="id")
    email = make_address()
    body = {"email": email.upper(), "role": "trader"}
    status, shown = rooms.call("POST", path, body, principal=owner)
    assert (status, shown["email"], shown["role"]) == (201, email, "trader")
    (envelope,) = rooms.published.envelopes(MemberInvited)
    invited = envelope.data
    assert isinstance(invited, MemberInvited)
    assert envelope.meta.tenant_id == tenant
    assert (invited.email, invited.role, invited.locale) == (email, "trader", "id")
    assert (invited.tenant_name, invited.inviter_name) == ("Rahma Trading", "Siti Rahma")
    assert invited.expires_at == clock.now() + timedelta(days=7)
    assert links.is_genuine("inv", invited.token)
    assert invited.token not in str(shown)
    with rooms.database.transaction(tenant) as tx:
        (row,) = tx.fetch_all("SELECT * FROM invitations")
    assert bytes(row["token_hash"]) == hashlib.sha256(invited.token.encode()).digest()
    assert invited.token not in str(row)
    assert "member.invited" in rooms.actions(tenant)


def test_the_answer_does_not_tell_whether_an_address_has_an_account(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner, stranger = rooms.found(tenant), rooms.register(other_tenant)
    answers = []
    for email in (stranger.email, make_address()):
        body = {"email": email, "role": "viewer"}
        before = len(rooms.published.rows)
        status, shown = rooms.call("POST", INVITATIONS, body, principal=owner)
        kinds = sorted(row.detail_type for row in rooms.published.rows[before:])
        answers.append((status, sorted(shown), kinds))
    assert answers[0] == answers[1]


def test_inviting_again_replaces_the_open_invitation(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    first = rooms.invite(owner, "viewer")
    second = rooms.invite(owner, "admin", first.email)
    (revoked,) = rooms.messages(InvitationRevoked)
    assert revoked.invitation_id == first.invitation_id
    (shown,) = list_all(rooms, INVITATIONS, owner)
    assert (shown["invitation_id"], shown["role"]) == (str(second.invitation_id), "admin")


def test_a_member_is_not_invited_again(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    member = rooms.join(owner)
    _, page = rooms.call("GET", MEMBERS, principal=member)
    (email,) = [m["email"] for m in page["items"] if m["user_id"] == member["user_id"]]
    status, problem = rooms.call(
        "POST", INVITATIONS, {"email": email, "role": "viewer"}, principal=owner
    )
    assert (status, problem["code"]) == (409, "already_member")


def test_fifty_invitations_can_be_open_and_no_more(
    rooms: Rooms, tenant: UUID, other_tenant: UUID, clock: FixedClock
) -> None:
    owner = rooms.found(tenant)
    last = [rooms.invite(owner) for _ in range(OPEN_INVITATIONS_MAX)][-1]
    body = {"email": make_address(), "role": "viewer"}
    status, problem = rooms.call("POST", INVITATIONS, body, principal=owner)
    assert (status, problem["code"]) == (409, "too_many_invitations")
    rooms.invite(owner, "viewer", last.email)
    rooms.invite(rooms.found(other_tenant))
    assert len(list_all(rooms, INVITATIONS, owner, 20)) == OPEN_INVITATIONS_MAX
    clock.advance(days=7)
    assert list_all(rooms, INVITATIONS, owner) == []
    assert rooms.call("POST", INVITATIONS, body, principal=owner)[0] == 201


def test_a_tenant_cannot_flood_an_address_with_invitations(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    owner, body = rooms.found(tenant), {"email": make_address(), "role": "viewer"}
    for _ in range(200):
        assert rooms.call("POST", INVITATIONS, body, principal=owner)[0] == 201
    status, problem = rooms.call("POST", INVITATIONS, body, principal=owner)
    assert (status, problem["code"]) == (429, "invitation_mails_spent")
    clock.advance(days=1)
    assert rooms.call("POST", INVITATIONS, body, principal=owner)[0] == 201


def test_a_revoked_invitation_is_gone_and_told_once(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    path = f"{INVITATIONS}/{rooms.invite(owner).invitation_id}"
    assert rooms.call("DELETE", path, principal=owner)[0] == 204
    assert rooms.call("DELETE", path, principal=owner)[0] == 404
    assert list_all(rooms, INVITATIONS, owner) == []
    assert len(rooms.messages(InvitationRevoked)) == 1
    assert rooms.actions(tenant)[-1] == "invitation.revoked"


@pytest.mark.parametrize(
    "change", [{"role": "owner"}, {"role": "king"}, {"email": "x"}, {"tenant_id": str(uuid7())}]
)
def test_an_invitation_that_cannot_be_right_is_refused(
    rooms: Rooms, tenant: UUID, change: dict[str, Any]
) -> None:
    body = {"email": make_address(), "role": "viewer", **change}
    assert rooms.call("POST", INVITATIONS, body, principal=rooms.found(tenant))[0] == 422
    assert rooms.messages(MemberInvited) == []


def test_an_unverified_tenant_invites_nobody(rooms: Rooms, tenant: UUID) -> None:
    owner = as_user(tenant, rooms.register(tenant).user_id)
    body = {"email": make_address(), "role": "viewer"}
    status, problem = rooms.call("POST", INVITATIONS, body, principal=owner)
    assert (status, problem["code"]) == (409, "tenant_state_conflict")


def test_members_come_by_the_page_and_each_once(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    joined = {owner["user_id"], *(rooms.join(owner)["user_id"] for _ in range(4))}
    seen = [member["user_id"] for member in list_all(rooms, MEMBERS, owner)]
    assert sorted(seen) == sorted(joined)


@pytest.mark.parametrize("path", [MEMBERS, INVITATIONS])
@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"cursor": "x"}])
def test_a_page_out_of_bounds_is_refused(
    rooms: Rooms, tenant: UUID, path: str, query: dict[str, str]
) -> None:
    assert rooms.call("GET", path, principal=principal(tenant), query=query)[0] == 422


@pytest.mark.parametrize("manager", ["owner", "admin"])
@pytest.mark.parametrize("role", ["admin", "trader", "viewer"])
def test_managers_change_and_remove_everybody_but_the_owner(
    rooms: Rooms, tenant: UUID, manager: str, role: str
) -> None:
    owner = rooms.found(tenant)
    who = owner if manager == "owner" else rooms.join(owner, "admin")
    member = rooms.join(owner, role)
    path = f"{MEMBERS}/{member['user_id']}"
    other = "viewer" if role != "viewer" else "admin"
    status, changed = rooms.call("PATCH", path, {"role": other}, principal=who)
    assert (status, changed["role"], changed["version"]) == (200, other, 2)
    assert rooms.call("PATCH", path, {"role": other}, principal=who)[1]["version"] == 2
    (event,) = rooms.messages(MemberRoleChanged)
    assert (str(event.user_id), event.role, event.version) == (member["user_id"], other, 2)
    assert rooms.call("DELETE", path, principal=who)[0] == 204
    assert rooms.call("DELETE", path, principal=who)[0] == 404
    assert rooms.call("PATCH", path, {"role": role}, principal=who)[0] == 404
    (removed,) = rooms.messages(MemberRemoved)
    assert str(removed.user_id) == member["user_id"]
    assert rooms.actions(tenant)[-2:] == ["member.role_changed", "member.removed"]


def test_nobody_changes_or_removes_the_owner(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    path = f"{MEMBERS}/{owner['user_id']}"
    for who in (owner, rooms.join(owner, "admin")):
        for method, body in (("PATCH", {"role": "viewer"}), ("DELETE", None)):
            status, problem = rooms.call(method, path, body, principal=who)
            assert (status, problem["code"]) == (409, "owner_untouchable")
    assert rooms.messages(MemberRoleChanged) == rooms.messages(MemberRemoved) == []


def test_the_role_of_owner_is_not_given_by_a_change(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    path = f"{MEMBERS}/{rooms.join(owner)['user_id']}"
    assert rooms.call("PATCH", path, {"role": "owner"}, principal=owner)[0] == 422


def test_an_admin_steps_down_and_leaves(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    stepping, leaving = rooms.join(owner, "admin"), rooms.join(owner, "admin")
    path = f"{MEMBERS}/{stepping['user_id']}"
    assert rooms.call("PATCH", path, {"role": "viewer"}, principal=stepping)[0] == 200
    path = f"{MEMBERS}/{leaving['user_id']}"
    assert rooms.call("DELETE", path, principal=leaving)[0] == 204


def test_a_token_of_a_role_that_was_taken_away_manages_nobody(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    former, member = rooms.join(owner, "admin"), rooms.join(owner)
    path = f"{MEMBERS}/{former['user_id']}"
    assert rooms.call("PATCH", path, {"role": "viewer"}, principal=owner)[0] == 200
    path = f"{MEMBERS}/{member['user_id']}"
    invitation = {"email": make_address(), "role": "admin"}
    open_one = f"{INVITATIONS}/{rooms.invite(owner).invitation_id}"
    for method, route, body in (
        ("DELETE", path, None),
        ("PATCH", path, {"role": "admin"}),
        ("POST", INVITATIONS, invitation),
        ("DELETE", open_one, None),
        ("PATCH", "/v1/tenants/me", {"name": "Mine"}),
    ):
        status, problem = rooms.call(method, route, body, principal=former)
        assert (status, problem["code"]) == (403, "role_needed")


@pytest.mark.parametrize("role", ["trader", "viewer"])
def test_traders_and_viewers_manage_nobody(rooms: Rooms, tenant: UUID, role: str) -> None:
    owner = rooms.found(tenant)
    who = rooms.join(owner, role)
    path = f"{MEMBERS}/{who['user_id']}"
    for method, route, body in (
        ("POST", INVITATIONS, {"email": make_address(), "role": "admin"}),
        ("POST", MEMBERS, {"email": make_address(), "role": "admin"}),
        ("GET", INVITATIONS, None),
        ("PATCH", path, {"role": "admin"}),
        ("DELETE", path, None),
        ("POST", "/v1/tenants/ownership", {"user_id": who["user_id"]}),
    ):
        assert rooms.call(method, route, body, principal=who)[0] == 403


def test_members_and_invitations_of_another_tenant_are_not_there(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner, thief = rooms.found(tenant), rooms.found(other_tenant)
    member, invitation = rooms.join(owner), rooms.invite(owner)
    path = f"{MEMBERS}/{member['user_id']}"
    for method, route, body in (
        ("PATCH", path, {"role": "admin"}),
        ("DELETE", path, None),
        ("DELETE", f"{INVITATIONS}/{invitation.invitation_id}", None),
        ("POST", "/v1/tenants/ownership", {"user_id": member["user_id"]}),
    ):
        assert rooms.call(method, route, body, principal=thief)[0] == 404
    seen = str(list_all(rooms, MEMBERS, thief) + list_all(rooms, INVITATIONS, thief))
    assert member["user_id"] not in seen
    assert invitation.email not in seen


def test_a_repeated_invitation_with_a_key_sends_one_mail(rooms: Rooms, tenant: UUID) -> None:
    owner, key = rooms.found(tenant), {"Idempotency-Key": "invite-1"}
    body = {"email": make_address(), "role": "viewer"}
    first = rooms.call("POST", INVITATIONS, body, principal=owner, headers=key)
    assert rooms.call("POST", INVITATIONS, body, principal=owner, headers=key) == first
    assert len(rooms.messages(MemberInvited)) == 1
