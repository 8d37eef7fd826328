"""The tenant's members by role, and its invitations."""

from uuid import UUID

from contracts.user_service import Role
from functions.user_management.models import Invitation, Member
from functions.user_management.store.tenants import TenantStore

_MEMBER = (
    "SELECT user_id, email, full_name, role, verified_at IS NOT NULL AS email_verified,"
    " created_at, version FROM profiles WHERE tenant_id = %(tenant_id)s"
)


class MemberStore(TenantStore):
    """Members and invitations of the transaction's tenant."""

    def list_members(self, after: UUID | None, limit: int) -> list[Member]:
        """The tenant's members in the order of their ids, from after one of them on."""
        rows = self._tx.fetch_all(
            f"{_MEMBER} AND (%(after)s::uuid IS NULL OR user_id > %(after)s::uuid)"
            " ORDER BY user_id LIMIT %(limit)s",
            {"tenant_id": self._tx.tenant_id, "after": after, "limit": limit},
        )
        return [Member.model_validate(row) for row in rows]

    def read_member(self, user_id: UUID) -> Member | None:
        """A member; None when the tenant has no such user."""
        row = self._tx.fetch_one(
            f"{_MEMBER} AND user_id = %(user_id)s",
            {"tenant_id": self._tx.tenant_id, "user_id": user_id},
        )
        return Member.model_validate(row) if row else None

    def read_owner(self) -> Member | None:
        """The owner; None once the tenant is erased."""
        row = self._tx.fetch_one(f"{_MEMBER} AND role = 'owner'", {"tenant_id": self._tx.tenant_id})
        return Member.model_validate(row) if row else None

    def count_members(self) -> int:
        """How many members the tenant has."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS members FROM profiles WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return int(row["members"]) if row else 0

    def has_member(self, email: str) -> bool:
        """Whether an address is that of a member of this tenant."""
        row = self._tx.fetch_one(
            "SELECT 1 AS found FROM profiles WHERE tenant_id = %s AND email = %s LIMIT 1",
            [self._tx.tenant_id, email],
        )
        return row is not None

    def set_role(self, user_id: UUID, role: Role) -> Member:
        """Give a member a role and count the change; the member must be there."""
        self._tx.execute(
            "UPDATE profiles SET role = %s, version = version + 1"
            " WHERE tenant_id = %s AND user_id = %s",
            [role, self._tx.tenant_id, user_id],
        )
        member = self.read_member(user_id)
        assert member is not None, "the member was read under the tenant's lock"
        return member

    def remove_member(self, user_id: UUID) -> None:
        """Take a member out; the consent records stay."""
        self._tx.execute(
            "DELETE FROM profiles WHERE tenant_id = %s AND user_id = %s",
            [self._tx.tenant_id, user_id],
        )

    def add_invitation(self, invitation: Invitation, token_hash: bytes) -> None:
        """Store an invitation; a unique index refuses a second open one of an address."""
        self._tx.execute(
            "INSERT INTO invitations (invitation_id, tenant_id, email, role, token_hash,"
            " invited_by, created_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                invitation.invitation_id,
                self._tx.tenant_id,
                invitation.email,
                invitation.role,
                token_hash,
                invitation.invited_by,
                invitation.created_at,
                invitation.expires_at,
            ],
        )

    def list_invitations(self, after: UUID | None, limit: int) -> list[Invitation]:
        """Invitations that can still be accepted, in the order of their ids."""
        rows = self._tx.fetch_all(
            "SELECT invitation_id, email, role, invited_by, created_at, expires_at"
            " FROM invitations WHERE tenant_id = %(tenant_id)s AND accepted_at IS NULL"
            " AND revoked_at IS NULL AND expires_at > %(now)s"
            " AND (%(after)s::uuid IS NULL OR invitation_id > %(after)s::uuid)"
            " ORDER BY invitation_id LIMIT %(limit)s",
            {
                "tenant_id": self._tx.tenant_id,
                "now": self._tx.now,
                "after": after,
                "limit": limit,
            },
        )
        return [Invitation.model_validate(row) for row in rows]

    def count_open_invitations(self, *, but_for: str) -> int:
        """How many invitations can still be accepted, without those of one address."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS open FROM invitations WHERE tenant_id = %s AND email <> %s"
            " AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > %s",
            [self._tx.tenant_id, but_for, self._tx.now],
        )
        return int(row["open"]) if row else 0

    def revoke_invitation(self, invitation_id: UUID) -> bool:
        """Take an invitation back; False when it can not be accepted anyway."""
        row = self._tx.fetch_one(
            "UPDATE invitations SET revoked_at = %(now)s WHERE tenant_id = %(tenant_id)s"
            " AND invitation_id = %(invitation_id)s AND accepted_at IS NULL"
            " AND revoked_at IS NULL AND expires_at > %(now)s RETURNING invitation_id",
            {
                "now": self._tx.now,
                "tenant_id": self._tx.tenant_id,
                "invitation_id": invitation_id,
            },
        )
        return row is not None

    def revoke_invitations_of(self, email: str) -> list[UUID]:
        """Take back what is open of an address, expired or not; the ids."""
        rows = self._tx.fetch_all(
            "UPDATE invitations SET revoked_at = %s WHERE tenant_id = %s AND email = %s"
            " AND accepted_at IS NULL AND revoked_at IS NULL RETURNING invitation_id",
            [self._tx.now, self._tx.tenant_id, email],
        )
        return [row["invitation_id"] for row in rows]

    def accept_invitation(self, invitation_id: UUID) -> Role | None:
        """Note that an invitation was accepted; the role it gives, None when it gives none."""
        row = self._tx.fetch_one(
            "UPDATE invitations SET accepted_at = %s WHERE tenant_id = %s AND invitation_id = %s"
            " AND accepted_at IS NULL AND revoked_at IS NULL RETURNING role",
            [self._tx.now, self._tx.tenant_id, invitation_id],
        )
        return row["role"] if row else None

    def was_accepted(self, invitation_id: UUID) -> bool:
        """Whether an invitation was accepted before."""
        row = self._tx.fetch_one(
            "SELECT 1 AS found FROM invitations WHERE tenant_id = %s AND invitation_id = %s"
            " AND accepted_at IS NOT NULL",
            [self._tx.tenant_id, invitation_id],
        )
        return row is not None
