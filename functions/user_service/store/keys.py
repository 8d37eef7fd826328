"""API keys of the transaction's tenant, and the lock that signing keys are rotated under."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from functions.user_service.models import KeyEnd, StoredKey
from functions.user_service.store.rows import Rows
from kit.errors import Unavailable

USED_EVERY = timedelta(minutes=1)
KEPT_AFTER_END = timedelta(days=90)
PRUNED_A_CALL = 100
ROTATION_LOCK = 7_262_114_009

_COLUMNS = (
    "key_id, tenant_id, user_id, name, prefix, scopes, requests_per_second, created_at,"
    " expires_at, last_used_at, ended_at, end_reason, replaced_by"
)
_ALIVE = "expires_at > %(now)s AND (ended_at IS NULL OR ended_at > %(now)s)"


class KeyRows(Rows):
    """API keys; a key of another tenant is not there."""

    def find_api_key(self, key_hash: bytes) -> tuple[UUID, UUID] | None:
        """Whose key it is, across all tenants: (tenant, key)."""
        row = self._tx.fetch_one("SELECT * FROM find_api_key(%s)", [key_hash])
        return (row["tenant_id"], row["key_id"]) if row else None

    def lock_keys(self, user_id: UUID | None = None) -> None:
        """Let no other transaction count or change the tenant's keys until this one ends.

        Whoever adds a key names its user, whose row is held first: in the same order as a removal.
        """
        self._tx.execute("SELECT 1 FROM users WHERE user_id = %s FOR KEY SHARE", [user_id])
        self._tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"api_keys:{self._tx.tenant_id}"],
        )

    def count_living_keys(self, but: UUID | None = None) -> int:
        """How many keys open something now, ``but`` not counted."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS living FROM api_keys"
            f" WHERE {_ALIVE} AND key_id IS DISTINCT FROM %(but)s",
            {"now": self._tx.now, "but": but},
        )
        return int(row["living"]) if row else 0

    def add_key(self, key: StoredKey, key_hash: bytes) -> bool:
        """Store a key and drop some that ended long ago; False when its id is there already."""
        self._tx.execute(
            "DELETE FROM api_keys WHERE key_id IN (SELECT key_id FROM api_keys"
            " WHERE least(expires_at, ended_at) < %s AND key_id <> %s LIMIT %s)",
            [self._tx.now - KEPT_AFTER_END, key.key_id, PRUNED_A_CALL],
        )
        row = self._tx.fetch_one(
            "INSERT INTO api_keys (key_id, tenant_id, user_id, name, prefix, key_hash, scopes,"
            " requests_per_second, created_at, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (key_id) DO NOTHING RETURNING key_id",
            [
                key.key_id,
                key.tenant_id,
                key.user_id,
                key.name,
                key.prefix,
                key_hash,
                list(key.scopes),
                key.requests_per_second,
                key.created_at,
                key.expires_at,
            ],
        )
        return row is not None

    def has_key(self, key_id: UUID) -> bool:
        """Whether the tenant has such a key, living or not."""
        return self._tx.fetch_one("SELECT 1 FROM api_keys WHERE key_id = %s", [key_id]) is not None

    def read_key(self, key_id: UUID) -> StoredKey | None:
        """A key; None when the tenant has no such key."""
        row = self._tx.fetch_one(f"SELECT {_COLUMNS} FROM api_keys WHERE key_id = %s", [key_id])
        return _read(row) if row else None

    def list_keys(self, user_id: UUID | None, limit: int, after: UUID | None) -> list[StoredKey]:
        """Keys of a user (None: of everybody), the newest first, from the one after ``after``."""
        rows = self._tx.fetch_all(
            f"SELECT {_COLUMNS} FROM api_keys"
            " WHERE (%(user)s::uuid IS NULL OR user_id = %(user)s)"
            " AND (%(after)s::uuid IS NULL OR (created_at, key_id) <"
            " (SELECT created_at, key_id FROM api_keys WHERE key_id = %(after)s))"
            " ORDER BY created_at DESC, key_id DESC LIMIT %(limit)s",
            {"user": user_id, "after": after, "limit": limit},
        )
        return [_read(row) for row in rows]

    def end_key(self, key_id: UUID, reason: KeyEnd, ended_at: datetime) -> None:
        """Let a key open nothing from then on; an earlier end stays."""
        self._tx.execute(
            "UPDATE api_keys SET ended_at = least(ended_at, %(at)s), end_reason = %(reason)s"
            " WHERE key_id = %(key)s AND (ended_at IS NULL OR ended_at > %(at)s)",
            {"key": key_id, "reason": reason, "at": ended_at},
        )

    def name_successor(self, key_id: UUID, successor: UUID) -> None:
        """Note which key stands in a rotated one's place."""
        self._tx.execute(
            "UPDATE api_keys SET replaced_by = %s WHERE key_id = %s", [successor, key_id]
        )

    def list_living_before(self, key_id: UUID) -> list[UUID]:
        """Keys that were rotated into this one, step by step, and are honoured still."""
        rows = self._tx.fetch_all(
            "WITH RECURSIVE chain AS (SELECT key_id, ended_at, expires_at FROM api_keys"
            " WHERE replaced_by = %(key)s UNION SELECT k.key_id, k.ended_at, k.expires_at"
            " FROM api_keys k JOIN chain c ON k.replaced_by = c.key_id)"
            f" SELECT key_id FROM chain WHERE {_ALIVE} LIMIT 100",
            {"key": key_id, "now": self._tx.now},
        )
        return [row["key_id"] for row in rows]

    def revoke_keys_of(self, user_id: UUID | None = None) -> None:
        """End every living key of a user, or of the whole closed tenant; announce each.

        Under the tenant's lock, so that no key slips in meanwhile.
        """
        reason: KeyEnd = "member_removed" if user_id else "tenant_closed"
        self.lock_keys()
        rows = self._tx.fetch_all(
            "UPDATE api_keys SET ended_at = %(now)s, end_reason = %(reason)s"
            f" WHERE {_ALIVE} AND (%(user)s::uuid IS NULL OR user_id = %(user)s)"
            " RETURNING key_id",
            {"now": self._tx.now, "reason": reason, "user": user_id},
        )
        for row in rows:
            self.revoke("api_key", row["key_id"])
            self.record("api_key.revoked", "api_key", row["key_id"], reason=reason)

    def note_key_used(self, key_id: UUID) -> None:
        """Note that a key was shown, at most once a minute; who is noting it already does it."""
        self._tx.execute(
            "UPDATE api_keys SET last_used_at = %(now)s WHERE key_id = (SELECT key_id FROM"
            " api_keys WHERE key_id = %(key)s AND (last_used_at IS NULL OR last_used_at"
            " <= %(before)s) FOR UPDATE SKIP LOCKED)",
            {"key": key_id, "now": self._tx.now, "before": self._tx.now - USED_EVERY},
        )

    def lock_signing_keys(self) -> None:
        """Rotate alone until the transaction ends. Raises Unavailable while another rotates."""
        row = self._tx.fetch_one("SELECT pg_try_advisory_xact_lock(%s) AS got", [ROTATION_LOCK])
        if row is None or not row["got"]:
            raise Unavailable("the signing keys are being rotated")


def _read(row: dict[str, Any]) -> StoredKey:
    return StoredKey(**{**row, "scopes": tuple(row["scopes"])})
