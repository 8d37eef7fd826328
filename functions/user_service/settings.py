"""What user_service's doors read from the environment."""

from functools import lru_cache

from pydantic import Field

from functions.user_service.models import NETWORK_FREE
from kit.settings import RoomSettings


class UserSettings(RoomSettings):
    """The room's environment."""

    network_guesses_free: int = Field(default=NETWORK_FREE, ge=1, le=1_000_000)
    """Wrong passwords an hour that one network address may send before it rests."""


@lru_cache(maxsize=1)
def settings() -> UserSettings:
    """The checked environment; raises at cold start when something is missing."""
    return UserSettings()
