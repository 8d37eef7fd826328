"""Who calls an operation when every one of them is called: nobody loses what others still need."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.people import Person, World, sign_up

SPARED = {
    "POST /v1/subscription",
    "PATCH /v1/subscription",
    "DELETE /v1/subscription",
    "POST /v1/auth/email/change",
    "POST /v1/auth/password/change",
    "DELETE /v1/auth/sessions/{session_id}",
    "POST /v1/tenants/ownership",
}
"""May leave the caller with less: called by the owner of another tenant."""
LEAVING = {"DELETE /v1/auth/sessions", "POST /v1/auth/logout"}
"""End the caller's session: called each time with a new one."""
ONCE = {"DELETE /v1/auth/mfa/totp", "DELETE /v1/tenants/me"}
"""Succeed once: each has a caller of its own, signed up when it is called."""

TOKEN_LIFE_S = 200.0
"""A second factor is fresh for five minutes."""


class Callers:
    """Gives each operation the token of somebody who may call it."""

    def __init__(
        self,
        world: World,
        staff: Person,
        clock: Callable[[], float],
        relax: Callable[[str], None] = lambda _tenant_id: None,
    ) -> None:
        """``relax`` is told the tenant before each call, to forget how often it called."""
        self._world, self._clock, self._relax = world, clock, relax
        self.staff, self.leaver = staff, sign_up(world)
        self.owner, self.spare = sign_up(world, "enterprise"), sign_up(world, "enterprise")
        self.spare.log_in()
        for person in (self.owner, self.spare):
            person.take_authenticator()
        self._signed_in_at = {id(one): clock() for one in (self.owner, self.spare, self.staff)}
        self._once: dict[str, Person] = {}

    def token_for(self, name: str, told: Mapping[str, Any]) -> str | None:
        """The token for an operation; none for an open one."""
        if told["x-sinyal-access"] == "open":
            return None
        person = self._choose(name, told)
        self._relax(person.tenant_id)
        if self._clock() - self._signed_in_at.get(id(person), self._clock()) > TOKEN_LIFE_S:
            person.log_in()
            self._signed_in_at[id(person)] = self._clock()
        return person.token

    def _choose(self, name: str, told: Mapping[str, Any]) -> Person:
        if told["x-sinyal-access"] == "staff":
            return self.staff
        if name in ONCE and name not in self._once:
            self._once[name] = sign_up(self._world)
            self._once[name].take_authenticator()
        if name in LEAVING:
            self.leaver.log_in()
            return self.leaver
        return self.spare if name in SPARED else self._once.get(name, self.owner)

    def name_own(self) -> dict[str, str]:
        """Ids that only fit these callers: a session of the spare's, a tenant to suspend."""
        sessions = self.spare.expect(200, "GET", "/v1/auth/sessions")["items"]
        session_id = next(one["session_id"] for one in sessions if not one["current"])
        return {"session_id": session_id, "tenant_id": self.leaver.tenant_id}
