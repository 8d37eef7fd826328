"""What goes out by mail and comes back as a token: resets, new addresses, invitations."""

from datetime import datetime
from uuid import UUID

from contracts.user_service import Role
from functions.user_service.models import Invitation, MailedPurpose, MailedRow
from functions.user_service.store.rows import Rows


class MailedRows(Rows):
    """One-time tokens and invitations of the transaction's tenant; hashes only."""

    def find_token_tenant(self, token_hash: bytes, purpose: MailedPurpose) -> UUID | None:
        """Whose token it is, across all tenants."""
        row = self._tx.fetch_one(
            "SELECT find_token_tenant(%s, %s) AS tenant_id", [token_hash, purpose]
        )
        return row["tenant_id"] if row else None

    def put_token(
        self,
        token_hash: bytes,
        user_id: UUID,
        purpose: MailedPurpose,
        expires_at: datetime,
        new_email: str | None = None,
    ) -> None:
        """Keep a token instead of the user's earlier one of this purpose."""
        self._tx.execute(
            "INSERT INTO account_tokens (token_hash, tenant_id, user_id, purpose, new_email,"
            " created_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (user_id, purpose) DO UPDATE SET token_hash = excluded.token_hash,"
            " new_email = excluded.new_email, created_at = excluded.created_at,"
            " expires_at = excluded.expires_at",
            [
                token_hash,
                self._tx.tenant_id,
                user_id,
                purpose,
                new_email,
                self._tx.now,
                expires_at,
            ],
        )

    def drop_stray_tokens(self, user_id: UUID) -> None:
        """Drop the tokens of a user whom the tenant does not have."""
        self._tx.execute(
            "DELETE FROM account_tokens a WHERE user_id = %s AND NOT EXISTS"
            " (SELECT 1 FROM users u WHERE u.user_id = a.user_id)",
            [user_id],
        )

    def take_token(self, token_hash: bytes, purpose: MailedPurpose) -> MailedRow | None:
        """Use a token up; None when it is not there or has expired. Of two takers, one wins."""
        row = self._tx.fetch_one(
            "DELETE FROM account_tokens WHERE token_hash = %s AND purpose = %s AND expires_at > %s"
            " RETURNING user_id, new_email",
            [token_hash, purpose, self._tx.now],
        )
        return MailedRow(**row) if row else None

    def drop_tokens(self, user_id: UUID) -> None:
        """Let no mailed token of a user open anything any more."""
        self._tx.execute("DELETE FROM account_tokens WHERE user_id = %s", [user_id])

    def find_invitation_tenant(self, token_hash: bytes) -> UUID | None:
        """Whose invitation it is, across all tenants."""
        row = self._tx.fetch_one("SELECT find_invitation_tenant(%s) AS tenant_id", [token_hash])
        return row["tenant_id"] if row else None

    def keep_invitation(
        self, invitation_id: UUID, email: str, role: Role, token_hash: bytes, expires_at: datetime
    ) -> None:
        """Keep an invitation, or its newer token; one revoked or accepted stays so."""
        self._tx.execute(
            "INSERT INTO invitations AS i (invitation_id, tenant_id, state, email, role,"
            " token_hash, expires_at, updated_at) VALUES (%s, %s, 'open', %s, %s, %s, %s, %s)"
            " ON CONFLICT (invitation_id) DO UPDATE SET token_hash = excluded.token_hash,"
            " role = excluded.role, expires_at = excluded.expires_at,"
            " updated_at = excluded.updated_at"
            " WHERE i.state = 'open' AND i.expires_at < excluded.expires_at",
            [
                invitation_id,
                self._tx.tenant_id,
                email,
                role,
                token_hash,
                expires_at,
                self._tx.now,
            ],
        )

    def revoke_invitation(self, invitation_id: UUID) -> None:
        """Let an invitation open nothing, even one that is heard of later."""
        self._tx.execute(
            "INSERT INTO invitations AS i (invitation_id, tenant_id, state, updated_at)"
            " VALUES (%s, %s, 'revoked', %s) ON CONFLICT (invitation_id) DO UPDATE"
            " SET state = 'revoked', email = NULL, token_hash = NULL,"
            " updated_at = excluded.updated_at WHERE i.state = 'open'",
            [invitation_id, self._tx.tenant_id, self._tx.now],
        )

    def accept_invitation(self, token_hash: bytes) -> Invitation | None:
        """Use an open invitation up; None when it is not open any more. Of two, one wins."""
        row = self._tx.fetch_one(
            "UPDATE invitations SET state = 'accepted', updated_at = %s"
            " WHERE token_hash = %s AND state = 'open' AND expires_at > %s"
            " RETURNING invitation_id, email, role",
            [self._tx.now, token_hash, self._tx.now],
        )
        return Invitation(**row) if row else None
