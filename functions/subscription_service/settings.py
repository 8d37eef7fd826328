"""Settings of subscription_service, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class SubscriptionSettings(RoomSettings):
    """How much a billing run's message may close, and where a tenant's day is told."""

    default_time_zone: str = "Asia/Jakarta"
    closings_a_message_max: int = Field(default=2_000, ge=1, le=20_000)


@lru_cache(maxsize=1)
def settings() -> SubscriptionSettings:
    """The process's settings."""
    return SubscriptionSettings()
