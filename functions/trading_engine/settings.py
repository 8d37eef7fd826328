"""Settings of trading_engine, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class TradingSettings(RoomSettings):
    """Which key of KMS seals brokers' passwords."""

    broker_key_id: str = Field(min_length=1, max_length=2_048)


@lru_cache(maxsize=1)
def settings() -> TradingSettings:
    """The process's settings."""
    return TradingSettings()
