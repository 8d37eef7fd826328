"""Who asks: taken from the authorizer's context, never from a body."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from contracts.permissions import STEP_UP_NEEDED, Credential, is_fresh
from contracts.subscription_service import Tier
from contracts.user_service import Role
from kit.errors import Forbidden, StepUpNeeded, Unauthenticated


class Principal(BaseModel):
    """The authorizer's word on a request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user_id: UUID
    tenant_id: UUID
    role: Role
    tier: Tier
    scope: str = ""
    session_id: str = ""
    platform_admin: bool = False
    support: bool = False
    credential: Credential = "session"
    key_id: UUID | None = None
    stepped_up_at: datetime | None = None

    @field_validator("key_id", "stepped_up_at", mode="before")
    @classmethod
    def _read_absent(cls, value: Any) -> Any:
        """API Gateway's context has no null: an empty text stands for it."""
        return None if value == "" else value

    @field_validator("stepped_up_at", mode="before")
    @classmethod
    def _read_seconds(cls, value: Any) -> Any:
        """Epoch seconds; runs before ``_read_absent``, so that it must let an empty text pass."""
        if isinstance(value, str) and value:
            return datetime.fromtimestamp(int(value), UTC)
        return value

    def require_role(self, *roles: Role) -> None:
        """Raise Forbidden unless the role is one of these."""
        if self.role not in roles:
            raise Forbidden(f"this needs the role {' or '.join(roles)}")

    def require_platform_admin(self) -> None:
        """Raise Forbidden unless the platform's own staff asks."""
        if not self.platform_admin:
            raise Forbidden("this is for the platform's administrators")

    def require_step_up(self, now: datetime) -> None:
        """Raise StepUpNeeded unless a second factor was shown within the last minutes."""
        if not is_fresh(self.stepped_up_at, now):
            raise StepUpNeeded(STEP_UP_NEEDED.detail)


def read_principal(context: Mapping[str, Any]) -> Principal:
    """Read the REST API authorizer's context (every value a string)."""
    try:
        return Principal.model_validate(dict(context))
    except (ValidationError, ValueError, OverflowError) as error:
        raise Unauthenticated("the request carries no valid sign-in") from error
