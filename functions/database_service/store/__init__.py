"""SQL of database_service: outboxes, tenants' rows as the catalogue says, and its own tables."""

from functions.database_service.store.analytics import AnalyticsRows
from functions.database_service.store.erasures import ErasureLedger
from functions.database_service.store.exports import ExportStore
from functions.database_service.store.health import HealthStore
from functions.database_service.store.outbox import OutboxStore
from functions.database_service.store.retention import RetentionStore
from functions.database_service.store.rows import TenantRows

__all__ = [
    "AnalyticsRows",
    "ErasureLedger",
    "ExportStore",
    "HealthStore",
    "OutboxStore",
    "RetentionStore",
    "TenantRows",
]
