"""Settings of billing_service, checked at cold start."""

from functools import lru_cache

from kit.settings import RoomSettings


@lru_cache(maxsize=1)
def settings() -> RoomSettings:
    """The process's settings."""
    return RoomSettings()
