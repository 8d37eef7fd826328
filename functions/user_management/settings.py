"""What user_management's doors read from the environment."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class ManagementSettings(RoomSettings):
    """How long a closed tenant waits for its erasure."""

    erase_after_s: int = Field(default=30 * 86_400, ge=0, le=365 * 86_400)
    """The time in which a closure by mistake can still be told to the staff."""


@lru_cache(maxsize=1)
def settings() -> ManagementSettings:
    """The checked environment; raises at cold start when something is missing."""
    return ManagementSettings()
