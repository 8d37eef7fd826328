"""Settings of ai_orchestration, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class OrchestrationSettings(RoomSettings):
    """What this room needs beside the common settings."""

    models_bucket: str = Field(min_length=3, max_length=63)


@lru_cache(maxsize=1)
def settings() -> OrchestrationSettings:
    """The process's settings."""
    return OrchestrationSettings()
