"""Messages of database_service."""

from typing import ClassVar

from pydantic import Field

from contracts.envelope import Command


class RelayOutbox(Command):
    """Publish outbox rows that a crash left behind, older than ``min_age_s``."""

    service: ClassVar[str] = "database_service"
    min_age_s: int = Field(default=30, ge=0, le=86_400)
    limit: int = Field(default=1_000, ge=1, le=10_000)


class Migrate(Command):
    """Bring every schema to the version of this release."""

    service: ClassVar[str] = "database_service"
