"""Messages of notification_service."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Command, Event, UtcDatetime

Channel = Literal["telegram", "email"]


class NotificationDelivered(Event):
    """A provider took a message for delivery."""

    service: ClassVar[str] = "notification_service"
    notification_id: UUID
    channel: Channel
    kind: str = Field(max_length=40)
    delivered_at: UtcDatetime


class DeliverPending(Command):
    """Send what waits for a rate limit or was left half-sent by a crash."""

    service: ClassVar[str] = "notification_service"
    limit: int = Field(default=200, ge=1, le=1_000)
