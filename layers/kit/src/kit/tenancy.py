"""Who asks: taken from the authorizer's context, never from a body."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.subscription_service import Tier
from contracts.user_service import Role
from kit.errors import Forbidden, Unauthenticated


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

    def require_role(self, *roles: Role) -> None:
        """Raise Forbidden unless the role is one of these."""
        if self.role not in roles:
            raise Forbidden(f"this needs the role {' or '.join(roles)}")

    def require_platform_admin(self) -> None:
        """Raise Forbidden unless the platform's own staff asks."""
        if not self.platform_admin:
            raise Forbidden("this is for the platform's administrators")


def read_principal(context: Mapping[str, Any]) -> Principal:
    """Read the REST API authorizer's context (every value a string)."""
    try:
        return Principal.model_validate(dict(context))
    except ValidationError as error:
        raise Unauthenticated("the request carries no valid sign-in") from error
