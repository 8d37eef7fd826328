"""What user_management's doors read from the environment."""

from functools import lru_cache

from kit.settings import RoomSettings


@lru_cache(maxsize=1)
def settings() -> RoomSettings:
    """The checked environment; raises at cold start when something is missing."""
    return RoomSettings()
