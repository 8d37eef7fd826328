"""Users' profiles, the tokens that prove their addresses, and the trading preferences."""

from datetime import datetime
from uuid import UUID

from functions.user_management.models import (
    NewProfile,
    Preferences,
    PreferencesWish,
    Profile,
    ProfileChange,
)
from functions.user_management.store.tenants import TenantStore
from kit.db import Transaction


class ProfileStore(TenantStore):
    """Profiles, verification tokens and preferences of the transaction's tenant."""

    def add_profile(self, profile: NewProfile) -> bool:
        """Store a profile; False when the user has one, or the tenant has another owner."""
        row = self._tx.fetch_one(
            "INSERT INTO profiles (user_id, tenant_id, email, full_name, role, locale, time_zone,"
            " created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING RETURNING user_id",
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

    def change_email(self, user_id: UUID, email: str, changed_at: datetime) -> bool:
        """Set a proven address unless a later one is there; False when there is no such user."""
        row = self._tx.fetch_one(
            "UPDATE profiles SET"
            " email = CASE WHEN email_changed_at > %(at)s THEN email ELSE %(email)s END,"
            " verified_at = coalesce(verified_at, %(at)s),"
            " email_changed_at = greatest(email_changed_at, %(at)s)"
            " WHERE user_id = %(user_id)s RETURNING user_id",
            {"at": changed_at, "email": email, "user_id": user_id},
        )
        return row is not None

    def add_verification(self, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None:
        """Store a verification token's hash."""
        self._tx.execute(
            "INSERT INTO verification_tokens (token_hash, tenant_id, user_id, created_at,"
            " expires_at) VALUES (%s, %s, %s, %s, %s)",
            [token_hash, self._tx.tenant_id, user_id, self._tx.now, expires_at],
        )

    def drop_verifications(self, user_id: UUID) -> None:
        """Make a user's unused tokens open nothing any more."""
        self._tx.execute(
            "DELETE FROM verification_tokens WHERE user_id = %s AND used_at IS NULL", [user_id]
        )

    def use_verification(self, token_hash: bytes) -> UUID | None:
        """Use a token up; its user, or None when it is unknown, used or expired."""
        row = self._tx.fetch_one(
            "UPDATE verification_tokens SET used_at = %(now)s WHERE token_hash = %(hash)s"
            " AND used_at IS NULL AND expires_at > %(now)s RETURNING user_id",
            {"now": self._tx.now, "hash": token_hash},
        )
        return row["user_id"] if row else None

    def mark_verified(self, user_id: UUID) -> bool:
        """Note that the address is proven; False when it was before."""
        row = self._tx.fetch_one(
            "UPDATE profiles SET verified_at = %s WHERE user_id = %s AND verified_at IS NULL"
            " RETURNING user_id",
            [self._tx.now, user_id],
        )
        return row is not None

    def read_preferences(self) -> Preferences:
        """The tenant's trading preferences; version 0 when nobody has set them."""
        row = self._tx.fetch_one(
            "SELECT version, symbols, risk_appetite, sessions, sizing_mode, updated_at"
            " FROM preferences WHERE tenant_id = %s",
            [self._tx.tenant_id],
        )
        return Preferences.model_validate(row) if row else Preferences()

    def save_preferences(self, wish: PreferencesWish, version: int, user_id: UUID) -> Preferences:
        """Write the tenant's trading preferences."""
        self._tx.execute(
            "INSERT INTO preferences (tenant_id, version, symbols, risk_appetite, sessions,"
            " sizing_mode, updated_at, updated_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version,"
            " symbols = excluded.symbols, risk_appetite = excluded.risk_appetite,"
            " sessions = excluded.sessions, sizing_mode = excluded.sizing_mode,"
            " updated_at = excluded.updated_at, updated_by = excluded.updated_by",
            [
                self._tx.tenant_id,
                version,
                list(wish.symbols),
                wish.risk_appetite,
                list(wish.sessions),
                wish.sizing_mode,
                self._tx.now,
                user_id,
            ],
        )
        return self.read_preferences()


def find_verification_tenant(tx: Transaction, token_hash: bytes) -> UUID | None:
    """Whose verification token it is, across all tenants."""
    row = tx.fetch_one("SELECT find_verification_tenant(%s) AS tenant_id", [token_hash])
    return row["tenant_id"] if row else None


def find_unverified(tx: Transaction, email: str) -> list[tuple[UUID, UUID]]:
    """The (tenant, user) that wait for this address's proof, across all tenants; at most five."""
    rows = tx.fetch_all("SELECT tenant_id, user_id FROM find_unverified(%s)", [email])
    return [(row["tenant_id"], row["user_id"]) for row in rows]
