"""Users, and what their tenant may do."""

from uuid import UUID

from contracts.subscription_service import Tier
from contracts.user_service import Locale, Role
from functions.user_service.models import Account, Credentials, NewUser, TenantStatus
from functions.user_service.store.rows import Rows

NOBODY_SIGNS_IN_WITH = "!"


class UserRows(Rows):
    """Users, the tier and the status of the transaction's tenant."""

    def find_credentials(self, email: str) -> Credentials | None:
        """Whose address it is, across all tenants."""
        row = self._tx.fetch_one("SELECT * FROM find_credentials(%s)", [email])
        return Credentials(row["tenant_id"], row["user_id"]) if row else None

    def add_user(self, user: NewUser) -> bool:
        """Store a user; False when the address has an account already, in whichever tenant."""
        row = self._tx.fetch_one(
            "INSERT INTO users (user_id, tenant_id, email, password_hash, role, status,"
            " platform_admin, support, locale, created_at, verified_at)"
            " VALUES (%(user_id)s, %(tenant_id)s, %(email)s, %(hash)s, %(role)s, %(status)s,"
            " %(admin)s, %(support)s, %(locale)s, %(created_at)s, %(verified_at)s)"
            " ON CONFLICT (email) DO NOTHING RETURNING user_id",
            {
                "user_id": user.user_id,
                "tenant_id": user.tenant_id,
                "email": user.email,
                "hash": user.password_hash,
                "role": user.role,
                "status": user.status,
                "admin": user.platform_admin,
                "support": user.support,
                "locale": user.locale,
                "created_at": user.created_at,
                "verified_at": user.created_at if user.status == "active" else None,
            },
        )
        return row is not None

    def read_account(self, user_id: UUID) -> Account | None:
        """A user with the tenant's tier; None when the tenant has no such user, or not any more."""
        row = self._tx.fetch_one(
            "SELECT u.user_id, u.tenant_id, u.email, u.password_hash, u.role, u.status,"
            " u.platform_admin, u.support, u.locale,"
            " CASE WHEN u.platform_admin OR u.support THEN 'enterprise'"  # the widest limits
            " ELSE coalesce(t.tier, 'free') END AS tier,"
            " coalesce(s.status, 'active') AS tenant_status"
            " FROM users u LEFT JOIN tenant_tiers t USING (tenant_id)"
            " LEFT JOIN tenant_states s USING (tenant_id)"
            " WHERE u.user_id = %s AND u.status <> 'removed'",
            [user_id],
        )
        return Account(**row) if row else None

    def activate_user(self, user_id: UUID) -> bool:
        """Note that the address is proven; False when the tenant has no such user."""
        row = self._tx.fetch_one(
            "UPDATE users SET verified_at = coalesce(verified_at, %s),"
            " status = CASE status WHEN 'registered' THEN 'active' ELSE status END"
            " WHERE user_id = %s RETURNING user_id",
            [self._tx.now, user_id],
        )
        return row is not None

    def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        """Replace a password's hash."""
        self._tx.execute(
            "UPDATE users SET password_hash = %s WHERE user_id = %s", [password_hash, user_id]
        )

    def set_email(self, user_id: UUID, email: str) -> bool:
        """Replace a proven address; False when it has an account by now."""
        from psycopg.errors import UniqueViolation

        try:
            self._tx.execute("SAVEPOINT set_email")
            self._tx.execute("UPDATE users SET email = %s WHERE user_id = %s", [email, user_id])
            self._tx.execute("RELEASE SAVEPOINT set_email")
        except UniqueViolation:
            self._tx.execute("ROLLBACK TO SAVEPOINT set_email")
            return False
        return True

    def set_locale(self, user_id: UUID, locale: Locale) -> bool:
        """Note a user's language; False when the tenant has no such user."""
        row = self._tx.fetch_one(
            "UPDATE users SET locale = %s WHERE user_id = %s RETURNING user_id", [locale, user_id]
        )
        return row is not None

    def has_user(self, user_id: UUID) -> bool:
        """Whether the tenant has or had such a user."""
        return self._tx.fetch_one("SELECT 1 FROM users WHERE user_id = %s", [user_id]) is not None

    def set_role(self, user_id: UUID, role: Role, version: int) -> bool:
        """Give a member a role unless a later change is known; False when it is."""
        row = self._tx.fetch_one(
            "UPDATE users SET role = %s, role_version = %s"
            " WHERE user_id = %s AND role_version < %s AND status <> 'removed' RETURNING user_id",
            [role, version, user_id, version],
        )
        return row is not None

    def remove_user(self, user_id: UUID) -> bool:
        """Take a member out and free the address; False when there is none, or not any more."""
        row = self._tx.fetch_one(
            "UPDATE users SET status = 'removed', password_hash = %s, platform_admin = false,"
            " support = false, email = user_id::text || '@removed.invalid'"
            " WHERE user_id = %s AND status <> 'removed' RETURNING user_id",
            [NOBODY_SIGNS_IN_WITH, user_id],
        )
        for table in ("totp_factors", "recovery_codes", "account_tokens", "known_devices"):
            self._tx.execute(f"DELETE FROM {table} WHERE user_id = %s", [user_id])
        return row is not None

    def make_staff(self, user_id: UUID, *, support: bool) -> None:
        """Give a user the platform's own rights: all of them, or to read only."""
        self._tx.execute(
            "UPDATE users SET platform_admin = %s, support = %s, status = 'active',"
            " verified_at = coalesce(verified_at, %s) WHERE user_id = %s",
            [not support, support, self._tx.now, user_id],
        )

    def keep_tier(self, tenant_id: UUID, tier: Tier, version: int) -> bool:
        """Set the tenant's tier unless a later version is known; False when it is."""
        row = self._tx.fetch_one(
            "INSERT INTO tenant_tiers (tenant_id, tier, version, updated_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE"
            " SET tier = excluded.tier, version = excluded.version,"
            " updated_at = excluded.updated_at"
            " WHERE tenant_tiers.version < excluded.version RETURNING tenant_id",
            [tenant_id, tier, version, self._tx.now],
        )
        return row is not None

    def keep_tenant_status(self, status: TenantStatus, version: int) -> bool:
        """Note the tenant's status unless a later one is known; closed is for good."""
        row = self._tx.fetch_one(
            "INSERT INTO tenant_states (tenant_id, status, version, updated_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE"
            " SET status = excluded.status, version = excluded.version,"
            " updated_at = excluded.updated_at WHERE tenant_states.status <> 'closed'"
            " AND (excluded.status = 'closed' OR tenant_states.version < excluded.version)"
            " RETURNING tenant_id",
            [self._tx.tenant_id, status, version, self._tx.now],
        )
        return row is not None

    def read_tenant_status(self) -> TenantStatus:
        """The tenant's status; active unless told otherwise."""
        row = self._tx.fetch_one("SELECT status FROM tenant_states")
        status: TenantStatus = row["status"] if row else "active"
        return status
