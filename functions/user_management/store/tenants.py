"""The tenant's own row: its name, its state under a lock, its closure and erasure."""

from datetime import datetime, timedelta
from uuid import UUID

from contracts.envelope import Message
from functions.user_management.models import Tenant, TenantState
from kit import audit
from kit.db import Transaction

ERASED_NAME = "erased"

_SAVE = (
    "UPDATE tenants SET status = %(status)s, resumes_as = %(resumes_as)s, version = %(version)s,"
    " suspension_reason = CASE WHEN %(status)s = 'suspended'"
    " THEN coalesce(%(reason)s::text, suspension_reason) END,"
    " closed_at = coalesce(closed_at, %(closed_at)s), name = coalesce(%(name)s, name),"
    " erase_after = coalesce(erase_after, %(erase_after)s),"
    " erased_at = coalesce(erased_at, %(erased_at)s) WHERE tenant_id = %(tenant_id)s"
)
_FORGET = (
    "DELETE FROM verification_tokens WHERE tenant_id = %s",
    "DELETE FROM invitations WHERE tenant_id = %s",
    "DELETE FROM preferences WHERE tenant_id = %s",
    "DELETE FROM profiles WHERE tenant_id = %s",
    "DELETE FROM idempotency_keys WHERE tenant_id = %s",
    "UPDATE consents SET address = NULL WHERE tenant_id = %s AND address IS NOT NULL",
)


class TenantStore:
    """The transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def publish(self, message: Message) -> None:
        """Publish under the transaction's tenant."""
        self._tx.publish(message)

    def audit(self, action: str, kind: str, target: object, **detail: str | int) -> None:
        """Add to the tenant's audit trail."""
        audit.record(self._tx, action, kind, target, **detail)

    def take_mail_slot(self, key_hash: bytes, gap: timedelta, a_day_max: int) -> bool:
        """Count a mail; False when the last is too near or 24 hours have had their number.

        One statement: of any number at once, no more than the bound get through.
        """
        row = self._tx.fetch_one(
            "INSERT INTO mail_slots AS s (key_hash, window_began_at, last_at, sent)"
            " VALUES (%(key)s, %(now)s, %(now)s, 1) ON CONFLICT (key_hash) DO UPDATE SET"
            " sent = CASE WHEN s.window_began_at <= %(day_ago)s THEN 1 ELSE s.sent + 1 END,"
            " window_began_at = CASE WHEN s.window_began_at <= %(day_ago)s THEN %(now)s"
            " ELSE s.window_began_at END, last_at = %(now)s"
            " WHERE s.last_at <= %(gap_ago)s"
            " AND (s.window_began_at <= %(day_ago)s OR s.sent < %(max)s) RETURNING sent",
            {
                "key": key_hash,
                "now": self._tx.now,
                "day_ago": self._tx.now - timedelta(days=1),
                "gap_ago": self._tx.now - gap,
                "max": a_day_max,
            },
        )
        return row is not None

    def add_tenant(self, name: str) -> None:
        """Store the transaction's tenant; again changes nothing."""
        self._tx.execute(
            "INSERT INTO tenants (tenant_id, name, status, created_at)"
            " VALUES (%s, %s, 'registered', %s) ON CONFLICT DO NOTHING",
            [self._tx.tenant_id, name, self._tx.now],
        )

    def lock_tenant(self) -> TenantState | None:
        """Where the tenant stands; other changes of it wait until this transaction ends."""
        row = self._tx.fetch_one(
            "SELECT status, resumes_as, version FROM tenants WHERE tenant_id = %s FOR UPDATE",
            [self._tx.tenant_id],
        )
        return TenantState(**row) if row else None

    def read_tenant(self) -> Tenant | None:
        """The tenant as its members see it."""
        row = self._tx.fetch_one(
            "SELECT tenant_id, name, status, version, created_at, closed_at, erase_after"
            " FROM tenants WHERE tenant_id = %s",
            [self._tx.tenant_id],
        )
        return Tenant.model_validate(row) if row else None

    def rename_tenant(self, name: str) -> None:
        """Give the tenant another name."""
        self._tx.execute(
            "UPDATE tenants SET name = %s WHERE tenant_id = %s", [name, self._tx.tenant_id]
        )

    def save_state(self, state: TenantState) -> None:
        """Write a state that is neither suspended anew nor gone; the database checks the step."""
        self._save(state)

    def save_suspension(self, state: TenantState, reason: str) -> None:
        """Write a suspension."""
        self._save(state, reason=reason)

    def save_closure(self, state: TenantState, erase_after: datetime) -> None:
        """Write a closure."""
        self._save(state, closed_at=self._tx.now, erase_after=erase_after)

    def save_erasure(self, state: TenantState) -> None:
        """Write an erasure; the name goes too."""
        self._save(state, erased_at=self._tx.now, name=ERASED_NAME)

    def _save(self, state: TenantState, **also: object) -> None:
        self._tx.execute(
            _SAVE,
            {
                **dict.fromkeys(("reason", "closed_at", "erase_after", "erased_at", "name")),
                **also,
                "status": state.status,
                "resumes_as": state.resumes_as,
                "version": state.version,
                "tenant_id": self._tx.tenant_id,
            },
        )

    def take_erasure(self, asked_before: datetime) -> bool:
        """Note that a due erasure is asked for now; False when it is not due or was asked for."""
        row = self._tx.fetch_one(
            "UPDATE tenants SET erasure_asked_at = %(now)s WHERE tenant_id = %(tenant_id)s"
            " AND status = 'closed' AND erase_after <= %(now)s"
            " AND (erasure_asked_at IS NULL OR erasure_asked_at <= %(asked_before)s)"
            " RETURNING tenant_id",
            {
                "now": self._tx.now,
                "tenant_id": self._tx.tenant_id,
                "asked_before": asked_before,
            },
        )
        return row is not None

    def forget_people(self) -> None:
        """Remove what names a person; consents stay as records of an id without an address."""
        for statement in _FORGET:
            self._tx.execute(statement, [self._tx.tenant_id])


def find_due_erasures(tx: Transaction, asked_before: datetime, limit: int) -> list[UUID]:
    """Closed tenants whose waiting time is over, across all tenants; ids only."""
    rows = tx.fetch_all(
        "SELECT tenant_id FROM find_due_erasures(%s, %s, %s)", [tx.now, asked_before, limit]
    )
    return [row["tenant_id"] for row in rows]
