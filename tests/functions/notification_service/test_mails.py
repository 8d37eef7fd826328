"""Mails leave once an event and address, in the reader's words; their secrets stay nowhere."""

from typing import Any
from uuid import UUID

import pytest

from contracts.database_service import TenantExportReady
from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.notification_service import NotificationDelivered
from contracts.user_management import EmailVerificationRequested, MemberInvited
from contracts.user_service import (
    EmailChangeRequested,
    PasswordResetRequested,
    SecurityAlertRaised,
)
from functions.notification_service import api, consumer
from functions.notification_service.store import HALF_SENT_AFTER
from tests.functions.notification_service.conftest import Room
from tests.support.builders import (
    NOW,
    FixedClock,
    api_event,
    principal,
    read_answer,
    sqs_record,
    wrap,
)
from tests.support.publisher import RecordingPublisher

TOKEN = "planted-secret-" + "t" * 40


def make_messages(to: str) -> dict[str, Message]:
    """Every message that becomes a mail, by the kind of its notification."""
    who: dict[str, Any] = {"user_id": uuid7(), "locale": "id"}
    secret: dict[str, Any] = {"token": TOKEN, "expires_at": NOW}
    return {
        "verification": EmailVerificationRequested(email=to, full_name="Sari", **who, **secret),
        "password_reset": PasswordResetRequested(email=to, **who, **secret),
        "email_change": EmailChangeRequested(new_email=to, **who, **secret),
        "invitation": MemberInvited(
            invitation_id=uuid7(),
            email=to,
            role="viewer",
            tenant_name="Wijaya",
            inviter_name="Budi",
            locale="en",
            **secret,
        ),
        "security_alert": SecurityAlertRaised(email=to, kind="password_changed", **who),
        "export_ready": TenantExportReady(export_id=uuid7(), email=to, expires_at=NOW, **who),
    }


KINDS = tuple(make_messages("a@example.com"))


def new_address() -> str:
    return f"{uuid7().hex}@example.com"


def deliver(record: dict[str, Any]) -> int:
    return len(consumer.handler({"Records": [record]}, None)["batchItemFailures"])


def rows(room: Room, tenant: UUID) -> list[dict[str, Any]]:
    with room.database.transaction(tenant) as tx:
        return tx.fetch_all("SELECT kind, recipient, body, state FROM notifications")


@pytest.mark.parametrize("kind", KINDS)
def test_redelivery_of_a_mail_sends_one_and_keeps_kind_and_recipient_only(
    room: Room, tenant: UUID, published: RecordingPublisher, log_lines: list[str], kind: str
) -> None:
    to = new_address()
    record = sqs_record(wrap(make_messages(to)[kind], tenant))
    assert [deliver(record) for _ in range(3)] == [0, 0, 0]
    (mail,) = room.mails(to)
    assert mail["text"]
    assert mail["html"].startswith("<!doctype html>")
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    assert rows(room, tenant) == [{"kind": kind, "recipient": to, "body": None, "state": "sent"}]
    assert [e.kind for e in published.messages(NotificationDelivered)] == [kind]
    assert log_lines
    assert TOKEN not in "".join(log_lines)
    assert TOKEN not in "".join(row.envelope for row in published.rows)


@pytest.mark.parametrize("kind", KINDS)
def test_another_tenant_sees_nothing_of_a_mail(
    room: Room, tenant: UUID, other_tenant: UUID, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(api, "_database", lambda: room.database)
    deliver(sqs_record(wrap(make_messages(new_address())[kind], tenant)))
    for who, kinds in ((tenant, [("email", kind, "sent")]), (other_tenant, [])):
        event = api_event("GET", "/v1/notifications", principal=principal(who))
        status, body = read_answer(api.handler(event, None))
        assert status == 200
        assert [(i["channel"], i["kind"], i["state"]) for i in body["items"]] == kinds
        assert rows(room, other_tenant) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_without_a_tenant_is_kept_for_a_human(room: Room, kind: str) -> None:
    to = new_address()
    assert deliver(sqs_record(wrap(make_messages(to)[kind], None))) == 1
    assert room.mails(to) == []


def test_a_mail_server_that_fails_brings_the_message_back(
    room: Room, tenant: UUID, log_lines: list[str]
) -> None:
    to = new_address()
    room.fault("mail", match=to, drop=True, times=1)
    record = sqs_record(wrap(make_messages(to)["password_reset"], tenant))
    assert deliver(record) == 1
    assert deliver(record) == 0
    assert len(room.mails(to)) == 1
    assert TOKEN not in "".join(log_lines)


def test_an_address_refused_for_good_is_given_up(room: Room, tenant: UUID) -> None:
    to = new_address()
    room.fault("mail", match=f"RCPT TO:<{to}>", status=550, times=5)
    record = sqs_record(wrap(make_messages(to)["invitation"], tenant))
    assert [deliver(record) for _ in range(2)] == [0, 0]
    assert [row["state"] for row in rows(room, tenant)] == ["undeliverable"]
    assert room.mails(to) == []


def test_an_address_refused_for_now_is_tried_again(room: Room, tenant: UUID) -> None:
    to = new_address()
    room.fault("mail", match=f"RCPT TO:<{to}>", status=450, times=1)
    record = sqs_record(wrap(make_messages(to)["invitation"], tenant))
    assert [deliver(record) for _ in range(2)] == [1, 0]
    assert len(room.mails(to)) == 1


def test_an_international_address_that_the_server_takes_gets_its_mail(
    room: Room, tenant: UUID
) -> None:
    to = f"józef.{uuid7().hex}@example.com"
    assert deliver(sqs_record(wrap(make_messages(to)["security_alert"], tenant))) == 0
    assert len(room.mails(to)) == 1


def test_a_mail_that_another_worker_is_sending_waits_and_is_taken_over_after_a_crash(
    room: Room, tenant: UUID, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second delivery of the same event, while the first worker has the mail and dies."""
    to = new_address()
    record = sqs_record(wrap(make_messages(to)["verification"], tenant))

    def crash(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("smtplib.SMTP.send_message", crash)
        with pytest.raises(KeyboardInterrupt):
            deliver(record)
    assert deliver(record) == 1
    assert room.mails(to) == []
    clock.advance(seconds=HALF_SENT_AFTER.total_seconds())
    assert deliver(record) == 0
    assert len(room.mails(to)) == 1


def test_one_event_goes_to_the_new_address_of_a_change(room: Room, tenant: UUID) -> None:
    new = new_address()
    deliver(sqs_record(wrap(make_messages(new)["email_change"], tenant)))
    (mail,) = room.mails(new)
    assert mail["to"] == [new]
    assert TOKEN in mail["text"].replace("\r", "").split("\n")
