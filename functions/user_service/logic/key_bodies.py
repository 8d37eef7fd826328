"""Bodies of requests and answers about API keys."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, field_validator

from contracts.permissions import KEY_SCOPES
from contracts.user_service import Scope
from functions.user_service.models import Body, PlainText, StoredKey

OVERLAP_S_MAX = 86_400

KeyScope = Literal["read", "trade", "billing"]
KeyStatus = Literal["active", "expired", "rotated", "revoked"]
RequestsPerSecond = Annotated[int, Field(ge=1, le=1_000)]


class KeyRequest(Body):
    """What a new key may do and for how long; without an end it lasts 90 days."""

    name: PlainText
    scopes: Annotated[tuple[KeyScope, ...], Field(min_length=1, max_length=len(KEY_SCOPES))]
    expires_at: AwareDatetime | None = None
    requests_per_second: RequestsPerSecond | None = None

    @field_validator("scopes")
    @classmethod
    def _order_scopes(cls, value: tuple[KeyScope, ...]) -> tuple[KeyScope, ...]:
        return tuple(sorted(set(value), key=KEY_SCOPES.index))


class KeyRotation(Body):
    """How long the old secret is honoured beside the new one."""

    overlap_s: int = Field(default=0, ge=0, le=OVERLAP_S_MAX)


class KeyCard(BaseModel):
    """A key without its secret."""

    key_id: UUID
    name: str
    prefix: str
    """How the key begins, so that it is recognised where it is found."""
    scopes: tuple[Scope, ...]
    requests_per_second: int | None
    created_by: UUID
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    status: KeyStatus
    ends_at: datetime
    """From when on it opens nothing: its expiry, revocation, or the end of a rotation's overlap."""
    replaced_by: UUID | None

    @classmethod
    def of(cls, key: StoredKey, now: datetime) -> Self:
        """Describe a stored key."""
        return cls(
            key_id=key.key_id,
            name=key.name,
            prefix=key.prefix,
            scopes=key.scopes,
            requests_per_second=key.requests_per_second,
            created_by=key.user_id,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            status=_name_status(key, now),
            ends_at=key.ends_at,
            replaced_by=key.replaced_by,
        )


def _name_status(key: StoredKey, now: datetime) -> KeyStatus:
    if key.end_reason is not None:
        return "rotated" if key.end_reason == "rotated" else "revoked"
    return "active" if now < key.expires_at else "expired"


class NewKey(KeyCard):
    """A key just made; its secret is shown here and never again."""

    key: str = Field(repr=False)


class KeyPage(BaseModel):
    """Keys, the newest first."""

    items: list[KeyCard]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""
