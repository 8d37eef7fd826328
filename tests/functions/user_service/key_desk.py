"""Callers with API keys: members of a tenant, the authorizer that asks what a key opens."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.api_keys import read_api_key
from contracts.ids import uuid7
from functions.user_service.models import NewUser
from functions.user_service.store import UserStore
from kit.db import Database
from kit.service_tokens import derive_public, sign
from tests.functions.user_service.conftest import UserDoors, make_email
from tests.support.builders import principal

GATEWAY = {"seed": secrets.token_urlsafe(48)}
BILLING = {"seed": secrets.token_urlsafe(48)}
SERVICE_KEYS = {
    "api_gateway": derive_public(GATEWAY["seed"]),
    "billing_service": derive_public(BILLING["seed"]),
}
READER = {"name": "laporan harian", "scopes": ["read"]}
TRADER = {"name": "robot", "scopes": ["read", "trade"]}


@dataclass
class Caller:
    """A member of a tenant, without a session of their own."""

    user_id: UUID
    tenant_id: UUID
    role: str


class KeyDesk:
    """Makes members, and calls the routes of API keys as they would."""

    def __init__(
        self,
        users: UserDoors,
        database: Database,
        set_secret: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.users, self.database = users, database
        set_secret("service-keys", SERVICE_KEYS)

    def add_member(self, role: str = "owner", tenant_id: UUID | None = None) -> Caller:
        caller = Caller(uuid7(), tenant_id or uuid7(), role)
        with self.database.transaction(caller.tenant_id) as tx:
            user = NewUser(
                user_id=caller.user_id,
                tenant_id=caller.tenant_id,
                email=make_email(),
                password_hash="!",
                role=role,  # type: ignore[arg-type]
                status="active",
                created_at=tx.now,
                locale="en",
            )
            assert UserStore(tx).add_user(user)
        return caller

    def principal(self, caller: Caller, *, stepped_up: bool = True) -> dict[str, Any]:
        fresh = str(int(self.users.clock.now().timestamp())) if stepped_up else ""
        return principal(
            caller.tenant_id,
            user_id=str(caller.user_id),
            role=caller.role,
            stepped_up_at=fresh,
        )

    def create(
        self, caller: Caller, body: dict[str, Any], *, stepped_up: bool = True, **more: Any
    ) -> tuple[int, Any]:
        who = self.principal(caller, stepped_up=stepped_up)
        return self.users.call("POST", "/v1/auth/api-keys", body, principal=who, **more)

    def make(self, caller: Caller, body: dict[str, Any] | None = None) -> dict[str, Any]:
        status, answer = self.create(caller, body or READER)
        assert status == 201, answer
        made: dict[str, Any] = answer
        return made

    def list(self, caller: Caller, **query: str) -> dict[str, Any]:
        who = self.principal(caller)
        status, page = self.users.call("GET", "/v1/auth/api-keys", principal=who, query=query)
        assert status == 200, page
        listed: dict[str, Any] = page
        return listed

    def revoke(self, caller: Caller, key_id: object) -> tuple[int, Any]:
        who = self.principal(caller)
        return self.users.call("DELETE", f"/v1/auth/api-keys/{key_id}", principal=who)

    def rotate(
        self, caller: Caller, key_id: object, *, stepped_up: bool = True, **body: Any
    ) -> tuple[int, Any]:
        who = self.principal(caller, stepped_up=stepped_up)
        path = f"/v1/auth/api-keys/{key_id}/rotate"
        return self.users.call("POST", path, body or None, principal=who)

    def ask(self, key: str, token: str | None = None) -> tuple[int, Any]:
        """What the authorizer hears about a key, which it has read before it asks."""
        text = read_api_key(key)
        return self.inquire({"prefix": text.prefix, "digest": text.digest}, token)

    def inquire(self, question: dict[str, Any], token: str | None = None) -> tuple[int, Any]:
        token = token or sign("api_gateway", "user_service", GATEWAY, self.users.clock.now())
        headers = {"authorization": f"Bearer {token}"}
        return self.users.post("introspect", question, headers=headers)

    def opens(self, key: str) -> bool:
        status, answer = self.ask(key)
        assert status == 200, answer
        assert answer["active"] or answer == {"active": False}
        return bool(answer["active"])
