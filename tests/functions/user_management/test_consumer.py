"""user_management's queue: each message has its effect once, in its own tenant only."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from contracts.database_service import TenantErased
from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.registry import MESSAGES, parse_envelope
from contracts.user_management import (
    EmailVerificationRequested,
    EraseClosedTenants,
    EraseTenant,
    MemberRemoved,
    ResendVerification,
    TenantSuspended,
)
from contracts.user_service import EmailChanged
from functions.user_management import consumer
from functions.user_management.logic.tenants import derive_erasure_id
from kit.db import Database
from tests.functions.user_management.conftest import (
    Rooms,
    acceptance,
    as_staff,
    as_user,
    make_address,
    registration,
)
from tests.support.builders import FixedClock, principal, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

SAMPLES = Path(__file__).parents[3] / "events" / "samples"
MEMBERS = "/v1/tenants/members"


def list_members(rooms: Rooms, tenant: UUID) -> dict[str, str]:
    _, page = rooms.call("GET", MEMBERS, principal=principal(tenant))
    return {item["user_id"]: item["role"] for item in page["items"]}


def test_a_redelivered_registration_makes_one_profile_and_one_mail(
    rooms: Rooms, tenant: UUID
) -> None:
    event = sqs_event(registration(tenant))
    for _ in range(2):
        assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert len(rooms.messages(EmailVerificationRequested)) == 1
    assert list(list_members(rooms, tenant).values()) == ["owner"]


def test_the_same_user_announced_by_another_event_gets_no_second_mail(
    rooms: Rooms, tenant: UUID
) -> None:
    user_id = uuid7()
    assert rooms.deliver(registration(tenant, user_id), registration(tenant, user_id)) == []
    assert len(rooms.messages(EmailVerificationRequested)) == 1


def test_another_tenant_cannot_claim_a_user_and_a_tenant_has_one_registration(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    user_id = rooms.register(tenant).user_id
    assert len(rooms.deliver(registration(other_tenant, user_id))) == 1
    assert len(rooms.deliver(registration(tenant))) == 1
    assert len(rooms.messages(EmailVerificationRequested)) == 1
    assert list_members(rooms, other_tenant) == {}
    assert list_members(rooms, tenant) == {str(user_id): "owner"}


def test_a_redelivered_acceptance_adds_one_member_with_the_role_that_was_given(
    rooms: Rooms, tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    accepted = acceptance(rooms.invite(owner, "viewer"), role="owner")
    envelope = wrap(accepted, tenant)
    for event in (envelope, envelope, wrap(accepted, tenant)):
        assert rooms.deliver(event) == []
    assert list_members(rooms, tenant) == {
        owner["user_id"]: "owner",
        str(accepted.user_id): "viewer",
    }
    assert rooms.actions(tenant).count("member.joined") == 1
    assert rooms.messages(MemberRemoved) == []
    status, profile = rooms.call(
        "GET", "/v1/users/me", principal=principal(tenant, user_id=accepted.user_id)
    )
    assert (status, profile["email_verified"]) == (200, True)
    assert rooms.call("GET", "/v1/tenants/invitations", principal=owner)[1]["items"] == []


@pytest.mark.parametrize("how", ["revoked", "replaced", "unknown"])
def test_who_accepts_what_is_no_invitation_any_more_is_no_member(
    rooms: Rooms, tenant: UUID, how: str
) -> None:
    owner = rooms.found(tenant)
    accepted = acceptance(rooms.invite(owner))
    if how == "revoked":
        path = f"/v1/tenants/invitations/{accepted.invitation_id}"
        assert rooms.call("DELETE", path, principal=owner)[0] == 204
    elif how == "replaced":
        rooms.invite(owner, "viewer", accepted.email)
    else:
        accepted = accepted.model_copy(update={"invitation_id": uuid7()})
    assert rooms.send(accepted, tenant) == []
    assert list_members(rooms, tenant) == {owner["user_id"]: "owner"}
    (removed,) = rooms.messages(MemberRemoved)
    assert removed.user_id == accepted.user_id


def test_a_member_stays_when_the_acceptance_comes_again_after_the_invitation_was_pruned(
    rooms: Rooms, tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    accepted = acceptance(rooms.invite(owner))
    assert rooms.send(accepted, tenant) == []
    with rooms.database.transaction(tenant) as tx:
        tx.execute("DELETE FROM invitations")
    assert rooms.send(accepted, tenant) == []
    assert str(accepted.user_id) in list_members(rooms, tenant)
    assert rooms.messages(MemberRemoved) == []


def test_an_invitation_of_another_tenant_cannot_be_accepted_under_ones_own(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner, stranger = rooms.found(tenant), rooms.found(other_tenant)
    accepted = acceptance(rooms.invite(owner))
    assert rooms.send(accepted, other_tenant) == []
    assert list_members(rooms, other_tenant) == {stranger["user_id"]: "owner"}
    assert rooms.send(accepted, tenant) == []
    assert str(accepted.user_id) in list_members(rooms, tenant)


def test_a_user_of_another_tenant_does_not_join_by_an_invitation(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner, stranger = rooms.found(tenant), rooms.found(other_tenant)
    accepted = acceptance(rooms.invite(owner), user_id=UUID(stranger["user_id"]))
    assert len(rooms.send(accepted, tenant)) == 1
    assert list_members(rooms, tenant) == {owner["user_id"]: "owner"}


def read_address(rooms: Rooms, who: dict[str, str]) -> str:
    return str(rooms.call("GET", "/v1/users/me", principal=who)[1]["email"])


def test_a_redelivered_or_late_change_of_address_does_not_undo_a_newer(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    owner = rooms.found(tenant)
    user_id = UUID(owner["user_id"])
    older = wrap(EmailChanged(user_id=user_id, email="old@example.com"), tenant, clock.now())
    clock.advance(minutes=1)
    newer = EmailChanged(user_id=user_id, email="New@example.com")
    envelope = wrap(newer, tenant, clock.now())
    for event in (envelope, older, envelope):
        assert rooms.deliver(event) == []
        assert read_address(rooms, owner) == "new@example.com"


def test_a_changed_address_makes_open_tokens_useless(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    request = rooms.register(tenant)
    changed = EmailChanged(user_id=request.user_id, email=make_address())
    assert rooms.send(changed, tenant) == []
    assert rooms.verify(request.token)[0] == 400


def test_a_changed_address_of_another_tenants_user_comes_back_and_changes_nothing(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    rooms.found(other_tenant)
    before = read_address(rooms, owner)
    changed = EmailChanged(user_id=UUID(owner["user_id"]), email="eve@example.com")
    assert len(rooms.send(changed, other_tenant)) == 1
    assert read_address(rooms, owner) == before


def close(rooms: Rooms, tenant: UUID) -> dict[str, str]:
    owner = rooms.found(tenant)
    assert rooms.call("DELETE", "/v1/tenants/me", principal=owner)[0] == 202
    return owner


def ask_erasures(rooms: Rooms, tenant: UUID) -> list[UUID]:
    """Let the clock strike; the erasures asked for of this tenant, by event."""
    assert rooms.send(EraseClosedTenants(limit=200)) == []
    return [
        envelope.meta.event_id
        for envelope in rooms.published.envelopes(EraseTenant)
        if envelope.meta.tenant_id == tenant
    ]


def test_an_erasure_is_asked_for_after_the_wait_and_again_each_day_until_it_is_done(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    close(rooms, tenant)
    clock.advance(days=29, hours=23)
    assert ask_erasures(rooms, tenant) == []
    clock.advance(hours=1)
    (first,) = ask_erasures(rooms, tenant)
    assert ask_erasures(rooms, tenant) == [first]
    clock.advance(hours=23, minutes=59)
    assert ask_erasures(rooms, tenant) == [first]
    clock.advance(minutes=1)
    assert len(set(ask_erasures(rooms, tenant))) == 2
    erasures = {e.erasure_id for e in rooms.messages(EraseTenant)} & {derive_erasure_id(tenant)}
    assert erasures == {derive_erasure_id(tenant)}
    assert rooms.erase(tenant) == []
    clock.advance(days=2)
    assert len(ask_erasures(rooms, tenant)) == 2


def test_a_redelivered_clock_asks_once(rooms: Rooms, tenant: UUID, clock: FixedClock) -> None:
    close(rooms, tenant)
    clock.advance(days=30)
    envelope = wrap(EraseClosedTenants(limit=200), None, clock.now())
    for _ in range(2):
        assert rooms.deliver(envelope) == []
    asked = [e for e in rooms.published.envelopes(EraseTenant) if e.meta.tenant_id == tenant]
    assert len(asked) == 1


def test_one_strike_of_the_clock_asks_for_a_bounded_number(rooms: Rooms, clock: FixedClock) -> None:
    for _ in range(3):
        close(rooms, uuid7())
    clock.advance(days=3_000)
    assert rooms.send(EraseClosedTenants(limit=2)) == []
    assert len(rooms.messages(EraseTenant)) == 2


def test_an_erased_tenant_keeps_a_row_without_a_person(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    owner = rooms.found(tenant, full_name="Siti Rahma", email="siti.erased@example.com")
    rooms.consent(owner, "terms", "risk_notice")
    invited = rooms.invite(owner)
    key = {"Idempotency-Key": "rename-1"}
    rooms.call("PATCH", "/v1/tenants/me", {"name": "Siti"}, principal=owner, headers=key)
    rooms.call("DELETE", "/v1/tenants/me", principal=owner)
    envelope = wrap(
        TenantErased(erasure_id=derive_erasure_id(tenant), rows_erased=1, rows_kept=0), tenant
    )
    for _ in range(2):
        assert rooms.deliver(envelope) == []
    with rooms.database.transaction(tenant) as tx:
        (row,) = tx.fetch_all("SELECT * FROM tenants")
        assert (row["status"], row["name"]) == ("erased", "erased")
        for table in ("profiles", "invitations", "verification_tokens", "idempotency_keys"):
            assert tx.fetch_all(f"SELECT * FROM {table}") == []
        consents = tx.fetch_all("SELECT * FROM consents")
    assert {consent["address"] for consent in consents} == {None}
    assert len(consents) == 2
    kept = str(row) + str(consents)
    for personal in ("siti", "Siti", invited.email, "127.0.0.1"):
        assert personal not in kept
    assert rooms.actions(tenant).count("tenant.erased") == 1


@pytest.mark.parametrize("end", ["closed", "erased"])
def test_a_late_message_brings_nobody_back_to_a_tenant_that_is_gone(
    rooms: Rooms, tenant: UUID, end: str
) -> None:
    registered = registration(tenant)
    rooms.deliver(registered)
    token = rooms.messages(EmailVerificationRequested)[-1].token
    assert rooms.verify(token)[0] == 200
    user_id = rooms.messages(EmailVerificationRequested)[-1].user_id
    owner = as_user(tenant, user_id)
    accepted = acceptance(rooms.invite(owner))
    rooms.call("DELETE", "/v1/tenants/me", principal=owner)
    if end == "erased":
        assert rooms.erase(tenant) == []
    before = list_members(rooms, tenant)
    late: tuple[Message, ...] = (
        registered.data,
        accepted,
        EmailChanged(user_id=user_id, email="late@example.com"),
    )
    for message in late:
        assert rooms.send(message, tenant) == []
    assert list_members(rooms, tenant) == before
    with rooms.database.transaction(tenant) as tx:
        rows = tx.fetch_all("SELECT email FROM profiles WHERE email LIKE 'late%%'")
    assert rows == []


def test_nobody_erases_a_tenant_that_is_not_closed_or_of_another_erasure(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    assert len(rooms.erase(tenant)) == 1
    close(rooms, other_tenant)
    strange = TenantErased(erasure_id=derive_erasure_id(tenant), rows_erased=1, rows_kept=0)
    assert len(rooms.send(strange, other_tenant)) == 1
    assert rooms.call("GET", "/v1/tenants/me", principal=owner)[1]["status"] == "verified"
    _, shown = rooms.call("GET", f"/v1/tenants/{other_tenant}", principal=as_staff())
    assert shown["status"] == "closed"


@pytest.mark.parametrize(
    "message",
    [
        registration(None).data,
        EmailChanged(user_id=uuid7(), email="a@example.com"),
        TenantErased(erasure_id=uuid7(), rows_erased=0, rows_kept=0),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_without_its_tenant_goes_to_the_dead_letter_queue(
    rooms: Rooms, message: Message
) -> None:
    assert len(rooms.send(message)) == 1


def test_a_message_that_this_room_does_not_take_comes_back(rooms: Rooms, tenant: UUID) -> None:
    assert len(rooms.send(TenantSuspended(reason="x", version=2), tenant)) == 1


def test_a_refusing_bus_leaves_the_mail_in_the_outbox(
    rooms: Rooms,
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    tenant: UUID,
) -> None:
    published.refusing = True
    assert rooms.deliver(registration(tenant)) == []
    with open_room("user_management").transaction(None) as tx:
        rows = tx.fetch_all(
            "DELETE FROM outbox WHERE envelope LIKE %s RETURNING detail_type", [f"%{tenant}%"]
        )
    assert [row["detail_type"] for row in rows] == ["EmailVerificationRequested"]


def test_a_wish_for_an_unknown_address_does_nothing(rooms: Rooms) -> None:
    assert rooms.send(ResendVerification(email=make_address())) == []
    assert rooms.messages(EmailVerificationRequested) == []


@pytest.mark.parametrize(
    "name", [name for name, contract in MESSAGES.items() if contract.service == "user_management"]
)
def test_the_samples_of_this_room_parse(name: str) -> None:
    detail = json.loads((SAMPLES / "user_management" / f"{name}.v1.json").read_text())
    envelope = parse_envelope(name, detail)
    assert envelope.detail_type == name
    assert json.loads(envelope.to_json()) == detail


def test_the_waiting_time_is_told_in_the_event_of_the_closure(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    close(rooms, tenant)
    with rooms.database.transaction(tenant) as tx:
        (row,) = tx.fetch_all("SELECT closed_at, erase_after FROM tenants")
    assert row["erase_after"] - row["closed_at"] == timedelta(days=30)
