"""user_management in process: its HTTP and queue doors over the real database."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.user_management import EmailVerificationRequested
from contracts.user_service import UserRegistered
from functions.user_management import api, consumer
from kit.db import Database
from tests.support.builders import api_event, read_answer, sqs_event, wrap
from tests.support.publisher import RecordingPublisher


class ProfileDoors:
    """Calls the room as API Gateway and SQS would."""

    def __init__(self, published: RecordingPublisher) -> None:
        self._published = published

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return read_answer(api.handler(api_event(method, path, body=body, **more), None))

    def deliver(self, *envelopes: Envelope) -> list[Any]:
        answer: dict[str, Any] = consumer.handler(sqs_event(*envelopes), None)
        return list(answer["batchItemFailures"])

    def join(self, tenant_id: UUID, **more: Any) -> EmailVerificationRequested:
        """Let a registration arrive; what the mail would say."""
        assert self.deliver(registration(tenant_id, **more)) == []
        request = self._published.messages(EmailVerificationRequested)[-1]
        assert isinstance(request, EmailVerificationRequested)
        return request

    def verify(self, token: str) -> tuple[int, Any]:
        return self.call("POST", "/v1/auth/verify-email", {"token": token})


def registration(tenant_id: UUID | None, user_id: UUID | None = None, **more: Any) -> Envelope:
    event = UserRegistered(
        user_id=user_id or uuid7(),
        email=more.get("email", f"user-{uuid7().hex}@example.com"),
        full_name=more.get("full_name", "Siti Rahma"),
        tenant_name="Rahma Trading",
        locale="id",
    )
    return wrap(event, tenant_id)


@pytest.fixture
def profiles(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> ProfileDoors:
    database = open_room("user_management")
    monkeypatch.setattr(api, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_database", lambda: database)
    return ProfileDoors(published)
