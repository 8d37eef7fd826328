"""Settings of notification_service, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class Settings(RoomSettings):
    """Telegram allows about one message a second to a chat and thirty a second to a bot.

    ``web_url`` is the web app's address, which links in mails lead to.
    """

    web_url: str = Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$")
    telegram_chat_per_second: float = Field(default=1, gt=0, le=30)
    telegram_bot_per_second: float = Field(default=30, gt=0, le=30)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings."""
    return Settings()
