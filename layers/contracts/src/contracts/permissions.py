"""What a row of the permissions table says (``contracts.routes`` holds them), and who may pass.

``decide`` says why a caller may not, in words that tell what to do next.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from contracts.subscription_service import Tier
from contracts.user_service import Role, Scope

Access = Literal["open", "member", "staff"]
Staff = Literal["support", "admin"]
Credential = Literal["session", "api_key"]

STEP_UP_LIFE = timedelta(minutes=5)
"""How long a fresh second factor counts."""

EVERYBODY: tuple[Role, ...] = ("owner", "admin", "trader", "viewer")
TRADERS: tuple[Role, ...] = ("owner", "admin", "trader")
MANAGERS: tuple[Role, ...] = ("owner", "admin")
OWNER: tuple[Role, ...] = ("owner",)
ANY_TIER: tuple[Tier, ...] = ("free", "pro", "enterprise")

ROLE_SCOPES: dict[Role, tuple[Scope, ...]] = {
    "owner": ("read", "trade", "members", "billing", "account"),
    "admin": ("read", "trade", "members", "billing", "account"),
    "trader": ("read", "trade", "account"),
    "viewer": ("read", "account"),
}
"""What a role's own tokens may do."""

KEY_SCOPES: tuple[Scope, ...] = ("read", "trade", "billing")
"""What an API key can be given; a key never manages members or credentials."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A route that will go: since when, until when, and what to call instead."""

    since: datetime
    sunset: datetime
    successor: str


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table."""

    method: str
    path: str
    room: str
    access: Access
    roles: tuple[Role, ...] = EVERYBODY
    scope: Scope = "read"
    tiers: tuple[Tier, ...] = ANY_TIER
    staff: tuple[Staff, ...] = ()
    step_up: bool = False
    deprecated: Deprecation | None = None
    never_waits: bool = False
    """Counted as others are, but served though the plan's rate or day's quota is spent."""

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """What may open it; an API key opens what its scopes can name."""
        if self.access == "staff" or self.scope not in KEY_SCOPES or self.step_up:
            return ("session",)
        return ("session", "api_key")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a caller may not pass, as a problem's code and detail."""

    code: str
    detail: str


class Caller(Protocol):
    """Who asks, as the authorizer knows them."""

    @property
    def role(self) -> Role: ...
    @property
    def tier(self) -> Tier: ...
    @property
    def scope(self) -> str: ...
    @property
    def platform_admin(self) -> bool: ...
    @property
    def support(self) -> bool: ...
    @property
    def credential(self) -> Credential: ...
    @property
    def stepped_up_at(self) -> datetime | None: ...


def decide(route: Route, caller: Caller, now: datetime) -> Refusal | None:
    """Whether a caller may use a route: None when they may."""
    if route.access == "open":
        return None
    if route.access == "staff":
        return _decide_staff(route, caller)
    return _decide_member(route, caller, now)


def _decide_member(route: Route, caller: Caller, now: datetime) -> Refusal | None:
    if caller.credential not in route.credentials:
        return SESSION_NEEDED
    if caller.role not in route.roles:
        return Refusal("role_needed", f"this needs the role {' or '.join(route.roles)}")
    if route.scope not in caller.scope.split():
        return Refusal("scope_needed", f"this needs the scope {route.scope}")
    if caller.tier not in route.tiers:
        return Refusal("tier_needed", f"this needs the plan {' or '.join(route.tiers)}")
    if route.step_up and not is_fresh(caller.stepped_up_at, now):
        return STEP_UP_NEEDED
    return None


SESSION_NEEDED = Refusal("session_needed", "an API key cannot do this; sign in with your password")
STEP_UP_NEEDED = Refusal(
    "step_up_needed",
    "confirm with a code of your authenticator app: POST /v1/auth/mfa/step-up"
    " (turn it on first with POST /v1/auth/mfa/totp)",
)


def is_fresh(stepped_up_at: datetime | None, now: datetime) -> bool:
    """Whether a second factor was shown just now."""
    return stepped_up_at is not None and now - stepped_up_at < STEP_UP_LIFE


def _decide_staff(route: Route, caller: Caller) -> Refusal | None:
    if caller.credential != "session":
        return SESSION_NEEDED
    held = {"admin"} if caller.platform_admin else {"support"} if caller.support else set()
    if not held & set(route.staff):
        return Refusal("forbidden", "this is for the platform's own staff")
    return None
