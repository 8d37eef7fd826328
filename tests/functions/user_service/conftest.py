"""user_service in process: its HTTP and queue doors over the real database."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.user_management import EmailVerified
from contracts.user_service import UserRegistered
from functions.user_service import api, consumer
from kit.db import Database
from tests.support.builders import api_event, read_answer, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

SEED = "q5N0v8xZ1kTj3mWc7RbLh2YpEs9GdUfA4oXnJ6iVzQk"
PASSWORD = "jalan kenangan 1978"


class UserDoors:
    """Calls the room as API Gateway and SQS would."""

    def __init__(self, published: RecordingPublisher) -> None:
        self._published = published

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return read_answer(api.handler(api_event(method, path, body=body, **more), None))

    def post(self, path: str, body: Any, **more: Any) -> tuple[int, Any]:
        return self.call("POST", f"/v1/auth/{path}", body, **more)

    def register(self, email: str | None = None, **more: Any) -> tuple[int, Any]:
        body = {
            "email": email or make_email(),
            "password": PASSWORD,
            "full_name": "Siti Rahma",
            "tenant_name": "Rahma Trading",
            "locale": "id",
            **more,
        }
        return self.post("register", body)

    def join(self, email: str) -> UserRegistered:
        """Register and prove an address."""
        status, _ = self.register(email)
        assert status == 201
        registered = self._published.envelopes(UserRegistered)[-1]
        assert self.deliver(verified_by(registered)) == []
        return registered.data  # type: ignore[return-value]

    def login(self, email: str, password: str = PASSWORD) -> tuple[int, Any]:
        return self.post("login", {"email": email, "password": password})

    def deliver(self, *envelopes: Envelope) -> list[Any]:
        answer: dict[str, Any] = consumer.handler(sqs_event(*envelopes), None)
        return list(answer["batchItemFailures"])


def make_email() -> str:
    return f"user-{uuid7().hex}@example.com"


def verified_by(registered: Envelope, tenant_id: UUID | None = None) -> Envelope:
    """What user_management publishes once the link of the mail was followed."""
    user = registered.data
    assert isinstance(user, UserRegistered)
    event = EmailVerified(
        user_id=user.user_id,
        email=user.email,
        full_name=user.full_name,
        tenant_name=user.tenant_name,
        locale=user.locale,
    )
    return wrap(event, tenant_id or registered.meta.tenant_id)


@pytest.fixture
def users(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    set_secret: Callable[[str, dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> UserDoors:
    database = open_room("user_service")
    monkeypatch.setattr(api, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_database", lambda: database)
    set_secret("jwt", {"seed": SEED})
    return UserDoors(published)
