"""Messages of database_service."""

from typing import ClassVar
from uuid import UUID

from pydantic import EmailStr, Field

from contracts.envelope import Command, Event, UtcDatetime
from contracts.user_service import Locale


class RelayOutbox(Command):
    """Publish outbox rows that a crash left behind, older than ``min_age_s``."""

    service: ClassVar[str] = "database_service"
    min_age_s: int = Field(default=30, ge=0, le=86_400)
    limit: int = Field(default=1_000, ge=1, le=10_000)


class Migrate(Command):
    """Bring every schema to the version of this release."""

    service: ClassVar[str] = "database_service"


class ExportTenant(Command):
    """Gather all of a tenant's data in one archive."""

    service: ClassVar[str] = "database_service"
    export_id: UUID


class TenantExportReady(Event):
    """A tenant's archive can be fetched until ``expires_at``, by ``GET /v1/data/exports/{id}``."""

    service: ClassVar[str] = "database_service"
    export_id: UUID
    user_id: UUID
    email: EmailStr
    locale: Locale
    expires_at: UtcDatetime


class TenantErased(Event):
    """No store holds personal data of the tenant any more, but for the tax records."""

    service: ClassVar[str] = "database_service"
    erasure_id: UUID
    rows_erased: int = Field(ge=0)
    rows_kept: int = Field(ge=0)
    """Tax and ledger records, kept as the law asks."""


class PruneRecords(Command):
    """Drop technical records past their age: inbox rows, idempotency keys, expired tokens."""

    service: ClassVar[str] = "database_service"
    limit: int = Field(default=10_000, ge=1, le=100_000)
