"""What the gateway speaks about: who asks, under which limits, and what was decided."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from contracts.permissions import Credential
from contracts.subscription_service import Tier
from contracts.user_service import RevokedKind, Role

TenantState = Literal["open", "suspended", "closed"]
VerdictKind = Literal[
    "admitted", "forbidden", "unlisted", "rate_limited", "quota_exhausted", "limiter_unavailable"
]


class Claims(BaseModel):
    """What an access token says. Tokens of before there was support staff lack ``sup``, ``sua``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    aud: Literal["sinyal-api"]
    sub: UUID
    tid: UUID
    role: Role
    tier: Tier
    scope: str = Field(max_length=500)
    sid: UUID
    jti: UUID
    adm: StrictBool
    sup: StrictBool = False
    sua: StrictInt = Field(default=0, ge=0, lt=2**40)
    """When a second factor was last shown, epoch seconds; 0: not in this session."""
    iat: StrictInt
    ims: StrictInt = 0
    """``iat`` in milliseconds, so that a token of the second in which earlier ones were ended can
    be told from them; 0: the second's beginning is taken."""
    exp: StrictInt
    nbf: StrictInt = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, whatever the credential was."""

    user_id: UUID
    tenant_id: UUID
    role: Role
    tier: Tier
    scope: str
    credential: Credential
    subject_id: UUID
    """The session or the API key."""
    issued_ms: int
    """When the credential was issued (a token) or last vouched for (a key): epoch milliseconds."""
    platform_admin: bool = False
    support: bool = False
    stepped_up_at: datetime | None = None
    key_rate: int | None = None
    """Requests a second of the API key itself; None: only the tenant's."""


class Limits(NamedTuple):
    """A tier's or a grant's limits of the API."""

    requests_per_second: int
    burst: int
    requests_per_day: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What PostgreSQL knows of a tenant; versions are 0 for what was never heard."""

    tier: Tier
    limits: Limits
    time_zone: str
    entitlements_version: int
    state: TenantState
    state_version: int


class Mark(NamedTuple):
    """Access that was ended: a session or key for good, a user's tokens of before an instant."""

    kind: RevokedKind
    subject_id: UUID
    before_ms: int


class Day(NamedTuple):
    """A tenant's local date: half open, epoch seconds."""

    label: date
    starts_at: int
    ends_at: int


class DayRow(NamedTuple):
    """How much of a day's quota was handed out, and in how many blocks."""

    leased: int
    lease_no: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything Redis must hold about a tenant."""

    standing: Standing
    day: Day
    row: DayRow
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """Units leased in PostgreSQL, on their way to Redis; the id keeps them from arriving twice."""

    grant_id: UUID
    day: date
    units: int
    row: DayRow


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What Redis said of one request, and the state it counted with."""

    code: Literal[
        "admitted", "rate_limited", "quota_exhausted", "need_lease", "rebuild", "ended",
        "reissue", "suspended", "closed",
    ]  # fmt: skip
    refresh: bool = False
    tier: Tier = "free"
    limits: Limits | None = None
    burst_left: int = 0
    day_left: int = 0
    day_ends_in_s: int = 0
    retry_us: int = 0
    lease_no: int = 0
    day: date = date.min
    now_s: int = 0
    """Redis's own clock, by which days begin and end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of a request whose bearer is known."""

    kind: VerdictKind
    tier: Tier
    code: str = ""
    detail: str = ""
    limits: Limits | None = None
    burst_left: int = 0
    day_left: int = 0
    day_ends_in_s: int = 0
    retry_after_s: int = 0


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    stage: str
    time: str


class Readiness(BaseModel):
    """Whether each store answers."""

    status: Literal["ready", "not_ready"]
    stage: str
    time: str
    dependencies: dict[str, Literal["ok", "unreachable"]]
