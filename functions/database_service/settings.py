"""Settings of database_service, checked at cold start."""

from functools import lru_cache

from pydantic import Field

from kit.settings import RoomSettings


class Settings(RoomSettings):
    """The optional stores are named by address; without one PostgreSQL does their work."""

    weaviate_url: str | None = None
    arango_url: str | None = None
    exports_bucket: str = Field(min_length=3, max_length=63)
    """Bucket of tenants' archives: ``<tenant_id>/<export_id>.zip``."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings."""
    return Settings()
