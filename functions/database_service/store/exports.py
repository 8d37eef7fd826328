"""SQL of exports: one in the making a tenant, and what became of each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from functions.database_service.models import Contact, Export
from kit.db import Transaction

_SHOWN = (
    "export_id, state AS status, requested_at, completed_at, expires_at, size_bytes, rows, sha256,"
    " reason"
)


class ExportStore:
    """Exports of the transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(self, export_id: UUID, requested_by: UUID) -> bool:
        """Begin an export; False when one is being made."""
        row = self._tx.fetch_one(
            "INSERT INTO exports (tenant_id, export_id, requested_by, state, requested_at)"
            " VALUES (%s, %s, %s, 'running', %s)"
            " ON CONFLICT (tenant_id) WHERE state = 'running' DO NOTHING RETURNING export_id",
            [self._tx.tenant_id, export_id, requested_by, self._tx.now],
        )
        return row is not None

    def find(self, export_id: UUID) -> Export | None:
        """An export of the tenant."""
        row = self._tx.fetch_one(f"SELECT {_SHOWN} FROM exports WHERE export_id = %s", [export_id])
        return Export.model_validate(row) if row else None

    def list_page(self, limit: int, before: UUID | None) -> list[Export]:
        """Exports, the newest first, older than ``before``."""
        rows = self._tx.fetch_all(
            f"SELECT {_SHOWN} FROM exports"
            " WHERE tenant_id = %s AND (%s::uuid IS NULL OR export_id < %s::uuid)"
            " ORDER BY export_id DESC LIMIT %s",
            [self._tx.tenant_id, before, before, limit],
        )
        return [Export.model_validate(row) for row in rows]

    def finish(self, export_id: UUID, archive: Any, expires_at: datetime) -> UUID | None:
        """Note a finished archive: who asked for it, or None when nobody waits for it any more."""
        row = self._tx.fetch_one(
            "UPDATE exports SET state = 'ready', completed_at = %s, expires_at = %s,"
            " size_bytes = %s, rows = %s, sha256 = %s"
            " WHERE export_id = %s AND state = 'running' RETURNING requested_by",
            [
                self._tx.now, expires_at, archive.size_bytes, archive.rows, archive.sha256,
                export_id,
            ],
        )  # fmt: skip
        return row["requested_by"] if row else None

    def fail(self, export_id: UUID, reason: str) -> None:
        """Give an export up, so that another can be asked for."""
        self._tx.execute(
            "UPDATE exports SET state = 'failed', completed_at = %s, reason = %s"
            " WHERE export_id = %s AND state = 'running'",
            [self._tx.now, reason, export_id],
        )

    def expire(self, export_id: UUID) -> None:
        """Note that an archive is gone."""
        self._tx.execute(
            "UPDATE exports SET state = 'expired' WHERE export_id = %s AND state = 'ready'",
            [export_id],
        )

    def find_contact(self, user_id: UUID) -> Contact | None:
        """Address and language of a member; None when the member left."""
        row = self._tx.fetch_one(
            "SELECT email, locale FROM user_management.profiles"
            " WHERE tenant_id = %s AND user_id = %s",
            [self._tx.tenant_id, user_id],
        )
        return Contact(row["email"], row["locale"]) if row else None
