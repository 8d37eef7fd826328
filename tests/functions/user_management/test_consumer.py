"""user_management's queue: a registration makes one tenant, one profile and one mail."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.registry import parse_envelope
from contracts.user_management import EmailVerificationRequested
from functions.user_management import consumer
from kit.db import Database
from tests.functions.user_management.conftest import ProfileDoors, registration
from tests.support.builders import principal, sqs_event
from tests.support.publisher import RecordingPublisher

SAMPLES = Path(__file__).parents[3] / "events" / "samples"


def test_a_redelivered_registration_makes_one_profile_and_one_mail(
    profiles: ProfileDoors, published: RecordingPublisher, tenant: UUID
) -> None:
    event = sqs_event(registration(tenant))
    for _ in range(2):
        assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(EmailVerificationRequested)) == 1
    _, page = profiles.call("GET", "/v1/tenants/members", principal=principal(tenant))
    assert len(page["items"]) == 1


def test_the_same_user_announced_by_another_event_gets_no_second_mail(
    profiles: ProfileDoors, published: RecordingPublisher, tenant: UUID
) -> None:
    user_id = uuid7()
    assert profiles.deliver(registration(tenant, user_id), registration(tenant, user_id)) == []
    assert len(published.messages(EmailVerificationRequested)) == 1


def test_another_tenant_cannot_claim_a_user(
    profiles: ProfileDoors, published: RecordingPublisher, tenant: UUID, other_tenant: UUID
) -> None:
    user_id = profiles.join(tenant).user_id
    assert len(profiles.deliver(registration(other_tenant, user_id))) == 1
    assert len(published.messages(EmailVerificationRequested)) == 1
    _, page = profiles.call("GET", "/v1/tenants/members", principal=principal(other_tenant))
    assert page["items"] == []


def test_a_registration_without_a_tenant_goes_to_the_dead_letter_queue(
    profiles: ProfileDoors,
) -> None:
    assert len(profiles.deliver(registration(None))) == 1


def test_a_refusing_bus_leaves_the_mail_in_the_outbox(
    profiles: ProfileDoors,
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    tenant: UUID,
) -> None:
    published.refusing = True
    assert profiles.deliver(registration(tenant)) == []
    with open_room("user_management").transaction(None) as tx:
        rows = tx.fetch_all(
            "DELETE FROM outbox WHERE envelope LIKE %s RETURNING detail_type", [f"%{tenant}%"]
        )
    assert [row["detail_type"] for row in rows] == ["EmailVerificationRequested"]


@pytest.mark.parametrize("name", ["EmailVerificationRequested", "EmailVerified"])
def test_the_samples_of_this_room_parse(name: str) -> None:
    detail = json.loads((SAMPLES / "user_management" / f"{name}.v1.json").read_text())
    assert parse_envelope(name, detail).detail_type == name
