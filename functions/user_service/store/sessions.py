"""Sessions and their refresh tokens. What ends here is announced in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from functions.user_service.models import EndReason, Origin, Session, SessionRow, StoredRefreshToken
from functions.user_service.store.rows import Rows

SESSIONS_A_USER = 20
"""One more ends the oldest."""
USERS_A_NOTICE = 400


class SessionRows(Rows):
    """Sessions of the transaction's tenant, a family of refresh tokens each."""

    def find_refresh_tenant(self, token_hash: bytes) -> UUID | None:
        """Whose refresh token it is, across all tenants."""
        row = self._tx.fetch_one("SELECT find_refresh_tenant(%s) AS tenant_id", [token_hash])
        return row["tenant_id"] if row else None

    def add_session(self, session: Session, user_id: UUID, origin: Origin) -> None:
        """Store a new session of a user; the oldest above the bound end."""
        self._tx.execute(
            "INSERT INTO sessions (session_id, tenant_id, user_id, created_at, last_seen_at,"
            " expires_at, device, address, stepped_up_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                session.session_id,
                self._tx.tenant_id,
                user_id,
                self._tx.now,
                self._tx.now,
                session.expires_at,
                origin.device,
                origin.address,
                session.stepped_up_at,
            ],
        )
        self._end(
            "too_many",
            "session_id IN (SELECT session_id FROM sessions WHERE user_id = %s"
            " AND ended_at IS NULL ORDER BY created_at DESC, session_id DESC OFFSET %s)",
            [user_id, SESSIONS_A_USER],
        )

    def read_session_start(self, session_id: UUID, user_id: UUID) -> datetime | None:
        """When an open session of the user began."""
        row = self._tx.fetch_one(
            "SELECT created_at FROM sessions WHERE session_id = %s AND user_id = %s"
            " AND ended_at IS NULL",
            [session_id, user_id],
        )
        return row["created_at"] if row else None

    def end_session(self, session_id: UUID, reason: EndReason, user_id: UUID | None = None) -> bool:
        """End a session with every refresh token of its family; False when none was open.

        With ``user_id`` only when it is that user's.
        """
        owner = " AND user_id = %s" if user_id else ""
        params = [session_id, *([user_id] if user_id else [])]
        return bool(self._end(reason, f"session_id = %s{owner}", params))

    def end_sessions(
        self, user_id: UUID, reason: EndReason, keeping: UUID | None = None
    ) -> list[UUID]:
        """End every session of a user but the one to keep; returns those that were open."""
        return self._end(
            reason, "user_id = %s AND session_id IS DISTINCT FROM %s", [user_id, keeping]
        )

    def _end(self, reason: EndReason, which: str, params: Sequence[object]) -> list[UUID]:
        rows = self._tx.fetch_all(
            "UPDATE sessions SET ended_at = %s, end_reason = %s"
            f" WHERE ended_at IS NULL AND {which} RETURNING session_id",
            [self._tx.now, reason, *params],
        )
        ended = [row["session_id"] for row in rows]
        for session_id in ended:
            self.revoke("session", session_id)
        return ended

    def end_tenant_sessions(self, reason: EndReason) -> int:
        """End every session of the tenant, announced by user; returns how many were open."""
        rows = self._tx.fetch_all(
            "UPDATE sessions SET ended_at = %s, end_reason = %s WHERE ended_at IS NULL"
            " RETURNING user_id",
            [self._tx.now, reason],
        )
        for user_id in sorted({row["user_id"] for row in rows})[:USERS_A_NOTICE]:
            self.revoke("user", user_id)
        return len(rows)

    def list_sessions(self, user_id: UUID) -> list[SessionRow]:
        """A user's open sessions, those seen last first."""
        rows = self._tx.fetch_all(
            "SELECT session_id, device, address, created_at, last_seen_at, expires_at"
            " FROM sessions WHERE user_id = %s AND ended_at IS NULL AND expires_at > %s"
            " ORDER BY last_seen_at DESC, session_id DESC LIMIT %s",
            [user_id, self._tx.now, SESSIONS_A_USER],
        )
        return [SessionRow(**row) for row in rows]

    def step_up_session(self, session_id: UUID, user_id: UUID) -> Session | None:
        """Note that a second factor was shown now; None when the user has no such open session."""
        row = self._tx.fetch_one(
            "UPDATE sessions SET stepped_up_at = %s, last_seen_at = %s"
            " WHERE session_id = %s AND user_id = %s AND ended_at IS NULL AND expires_at > %s"
            " RETURNING session_id, expires_at, stepped_up_at",
            [self._tx.now, self._tx.now, session_id, user_id, self._tx.now],
        )
        return Session(**row) if row else None

    def forget_step_ups(self, user_id: UUID) -> None:
        """Let no session of a user carry a second factor any more."""
        self._tx.execute("UPDATE sessions SET stepped_up_at = NULL WHERE user_id = %s", [user_id])

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
            " s.ended_at IS NOT NULL AS session_ended, s.expires_at AS session_expires_at,"
            " s.stepped_up_at"
            " FROM refresh_tokens r JOIN sessions s USING (session_id)"
            " WHERE r.token_hash = %s FOR UPDATE",
            [token_hash],
        )
        if row is None:
            return None
        return StoredRefreshToken(
            session=Session(row["session_id"], row["session_expires_at"], row["stepped_up_at"]),
            user_id=row["user_id"],
            expires_at=row["expires_at"],
            used=row["used"],
            session_ended=row["session_ended"],
        )

    def use_refresh_token(self, token_hash: bytes, session_id: UUID, origin: Origin) -> None:
        """Mark a refresh token used and its session seen, from where it was seen."""
        self._tx.execute(
            "UPDATE refresh_tokens SET used_at = %s WHERE token_hash = %s",
            [self._tx.now, token_hash],
        )
        self._tx.execute(
            "UPDATE sessions SET last_seen_at = %s, address = coalesce(%s, address)"
            " WHERE session_id = %s",
            [self._tx.now, origin.address, session_id],
        )
