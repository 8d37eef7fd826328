"""user_service in process: its HTTP and queue doors over the real database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
import pyotp
import pytest
import redis

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.user_management import EmailVerified
from contracts.user_service import UserRegistered
from functions.user_service import api, consumer
from kit.db import Database
from kit.settings import forget_secrets
from tests.support.builders import (
    FixedClock,
    api_event,
    principal,
    read_answer,
    sqs_event,
    wrap,
)
from tests.support.publisher import RecordingPublisher

SEED = "q5N0v8xZ1kTj3mWc7RbLh2YpEs9GdUfA4oXnJ6iVzQk"
PASSWORD = "jalan kenangan 1978"
WRONG = "wrong password 1"
FACTOR_KEY = "Zk3vT8pQ1xW6mB9nR4cL7yH2sJ5dF0gAuEiOoPqXtNw"
DEAD_REDIS = "redis://127.0.0.1:9"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/131.0 Mobile"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


@dataclass
class Member:
    """A user who is signed in, with the tokens of one session."""

    email: str
    user_id: UUID
    tenant_id: UUID
    access_token: str
    refresh_token: str

    @property
    def claims(self) -> dict[str, Any]:
        return read_claims(self.access_token)

    @property
    def session_id(self) -> UUID:
        return UUID(self.claims["sid"])

    def principal(self, **more: Any) -> dict[str, Any]:
        """The context the authorizer would make of the access token."""
        claims = self.claims
        stepped_up_at = str(claims["sua"]) if claims["sua"] else ""
        return principal(
            self.tenant_id,
            user_id=claims["sub"],
            session_id=claims["sid"],
            role=claims["role"],
            stepped_up_at=stepped_up_at,
            **more,
        )


def read_claims(access_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(access_token, options={"verify_signature": False})
    return claims


class UserDoors:
    """Calls the room as API Gateway and SQS would."""

    def __init__(self, published: RecordingPublisher, clock: FixedClock) -> None:
        self._published = published
        self.clock = clock
        self.network = "127.0.0.1"
        self.device = LAPTOP

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        event = api_event(method, path, body=body, **more)
        event["requestContext"]["identity"] = {
            "sourceIp": self.network,
            "userAgent": self.device,
        }
        return read_answer(api.handler(event, None))

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

    def login(self, email: str, password: str = PASSWORD, **more: Any) -> tuple[int, Any]:
        return self.post("login", {"email": email, "password": password, **more})

    def sign_in(self, email: str | None = None, password: str = PASSWORD, **more: Any) -> Member:
        """Sign in; without an address as a new user of a new tenant."""
        if email is None:
            email = make_email()
            self.join(email)
        status, pair = self.login(email, password, **more)
        assert status == 200, pair
        claims = read_claims(pair["access_token"])
        return Member(
            email,
            UUID(claims["sub"]),
            UUID(claims["tid"]),
            pair["access_token"],
            pair["refresh_token"],
        )

    def turn_on_totp(self, member: Member) -> tuple[pyotp.TOTP, list[str]]:
        """Turn a second factor on; the clock moves to the next code."""
        who = member.principal()
        status, setup = self.call("POST", "/v1/auth/mfa/totp", principal=who)
        assert status == 201
        app = pyotp.TOTP(setup["secret"])
        body = {"code": app.at(self.clock.now())}
        status, answer = self.call("POST", "/v1/auth/mfa/totp/confirm", body, principal=who)
        assert status == 200, answer
        member.access_token = answer["access_token"]
        self.clock.advance(seconds=30)
        return app, answer["recovery_codes"]

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
def throttle_redis(redis_url: str) -> "redis.Redis[str]":
    """The session's Redis, empty."""
    client: redis.Redis[str] = redis.Redis.from_url(redis_url, decode_responses=True)
    client.flushall()
    return client


@pytest.fixture
def room_secrets(
    redis_url: str,
    throttle_redis: "redis.Redis[str]",
    set_secret: Callable[[str, dict[str, Any]], None],
) -> None:
    """The secrets the room reads, with an empty Redis behind one of them."""
    set_secret("jwt", {"seed": SEED})
    set_secret("mfa", {"key": FACTOR_KEY})
    set_secret("redis", {"url": redis_url})


@pytest.fixture
def users(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    clock: FixedClock,
    room_secrets: None,
    monkeypatch: pytest.MonkeyPatch,
) -> UserDoors:
    database = open_room("user_service")
    monkeypatch.setattr(api, "_database", lambda: database)
    monkeypatch.setattr(consumer, "_database", lambda: database)
    monkeypatch.setattr("kit.api.SystemClock", lambda: clock)
    return UserDoors(published, clock)


@pytest.fixture
def stop_redis(set_secret: Callable[[str, dict[str, Any]], None]) -> Callable[[], None]:
    """Let the room find no Redis from here on."""

    def stop() -> None:
        forget_secrets()
        set_secret("redis", {"url": DEAD_REDIS})

    return stop
