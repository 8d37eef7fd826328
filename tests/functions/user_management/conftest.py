"""user_management in process: its HTTP and queue doors over the real database."""

import secrets
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.database_service import TenantErased
from contracts.envelope import Envelope, Message
from contracts.ids import uuid7
from contracts.user_management import EmailVerificationRequested, MemberInvited
from contracts.user_service import InvitationAccepted, UserRegistered
from functions.user_management import api, consumer
from functions.user_management.logic.links import MailLinks
from functions.user_management.logic.tenants import derive_erasure_id
from kit.db import Database
from tests.support.builders import (
    FixedClock,
    api_event,
    principal,
    read_answer,
    sqs_event,
    wrap,
)
from tests.support.publisher import RecordingPublisher


class Rooms:
    """Calls the room as API Gateway and SQS would."""

    def __init__(
        self, database: Database, published: RecordingPublisher, clock: FixedClock
    ) -> None:
        self.database = database
        self.published = published
        self.clock = clock

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return read_answer(api.handler(api_event(method, path, body=body, **more), None))

    def deliver(self, *envelopes: Envelope) -> list[Any]:
        answer: dict[str, Any] = consumer.handler(sqs_event(*envelopes), None)
        return list(answer["batchItemFailures"])

    def send(self, message: Message, tenant_id: UUID | None = None) -> list[Any]:
        """Let a message arrive now."""
        return self.deliver(wrap(message, tenant_id, self.clock.now()))

    def register(self, tenant_id: UUID, **more: Any) -> EmailVerificationRequested:
        """Let a registration arrive; what the mail would say."""
        assert self.deliver(registration(tenant_id, **more)) == []
        request = self.published.messages(EmailVerificationRequested)[-1]
        assert isinstance(request, EmailVerificationRequested)
        return request

    def verify(self, token: str) -> tuple[int, Any]:
        return self.call("POST", "/v1/auth/verify-email", {"token": token})

    def found(self, tenant_id: UUID, **more: Any) -> dict[str, Any]:
        """Make a verified tenant; its owner as the authorizer would name them."""
        request = self.register(tenant_id, **more)
        assert self.verify(request.token)[0] == 200
        return as_user(tenant_id, request.user_id)

    def invite(
        self, owner: dict[str, Any], role: str = "trader", email: str | None = None
    ) -> MemberInvited:
        """Invite an address; what the mail would say."""
        body = {"email": email or make_address(), "role": role}
        assert self.call("POST", "/v1/tenants/invitations", body, principal=owner)[0] == 201
        invited = self.published.messages(MemberInvited)[-1]
        assert isinstance(invited, MemberInvited)
        return invited

    def join(self, owner: dict[str, Any], role: str = "trader") -> dict[str, Any]:
        """Invite somebody who accepts; the new member as the authorizer would name them."""
        tenant_id = UUID(owner["tenant_id"])
        accepted = acceptance(self.invite(owner, role))
        assert self.send(accepted, tenant_id) == []
        return as_user(tenant_id, accepted.user_id, role)

    def consent(self, owner: dict[str, Any], *documents: str) -> None:
        for document in documents:
            body = {"document": document, "version": 1}
            assert self.call("POST", "/v1/users/me/consents", body, principal=owner)[0] == 201

    def erase(self, tenant_id: UUID) -> list[Any]:
        """Let the news arrive that every store has forgotten the tenant."""
        erased = TenantErased(erasure_id=derive_erasure_id(tenant_id), rows_erased=9, rows_kept=1)
        return self.send(erased, tenant_id)

    def messages(self, contract: type[Any]) -> list[Any]:
        return self.published.messages(contract)

    def actions(self, tenant_id: UUID) -> list[str]:
        """What the tenant's audit trail says was done, in order."""
        from contracts.audit import AuditRecorded

        return [
            envelope.data.action
            for envelope in self.published.envelopes(AuditRecorded)
            if envelope.meta.tenant_id == tenant_id and isinstance(envelope.data, AuditRecorded)
        ]


def make_address() -> str:
    return f"user-{uuid7().hex}@example.com"


def as_user(tenant_id: UUID, user_id: UUID, role: str = "owner", **more: Any) -> dict[str, Any]:
    """A member with a fresh second factor."""
    fresh = str(int(time.time()))
    return principal(
        tenant_id, **{"user_id": str(user_id), "role": role, "stepped_up_at": fresh, **more}
    )


def as_staff(**more: str) -> dict[str, Any]:
    """Somebody of the platform, whose own tenant does not matter."""
    return principal(uuid7(), **{"platform_admin": "true", **more})


def registration(tenant_id: UUID | None, user_id: UUID | None = None, **more: Any) -> Envelope:
    event = UserRegistered(
        user_id=user_id or uuid7(),
        email=more.get("email", make_address()),
        full_name=more.get("full_name", "Siti Rahma"),
        tenant_name=more.get("tenant_name", "Rahma Trading"),
        locale=more.get("locale", "id"),
    )
    return wrap(event, tenant_id)


def acceptance(invited: MemberInvited, **more: Any) -> InvitationAccepted:
    return InvitationAccepted(
        **{
            "invitation_id": invited.invitation_id,
            "user_id": uuid7(),
            "email": invited.email,
            "full_name": "Budi Santoso",
            "role": invited.role,
            "locale": invited.locale,
            **more,
        }
    )


@pytest.fixture
def mail_key(set_secret: Callable[[str, dict[str, Any]], None]) -> str:
    """The key of the mails' tokens, as the room reads it."""
    key = secrets.token_urlsafe(32)
    set_secret("mail-links", {"key": key})
    return key


@pytest.fixture
def links(mail_key: str) -> MailLinks:
    return MailLinks(mail_key)


@pytest.fixture
def rooms(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    clock: FixedClock,
    mail_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Rooms:
    database = open_room("user_management")
    monkeypatch.setattr(api, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_database", lambda: database)
    return Rooms(database, published, clock)
