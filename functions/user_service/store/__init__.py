"""The only SQL of user_service. A tenant-bound transaction sees its own tenant's rows."""

from datetime import datetime
from uuid import UUID

from contracts.envelope import Message
from contracts.subscription_service import Tier
from functions.user_service.models import (
    Account,
    Attempt,
    Credentials,
    EndReason,
    NewUser,
    Session,
    StoredRefreshToken,
)
from kit.db import Transaction

PRUNED_A_CALL = 100


class UserStore:
    """Users, sessions and tiers of the transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def publish(self, message: Message) -> None:
        """Publish under the transaction's tenant."""
        self._tx.publish(message)

    def find_credentials(self, email: str) -> Credentials | None:
        """Whose address it is, across all tenants."""
        row = self._tx.fetch_one("SELECT * FROM find_credentials(%s)", [email])
        return Credentials(row["tenant_id"], row["user_id"]) if row else None

    def find_refresh_tenant(self, token_hash: bytes) -> UUID | None:
        """Whose refresh token it is, across all tenants."""
        row = self._tx.fetch_one("SELECT find_refresh_tenant(%s) AS tenant_id", [token_hash])
        return row["tenant_id"] if row else None

    def add_user(self, user: NewUser) -> bool:
        """Store a user; False when the address has an account already, in whichever tenant."""
        row = self._tx.fetch_one(
            "INSERT INTO users (user_id, tenant_id, email, password_hash, role, status,"
            " platform_admin, created_at, verified_at)"
            " VALUES (%(user_id)s, %(tenant_id)s, %(email)s, %(hash)s, %(role)s, %(status)s,"
            " %(admin)s, %(created_at)s, %(verified_at)s)"
            " ON CONFLICT (email) DO NOTHING RETURNING user_id",
            {
                "user_id": user.user_id,
                "tenant_id": user.tenant_id,
                "email": user.email,
                "hash": user.password_hash,
                "role": user.role,
                "status": user.status,
                "admin": user.platform_admin,
                "created_at": user.created_at,
                "verified_at": user.created_at if user.status == "active" else None,
            },
        )
        return row is not None

    def read_account(self, user_id: UUID) -> Account | None:
        """A user with the tenant's tier; None when the tenant has no such user."""
        row = self._tx.fetch_one(
            "SELECT u.user_id, u.tenant_id, u.password_hash, u.role, u.status, u.platform_admin,"
            " coalesce(t.tier, 'free') AS tier"
            " FROM users u LEFT JOIN tenant_tiers t USING (tenant_id) WHERE u.user_id = %s",
            [user_id],
        )
        return Account(**row) if row else None

    def activate_user(self, user_id: UUID) -> bool:
        """Note that the address is proven; False when the tenant has no such user."""
        row = self._tx.fetch_one(
            "UPDATE users SET status = 'active', verified_at = coalesce(verified_at, %s)"
            " WHERE user_id = %s RETURNING user_id",
            [self._tx.now, user_id],
        )
        return row is not None

    def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        """Replace a password's hash."""
        self._tx.execute(
            "UPDATE users SET password_hash = %s WHERE user_id = %s", [password_hash, user_id]
        )

    def make_platform_admin(self, user_id: UUID) -> None:
        """Give a user the platform's own rights."""
        self._tx.execute(
            "UPDATE users SET platform_admin = true, status = 'active',"
            " verified_at = coalesce(verified_at, %s) WHERE user_id = %s",
            [self._tx.now, user_id],
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

    def add_session(self, session: Session, user_id: UUID) -> None:
        """Store a new session of a user."""
        self._tx.execute(
            "INSERT INTO sessions (session_id, tenant_id, user_id, created_at, last_seen_at,"
            " expires_at) VALUES (%s, %s, %s, %s, %s, %s)",
            [
                session.session_id,
                self._tx.tenant_id,
                user_id,
                self._tx.now,
                self._tx.now,
                session.expires_at,
            ],
        )

    def end_session(self, session_id: UUID, reason: EndReason) -> None:
        """End a session and with it every refresh token of its family; again changes nothing."""
        self._tx.execute(
            "UPDATE sessions SET ended_at = %s, end_reason = %s"
            " WHERE session_id = %s AND ended_at IS NULL",
            [self._tx.now, reason, session_id],
        )

    def end_sessions(self, user_id: UUID, reason: EndReason) -> None:
        """End every session of a user."""
        self._tx.execute(
            "UPDATE sessions SET ended_at = %s, end_reason = %s"
            " WHERE user_id = %s AND ended_at IS NULL",
            [self._tx.now, reason, user_id],
        )

    def add_refresh_token(self, token_hash: bytes, session_id: UUID, expires_at: datetime) -> None:
        """Store a refresh token's hash, and drop the family's expired ones."""
        self._tx.execute(
            "DELETE FROM refresh_tokens WHERE session_id = %s AND expires_at < %s",
            [session_id, self._tx.now],
        )
        self._tx.execute(
            "INSERT INTO refresh_tokens (token_hash, tenant_id, session_id, created_at,"
            " expires_at) VALUES (%s, %s, %s, %s, %s)",
            [token_hash, self._tx.tenant_id, session_id, self._tx.now, expires_at],
        )

    def lock_refresh_token(self, token_hash: bytes) -> StoredRefreshToken | None:
        """Read a refresh token and its session, locked: of two uses, one is the second."""
        row = self._tx.fetch_one(
            "SELECT s.session_id, s.user_id, r.expires_at, r.used_at IS NOT NULL AS used,"
            " s.ended_at IS NOT NULL AS session_ended, s.expires_at AS session_expires_at"
            " FROM refresh_tokens r JOIN sessions s USING (session_id)"
            " WHERE r.token_hash = %s FOR UPDATE",
            [token_hash],
        )
        if row is None:
            return None
        return StoredRefreshToken(
            session=Session(row["session_id"], row["session_expires_at"]),
            user_id=row["user_id"],
            expires_at=row["expires_at"],
            used=row["used"],
            session_ended=row["session_ended"],
        )

    def use_refresh_token(self, token_hash: bytes, session_id: UUID) -> None:
        """Mark a refresh token used and its session seen."""
        self._tx.execute(
            "UPDATE refresh_tokens SET used_at = %s WHERE token_hash = %s",
            [self._tx.now, token_hash],
        )
        self._tx.execute(
            "UPDATE sessions SET last_seen_at = %s WHERE session_id = %s",
            [self._tx.now, session_id],
        )


class AttemptStore:
    """Sign-in attempts by the hash of the address, in no tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def count_attempt(self, address_hash: bytes, since: datetime) -> Attempt:
        """Count an attempt unless the address is blocked now; counting starts anew after a rest.

        The row stays locked until the transaction ends, so that parallel attempts count one by one.
        """
        row = self._tx.fetch_one(
            "INSERT INTO login_attempts AS a (address_hash, failures, last_at)"
            " VALUES (%(hash)s, 1, %(now)s) ON CONFLICT (address_hash) DO UPDATE"
            " SET failures = CASE WHEN a.last_at < %(since)s THEN 1 ELSE a.failures + 1 END,"
            " last_at = %(now)s, blocked_until = NULL"
            " WHERE a.blocked_until IS NULL OR a.blocked_until <= %(now)s RETURNING failures",
            {"hash": address_hash, "now": self._tx.now, "since": since},
        )
        if row is not None:
            return Attempt(row["failures"])
        blocked = self._tx.fetch_one(
            "SELECT failures, blocked_until FROM login_attempts WHERE address_hash = %s",
            [address_hash],
        )
        return Attempt(**blocked) if blocked else Attempt(1)

    def block(self, address_hash: bytes, until: datetime) -> None:
        """Refuse attempts with this address until then."""
        self._tx.execute(
            "UPDATE login_attempts SET blocked_until = %s WHERE address_hash = %s",
            [until, address_hash],
        )

    def forget(self, address_hash: bytes, stale_before: datetime) -> None:
        """Forget an address that signed in, and some that rested long enough."""
        self._tx.execute(
            "DELETE FROM login_attempts WHERE address_hash = %s OR address_hash = ANY(ARRAY("
            "SELECT address_hash FROM login_attempts WHERE last_at < %s"
            " ORDER BY last_at LIMIT %s FOR UPDATE SKIP LOCKED))",
            [address_hash, stale_before, PRUNED_A_CALL],
        )
