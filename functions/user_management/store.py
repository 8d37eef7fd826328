"""The only SQL of user_management. A tenant-bound transaction sees its own tenant's rows."""

from datetime import datetime
from uuid import UUID

from contracts.envelope import Message
from functions.user_management.models import Member, NewProfile, Profile, ProfileChange
from kit.db import Transaction


class ProfileStore:
    """Tenant, profiles and verification tokens of the transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def publish(self, message: Message) -> None:
        """Publish under the transaction's tenant."""
        self._tx.publish(message)

    def add_tenant(self, name: str) -> None:
        """Store the transaction's tenant; again changes nothing."""
        self._tx.execute(
            "INSERT INTO tenants (tenant_id, name, status, created_at)"
            " VALUES (%s, %s, 'registered', %s) ON CONFLICT DO NOTHING",
            [self._tx.tenant_id, name, self._tx.now],
        )

    def add_profile(self, profile: NewProfile) -> bool:
        """Store a profile; False when the user has one, here or in another tenant."""
        row = self._tx.fetch_one(
            "INSERT INTO profiles (user_id, tenant_id, email, full_name, role, locale, time_zone,"
            " created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (user_id) DO NOTHING RETURNING user_id",
            [
                profile.user_id,
                self._tx.tenant_id,
                profile.email,
                profile.full_name,
                profile.role,
                profile.locale,
                profile.time_zone,
                self._tx.now,
            ],
        )
        return row is not None

    def read_profile(self, user_id: UUID) -> Profile | None:
        """A user's profile; None when the tenant has no such user."""
        row = self._tx.fetch_one(
            "SELECT p.user_id, p.tenant_id, t.name AS tenant_name, p.email, p.full_name, p.role,"
            " p.locale, p.time_zone, p.verified_at IS NOT NULL AS email_verified, p.created_at"
            " FROM profiles p JOIN tenants t USING (tenant_id) WHERE p.user_id = %s",
            [user_id],
        )
        return Profile.model_validate(row) if row else None

    def change_profile(self, user_id: UUID, change: ProfileChange) -> bool:
        """Set what is named; False when the tenant has no such user."""
        row = self._tx.fetch_one(
            "UPDATE profiles SET full_name = coalesce(%s, full_name),"
            " locale = coalesce(%s, locale), time_zone = coalesce(%s, time_zone)"
            " WHERE user_id = %s RETURNING user_id",
            [change.full_name, change.locale, change.time_zone, user_id],
        )
        return row is not None

    def list_members(self, after: UUID | None, limit: int) -> list[Member]:
        """The tenant's members in the order of their ids, from after one of them on."""
        rows = self._tx.fetch_all(
            "SELECT user_id, email, full_name, role, verified_at IS NOT NULL AS email_verified,"
            " created_at FROM profiles WHERE tenant_id = %(tenant_id)s"
            " AND (%(after)s::uuid IS NULL OR user_id > %(after)s::uuid)"
            " ORDER BY user_id LIMIT %(limit)s",
            {"tenant_id": self._tx.tenant_id, "after": after, "limit": limit},
        )
        return [Member.model_validate(row) for row in rows]

    def add_verification(self, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None:
        """Store a verification token's hash."""
        self._tx.execute(
            "INSERT INTO verification_tokens (token_hash, tenant_id, user_id, created_at,"
            " expires_at) VALUES (%s, %s, %s, %s, %s)",
            [token_hash, self._tx.tenant_id, user_id, self._tx.now, expires_at],
        )

    def find_verification_tenant(self, token_hash: bytes) -> UUID | None:
        """Whose verification token it is, across all tenants."""
        row = self._tx.fetch_one("SELECT find_verification_tenant(%s) AS tenant_id", [token_hash])
        return row["tenant_id"] if row else None

    def use_verification(self, token_hash: bytes) -> UUID | None:
        """Use a token up; its user, or None when it is unknown, used or expired."""
        row = self._tx.fetch_one(
            "UPDATE verification_tokens SET used_at = %(now)s WHERE token_hash = %(hash)s"
            " AND used_at IS NULL AND expires_at > %(now)s RETURNING user_id",
            {"now": self._tx.now, "hash": token_hash},
        )
        return row["user_id"] if row else None

    def mark_verified(self, user_id: UUID) -> bool:
        """Note that the address is proven and the tenant active; False when it was before."""
        row = self._tx.fetch_one(
            "UPDATE profiles SET verified_at = %s WHERE user_id = %s AND verified_at IS NULL"
            " RETURNING user_id",
            [self._tx.now, user_id],
        )
        self._tx.execute(
            "UPDATE tenants SET status = 'active' WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return row is not None
