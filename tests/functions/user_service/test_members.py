"""Members and tenants by message: once each, in whatever order, for their own tenant only."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis

from contracts.access_keys import revoked_session_key, revoked_user_key
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.user_management import (
    InvitationRevoked,
    MemberInvited,
    MemberRemoved,
    MemberRoleChanged,
    ProfileChanged,
    TenantClosed,
    TenantReinstated,
    TenantSuspended,
)
from contracts.user_service import (
    AccessRevoked,
    InvitationAccepted,
    PasswordResetRequested,
    Role,
    UserRegistered,
)
from functions.user_service import consumer
from tests.functions.user_service.conftest import (
    PASSWORD,
    WRONG,
    Member,
    UserDoors,
    make_email,
    read_claims,
    verified_by,
)
from tests.support.builders import NOW, FixedClock, sqs_event, wrap
from tests.support.publisher import RecordingPublisher


def invite(tenant_id: UUID, email: str, **more: Any) -> Envelope:
    parts: dict[str, Any] = {
        "invitation_id": uuid7(),
        "email": email,
        "role": "trader",
        "tenant_name": "Rahma Trading",
        "inviter_name": "Siti Rahma",
        "locale": "id",
        "token": f"inv_{uuid7().hex}{uuid7().hex}",
        "expires_at": NOW + timedelta(days=7),
        **more,
    }
    return wrap(MemberInvited(**parts), tenant_id)


def accept(users: UserDoors, envelope: Envelope, **more: Any) -> tuple[int, Any]:
    assert isinstance(envelope.data, MemberInvited)
    body = {
        "token": envelope.data.token,
        "password": PASSWORD,
        "full_name": "Budi Santoso",
        "locale": "en",
        **more,
    }
    return users.post("invitations/accept", body)


def change_role(member: Member, role: Role, version: int) -> Envelope:
    event = MemberRoleChanged(user_id=member.user_id, role=role, version=version)
    return wrap(event, member.tenant_id)


def suspend(tenant_id: UUID, version: int = 1) -> Envelope:
    return wrap(TenantSuspended(reason="unpaid", version=version), tenant_id)


def close(tenant_id: UUID, version: int = 1) -> Envelope:
    return wrap(TenantClosed(erase_after=NOW + timedelta(days=30), version=version), tenant_id)


def read_role(users: UserDoors, member: Member) -> str:
    return str(users.sign_in(member.email).claims["role"])


def test_an_invited_stranger_becomes_a_member_and_signs_in(
    users: UserDoors, published: RecordingPublisher
) -> None:
    owner, email = users.sign_in(), make_email()
    invitation = invite(owner.tenant_id, email.upper())
    assert users.deliver(invitation) == []
    status, answer = accept(users, invitation)
    assert (status, answer["tenant_id"]) == (201, str(owner.tenant_id))
    (event,) = published.envelopes(InvitationAccepted)
    assert event.meta.tenant_id == owner.tenant_id
    assert isinstance(event.data, InvitationAccepted)
    assert str(event.data.user_id) == answer["user_id"]
    assert (event.data.email, event.data.role, event.data.locale) == (email, "trader", "en")
    claims = users.sign_in(email).claims
    assert (claims["role"], claims["tid"]) == ("trader", str(owner.tenant_id))


@pytest.mark.parametrize("case", ["used", "revoked", "revoked first", "expired", "unknown", "old"])
def test_an_invitation_that_is_over_gets_the_one_answer(
    users: UserDoors, clock: FixedClock, case: str
) -> None:
    owner = users.sign_in()
    invitation = invite(owner.tenant_id, make_email())
    assert isinstance(invitation.data, MemberInvited)
    invitation_id = invitation.data.invitation_id
    revoked = wrap(InvitationRevoked(invitation_id=invitation_id), owner.tenant_id)
    messages = {"revoked": [invitation, revoked], "revoked first": [revoked, invitation]}
    assert users.deliver(*messages.get(case, [invitation])) == []
    if case == "used":
        assert accept(users, invitation)[0] == 201
    elif case == "expired":
        clock.advance(days=7)
    elif case == "unknown":
        invitation = invite(owner.tenant_id, make_email())
    elif case == "old":
        newer = invite(
            owner.tenant_id,
            invitation.data.email,
            invitation_id=invitation_id,
            expires_at=NOW + timedelta(days=8),
        )
        assert users.deliver(newer) == []
    status, problem = accept(users, invitation)
    assert (status, problem["code"]) == (400, "invitation_invalid")
    assert problem["detail"] == "ask for a new invitation"


def test_an_address_with_an_account_is_a_conflict_and_keeps_the_invitation_open(
    users: UserDoors,
) -> None:
    owner, other = users.sign_in(), users.sign_in()
    invitation = invite(owner.tenant_id, other.email)
    users.deliver(invitation)
    for _ in range(2):
        status, problem = accept(users, invitation)
        assert (status, problem["code"]) == (409, "address_taken")
    assert accept(users, invitation, password="password1234")[1]["code"] == "password_refused"


def test_a_suspended_tenant_takes_nobody_in(users: UserDoors) -> None:
    owner = users.sign_in()
    invitation = invite(owner.tenant_id, make_email())
    users.deliver(invitation, suspend(owner.tenant_id))
    assert accept(users, invitation)[1]["code"] == "invitation_invalid"


def test_a_role_changes_in_order_and_ends_the_tokens_before(
    users: UserDoors, published: RecordingPublisher, throttle_redis: "redis.Redis[str]"
) -> None:
    member = users.sign_in()
    newest = change_role(member, "viewer", 2)
    assert users.deliver(newest, change_role(member, "admin", 1), newest) == []
    (revoked,) = published.messages(AccessRevoked)
    assert (revoked.kind, revoked.subject_id) == ("user", member.user_id)
    key = revoked_user_key(member.tenant_id, member.user_id)
    assert throttle_redis.get(key) == str(int(revoked.before.timestamp() * 1000))
    pair = users.post("refresh", {"refresh_token": member.refresh_token})[1]
    assert read_claims(pair["access_token"])["role"] == "viewer"
    assert read_claims(pair["access_token"])["scope"] == "read account"


def test_a_removed_member_is_out_and_the_address_is_free(
    users: UserDoors, published: RecordingPublisher, throttle_redis: "redis.Redis[str]"
) -> None:
    member = users.sign_in()
    users.turn_on_totp(member)
    assert users.deliver(wrap(MemberRemoved(user_id=member.user_id), member.tenant_id)) == []
    kinds = {(m.kind, m.subject_id) for m in published.messages(AccessRevoked)}
    assert kinds == {("session", member.session_id), ("user", member.user_id)}
    assert throttle_redis.exists(revoked_session_key(member.tenant_id, member.session_id))
    assert users.post("refresh", {"refresh_token": member.refresh_token})[0] == 401
    assert users.login(member.email)[1]["code"] == "invalid_credentials"
    users.post("password/forgot", {"email": member.email})
    assert published.messages(PasswordResetRequested) == []
    assert users.login(f"{member.user_id}@removed.invalid", "!")[0] in {401, 422}
    users.join(member.email)
    assert users.login(member.email)[0] == 200


def test_a_late_verification_does_not_bring_a_removed_member_back(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    late = verified_by(published.envelopes(UserRegistered)[-1])
    users.deliver(wrap(MemberRemoved(user_id=member.user_id), member.tenant_id))
    assert users.deliver(late, change_role(member, "admin", 9)) == []
    assert users.login(member.email)[0] == 401


def test_mails_are_written_in_the_language_of_the_profile(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    event = ProfileChanged(
        user_id=member.user_id, full_name="Siti", locale="en", time_zone="Asia/Jakarta"
    )
    assert users.deliver(wrap(event, member.tenant_id)) == []
    users.post("password/forgot", {"email": member.email})
    assert published.messages(PasswordResetRequested)[-1].locale == "en"


def test_a_suspended_tenant_is_told_so_only_with_the_right_password(
    users: UserDoors, published: RecordingPublisher, throttle_redis: "redis.Redis[str]"
) -> None:
    member = users.sign_in()
    assert users.deliver(suspend(member.tenant_id)) == []
    (revoked,) = published.messages(AccessRevoked)
    assert (revoked.kind, revoked.subject_id) == ("user", member.user_id)
    assert throttle_redis.exists(revoked_user_key(member.tenant_id, member.user_id))
    assert users.post("refresh", {"refresh_token": member.refresh_token})[0] == 401
    assert users.login(member.email, WRONG)[1]["code"] == "invalid_credentials"
    status, problem = users.login(member.email)
    assert (status, problem["code"]) == (403, "tenant_suspended")
    assert users.deliver(wrap(TenantReinstated(version=2), member.tenant_id)) == []
    assert users.deliver(suspend(member.tenant_id, 1)) == []
    assert users.login(member.email)[0] == 200


def test_a_closed_tenant_is_as_if_it_never_was_and_stays_so(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    assert users.deliver(close(member.tenant_id, 3)) == []
    assert users.deliver(wrap(TenantReinstated(version=4), member.tenant_id)) == []
    assert users.login(member.email) == users.login(make_email())
    assert users.post("refresh", {"refresh_token": member.refresh_token})[0] == 401
    assert users.post("password/forgot", {"email": member.email})[0] == 202
    assert published.messages(PasswordResetRequested) == []


def list_messages(member: Member, tenant_id: UUID) -> dict[str, Envelope]:
    profile = ProfileChanged(
        user_id=member.user_id, full_name="Eve", locale="en", time_zone="Asia/Jakarta"
    )
    return {
        "MemberRoleChanged": wrap(
            MemberRoleChanged(user_id=member.user_id, role="viewer", version=5), tenant_id
        ),
        "MemberRemoved": wrap(MemberRemoved(user_id=member.user_id), tenant_id),
        "ProfileChanged": wrap(profile, tenant_id),
        "TenantSuspended": suspend(tenant_id),
        "TenantReinstated": wrap(TenantReinstated(version=1), tenant_id),
        "TenantClosed": close(tenant_id),
        "MemberInvited": invite(tenant_id, make_email()),
        "InvitationRevoked": wrap(InvitationRevoked(invitation_id=uuid7()), tenant_id),
    }


NAMES = (
    "MemberRoleChanged",
    "MemberRemoved",
    "ProfileChanged",
    "TenantSuspended",
    "TenantReinstated",
    "TenantClosed",
    "MemberInvited",
    "InvitationRevoked",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_redelivered_message_changes_nothing_more(
    users: UserDoors, published: RecordingPublisher, name: str
) -> None:
    member = users.sign_in()
    record = sqs_event(list_messages(member, member.tenant_id)[name])
    assert consumer.handler(record, None) == {"batchItemFailures": []}
    count = len(published.rows)
    assert consumer.handler(record, None) == {"batchItemFailures": []}
    assert len(published.rows) == count


@pytest.mark.parametrize("name", NAMES)
def test_a_message_of_another_tenant_touches_nobody_here(
    users: UserDoors, published: RecordingPublisher, other_tenant: UUID, name: str
) -> None:
    member = users.sign_in()
    failures = users.deliver(list_messages(member, other_tenant)[name])
    assert len(failures) == (name in ("MemberRoleChanged", "MemberRemoved", "ProfileChanged"))
    assert published.messages(AccessRevoked) == []
    pair = users.post("refresh", {"refresh_token": member.refresh_token})[1]
    assert read_claims(pair["access_token"])["role"] == "owner"


@pytest.mark.parametrize("name", NAMES)
def test_a_message_without_a_tenant_goes_to_the_dead_letter_queue(
    users: UserDoors, name: str
) -> None:
    envelope = list_messages(users.sign_in(), uuid7())[name]
    bare = envelope.model_copy(
        update={"meta": envelope.meta.model_copy(update={"tenant_id": None})}
    )
    assert len(users.deliver(bare)) == 1


def test_a_revocation_of_another_tenant_leaves_the_invitation_open(
    users: UserDoors, other_tenant: UUID
) -> None:
    owner = users.sign_in()
    invitation = invite(owner.tenant_id, make_email())
    assert isinstance(invitation.data, MemberInvited)
    foreign = wrap(InvitationRevoked(invitation_id=invitation.data.invitation_id), other_tenant)
    users.deliver(invitation, foreign)
    assert accept(users, invitation)[0] == 201
