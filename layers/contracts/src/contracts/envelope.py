"""The envelope every message travels in, and the base classes of what is inside.

Contracts are frozen, change only by addition, and ignore fields they do not know, so that an older
reader survives a newer writer. A version that a reader does not know is refused, never guessed.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Protocol, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from contracts.ids import uuid7


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the instant is not in the years 1 to 9999 of UTC") from error


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An instant; offsets are accepted and turned into UTC, naive times are refused."""


class Contract(BaseModel):
    """A frozen value that crosses a process."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Contract):
    """An event (past tense) or a command (imperative); the class name is the detail-type."""

    service: ClassVar[str]
    schema_version: ClassVar[int] = 1


class Event(Message):
    """Something that happened."""


class Command(Message):
    """Something that is asked for, once, before it expires."""


class Meta(Contract):
    """Who, when and why of a message.

    ``occurred_at`` is business time (the wall clock when the fact was recorded); market times are
    fields of the data. ``tenant_id`` is null for what belongs to the platform.
    """

    event_id: UUID
    tenant_id: UUID | None
    occurred_at: UtcDatetime
    correlation_id: UUID
    causation_id: UUID | None = None
    schema_version: int = Field(ge=1)


class Link(Protocol):
    """What a later message is linked to; a `Meta` is one."""

    @property
    def event_id(self) -> UUID: ...
    @property
    def correlation_id(self) -> UUID: ...


class Envelope(Contract):
    """EventBridge's detail: ``{"meta": {...}, "data": {...}}``."""

    meta: Meta
    data: Message

    @property
    def detail_type(self) -> str:
        """Name of the message inside."""
        return type(self.data).__name__

    @property
    def source(self) -> str:
        """EventBridge source of the message inside."""
        return f"sinyal.{self.data.service}"

    @classmethod
    def wrap(
        cls,
        data: Message,
        *,
        tenant_id: UUID | None,
        now: datetime,
        cause: "Link | None" = None,
        event_id: UUID | None = None,
        correlation_id: UUID | None = None,
    ) -> Self:
        """Put ``data`` in a new envelope, linked to the message that caused it.

        Without a cause the correlation id is the request's, else the message's own.
        """
        own_id = event_id or uuid7()
        return cls(
            meta=Meta(
                event_id=own_id,
                tenant_id=tenant_id,
                occurred_at=now,
                correlation_id=cause.correlation_id if cause else correlation_id or own_id,
                causation_id=cause.event_id if cause else None,
                schema_version=data.schema_version,
            ),
            data=data,
        )

    def to_json(self) -> str:
        """Write the envelope, the data with all its own fields."""
        return f'{{"meta":{self.meta.model_dump_json()},"data":{self.data.model_dump_json()}}}'
