"""What the gateway speaks about: a token's claims, readiness."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from contracts.subscription_service import Tier
from contracts.user_service import Role


class Claims(BaseModel):
    """What an access token says; every claim but ``nbf`` must be there."""

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
    iat: StrictInt
    exp: StrictInt
    nbf: StrictInt = 0


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
