"""What the catalogue of personal data is made of, and what an export is to its tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

ROOMS = (
    "ai_orchestration",
    "ai_provider",
    "billing_service",
    "data_bridge",
    "database_service",
    "deep_learning",
    "ml_processing",
    "notification_service",
    "payment_gateway",
    "performance_analytics",
    "subscription_service",
    "trading_engine",
    "user_management",
    "user_service",
    "api_gateway",
)

Treatment = Literal["delete", "pseudonymise", "keep"]
StoreName = Literal["postgresql", "clickhouse", "redis", "s3"]
ExportState = Literal["running", "ready", "failed", "expired"]


@dataclass(frozen=True, slots=True)
class TableRule:
    """What happens to a tenant's rows of a table on erasure, and what an export leaves out.

    ``table`` is ``room.table`` in PostgreSQL, a bare name in ClickHouse. ``columns`` says what a
    pseudonymised row holds afterwards. ``reason`` is the law or need that a kept row serves.
    ``secrets`` are columns that not even an export may read.
    """

    table: str
    treatment: Treatment
    columns: Mapping[str, str | None] = field(default_factory=dict)
    reason: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Rows of a table go when ``column`` is more than ``days`` in the past."""

    table: str
    column: str
    days: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a store held of a tenant: rows, keys or objects that went, and those that stay."""

    erased: int
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Contact:
    """Where the person who asked for an export is told that it is ready."""

    email: str
    locale: Literal["id", "en"]


class Export(BaseModel):
    """An archive of a tenant's data, while it is made and until it expires."""

    export_id: UUID
    status: ExportState
    requested_at: datetime
    completed_at: datetime | None = None
    expires_at: datetime | None = None
    size_bytes: int | None = None
    rows: int | None = None
    sha256: str | None = None
    reason: str | None = None


class ExportRequested(BaseModel):
    """Answer of POST /v1/data/exports."""

    export_id: UUID
    status: ExportState


class ExportWithLink(Export):
    """Answer of GET /v1/data/exports/{export_id}; the link is there while the status is ready."""

    url: str | None = None
    url_expires_at: datetime | None = None


class ExportPage(BaseModel):
    """Answer of GET /v1/data/exports, the newest first."""

    items: list[Export]
    next_cursor: UUID | None


class StoreHealth(BaseModel):
    """How one store is; what it says of itself when it is up, and why not when it is down."""

    status: Literal["up", "down"]
    latency_ms: float
    engine: str | None = None
    version: str | None = None
    outbox_waiting: int | None = None
    reason: str | None = None


class DataHealth(BaseModel):
    """How the five stores are; down when one of them is."""

    status: Literal["up", "down"]
    stores: dict[str, StoreHealth]
