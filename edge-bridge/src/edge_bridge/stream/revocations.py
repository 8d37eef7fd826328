"""Access that was ended before its tokens expired, remembered for as long as they could live."""

from collections import OrderedDict
from uuid import UUID

from contracts.access_keys import ACCESS_MARK_LIFE_S
from edge_bridge.stream.tokens import Identity

MARKS_MAX = 100_000
MARK_LIFE_MS = ACCESS_MARK_LIFE_S * 1_000

Subject = tuple[UUID | None, UUID]
"""The tenant, where it was told, and the session or user."""


class Revocations:
    """Sessions ended for good, users whose tokens of before an instant ended, tenants shut out."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[Subject, int] = OrderedDict()
        self._users: OrderedDict[Subject, int] = OrderedDict()
        self._tenants: set[UUID] = set()

    def end_session(self, tenant_id: UUID | None, session_id: UUID, now_ms: int) -> None:
        """End a session's tokens for good."""
        _mark(self._sessions, (tenant_id, session_id), now_ms, now_ms)

    def end_user(self, tenant_id: UUID | None, user_id: UUID, before_ms: int, now_ms: int) -> None:
        """End a user's tokens that were issued before an instant."""
        subject = (tenant_id, user_id)
        _mark(self._users, subject, max(before_ms, self._users.get(subject, 0)), now_ms)

    def shut_out(self, tenant_id: UUID) -> None:
        """Refuse a tenant until it is let in again."""
        self._tenants.add(tenant_id)

    def let_in(self, tenant_id: UUID) -> None:
        """End a tenant's suspension."""
        self._tenants.discard(tenant_id)

    def has_ended(self, who: Identity) -> bool:
        """Whether a token's access was ended."""
        if who.tenant_id in self._tenants:
            return True
        for tenant_id in (None, who.tenant_id):
            if (tenant_id, who.session_id) in self._sessions:
                return True
            if who.issued_ms < self._users.get((tenant_id, who.user_id), 0):
                return True
        return False


def _mark(marks: OrderedDict[Subject, int], subject: Subject, value: int, now_ms: int) -> None:
    """Set a mark; those that no living token can meet any more go, then the oldest."""
    marks[subject] = value
    marks.move_to_end(subject)
    while len(marks) > MARKS_MAX or next(iter(marks.values())) < now_ms - MARK_LIFE_MS:
        marks.popitem(last=False)
        if not marks:
            return
