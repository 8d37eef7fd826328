"""Settings of notification_service, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class Settings(RoomSettings):
    """Telegram allows about one message a second to a chat and thirty a second to a bot."""

    telegram_chat_per_second: float = Field(default=1, gt=0, le=30)
    telegram_bot_per_second: float = Field(default=30, gt=0, le=30)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings."""
    return Settings()
