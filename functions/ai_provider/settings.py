"""Settings of ai_provider, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class ProviderSettings(RoomSettings):
    """What this room needs beside the common settings."""

    view_model: str = Field(default="gpt-6-luna", min_length=1, max_length=80)
    view_deadline_s: float = Field(default=15.0, gt=0, le=60)
    """Total time of one call, connecting and a dripping body included."""
    batch_deadline_s: float = Field(default=60.0, gt=0, le=600)
    """Total time of one command; symbols left over come with its redelivery."""


@lru_cache(maxsize=1)
def settings() -> ProviderSettings:
    """The process's settings."""
    return ProviderSettings()
