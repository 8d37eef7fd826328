"""Users of the product for tests that go through its own doors: signed up, verified, signed in.

The world they live in is one process (``tests.support.house``) or the deployed local stack.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import pyotp

T = TypeVar("T")
PATIENCE_S = 40.0
POLL_S = 0.2
CODE_S = 30


@dataclass(frozen=True)
class Answer:
    """What a client of the API sees."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        import json

        return json.loads(self.text) if self.text else None

    @property
    def code(self) -> str | None:
        return self.body.get("code") if self.status >= 400 else None


class World(Protocol):
    """Where the API is, and where its mails go."""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer: ...

    def settle(self) -> None: ...

    def read_code(self, email: str) -> str: ...


def eventually(look: Callable[[], T | None], what: str) -> T:
    """Look until there is something to see, for forty seconds at most."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if seen is not None:
            return seen
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(POLL_S)


@dataclass
class Person:
    """A member of a tenant with an open session."""

    world: World = field(repr=False)
    email: str
    password: str = field(repr=False)
    tenant_id: str = ""
    user_id: str = ""
    token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    authenticator: pyotp.TOTP | None = field(default=None, repr=False)
    shown: set[str] = field(default_factory=set, repr=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A request in this person's name."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.world.call(method, path, body, token=self.token, headers=named)

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """A request that must be answered with a status; returns the body."""
        answer = self.call(method, path, body)
        assert answer.status == status, (method, path, answer)
        self.world.settle()
        return answer.body

    def log_in(self) -> None:
        """Open a session, whose token has the role and tier of now."""
        body = {"email": self.email, "password": self.password}
        if self.authenticator is not None:
            body["totp"] = self.show_code()
        answer = eventually(lambda: self._try_log_in(body), f"the sign-in of {self.email}")
        self.token, self.refresh_token = answer["access_token"], answer["refresh_token"]
        self.world.settle()

    def _try_log_in(self, body: dict[str, str]) -> dict[str, Any] | None:
        answer = self.world.call("POST", "/v1/auth/login", body)
        if answer.status == 403:  # the proof of the address has not arrived yet
            return None
        assert answer.status == 200, answer
        return dict(answer.body)

    def show_code(self) -> str:
        """A code of the authenticator that was not shown before: each counts once."""
        assert self.authenticator is not None
        now = time.time()
        for step in (0, 1, -1):
            code = self.authenticator.at(int(now) + step * CODE_S)
            if code not in self.shown:
                self.shown.add(code)
                return code
        time.sleep(CODE_S - now % CODE_S)
        return self.show_code()

    def take_authenticator(self) -> None:
        """Turn the second factor on: the token is fresh from here on."""
        secret = self.expect(201, "POST", "/v1/auth/mfa/totp")["secret"]
        self.authenticator = pyotp.TOTP(secret)
        body = {"code": self.show_code()}
        self.token = self.expect(200, "POST", "/v1/auth/mfa/totp/confirm", body)["access_token"]

    def step_up(self) -> None:
        """Show the second factor again."""
        body = {"totp": self.show_code()}
        self.token = self.expect(200, "POST", "/v1/auth/mfa/step-up", body)["access_token"]

    def invite(self, role: str) -> "Person":
        """A new member of the tenant."""
        guest = Person(self.world, make_address(), make_password(), self.tenant_id)
        self.expect(201, "POST", "/v1/tenants/invitations", {"email": guest.email, "role": role})
        answer = self.world.call(
            "POST",
            "/v1/auth/invitations/accept",
            {
                "token": self.world.read_code(guest.email),
                "password": guest.password,
                "full_name": f"Tamu {role}",
                "locale": "id",
            },
        )
        assert answer.status == 201, answer
        guest.user_id = answer.body["user_id"]
        self.world.settle()
        guest.log_in()
        return guest


def make_address() -> str:
    return f"{uuid4().hex}@example.com"


def make_password() -> str:
    return secrets.token_urlsafe(18)


def sign_up(world: World, tier: str = "free") -> Person:
    """An owner with a tenant of their own, verified, on a plan."""
    person = Person(world, make_address(), make_password())
    answer = world.call(
        "POST",
        "/v1/auth/register",
        {
            "email": person.email,
            "password": person.password,
            "full_name": "Sari Wijaya",
            "tenant_name": "Wijaya",
            "locale": "id",
        },
    )
    assert answer.status == 201, answer
    person.tenant_id, person.user_id = answer.body["tenant_id"], answer.body["user_id"]
    world.settle()
    answer = world.call("POST", "/v1/auth/verify-email", {"token": world.read_code(person.email)})
    assert answer.status == 200, answer
    world.settle()
    person.log_in()
    if tier != "free":
        eventually(lambda: _subscribe(person, tier), "the subscription")
        eventually(lambda: _has_tier(person, tier), "the tier in the tokens")
    return person


def _subscribe(person: Person, tier: str) -> bool | None:
    answer = person.call("POST", "/v1/subscription", {"plan": tier})
    person.world.settle()
    return True if answer.status in (200, 201) else None


def _has_tier(person: Person, tier: str) -> bool | None:
    """Tokens carry the tier of the moment they were made."""
    import jwt

    person.log_in()
    claims = jwt.decode(person.token, options={"verify_signature": False})
    return True if claims["tier"] == tier else None
