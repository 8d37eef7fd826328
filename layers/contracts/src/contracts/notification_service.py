"""Messages of notification_service."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event, UtcDatetime

Channel = Literal["telegram", "email"]


class NotificationDelivered(Event):
    """A provider took a message for delivery."""

    service: ClassVar[str] = "notification_service"
    notification_id: UUID
    channel: Channel
    kind: str = Field(max_length=40)
    delivered_at: UtcDatetime
