"""The audit trail's message. Every room may publish it, hence a source of its own on the bus."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event

ActorKind = Literal["user", "api_key", "support", "admin", "system"]


class AuditRecorded(Event):
    """Who did what to which tenant, from where. Any room may say so, in the deed's transaction."""

    service: ClassVar[str] = "audit"
    room: str = Field(max_length=40)
    actor_kind: ActorKind
    actor_id: UUID | None
    """The user or the API key; null for the system itself."""
    action: str = Field(max_length=60, pattern=r"^[a-z_]+\.[a-z_]+$")
    """Such as ``api_key.created``."""
    target_kind: str = Field(max_length=40)
    target_id: str = Field(max_length=80)
    address: str | None = Field(default=None, max_length=64)
    device: str | None = Field(default=None, max_length=200)
    detail: dict[str, str | int | bool | None] = Field(default_factory=dict)
    """Facts without personal data: old and new role, scopes, reason."""
