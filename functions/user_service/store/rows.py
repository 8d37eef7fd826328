"""What every part of the store has: the transaction, and the room's voice."""

from uuid import UUID

from contracts.envelope import Envelope, Message
from contracts.user_service import AccessRevoked, AlertKind, RevokedKind, SecurityAlertRaised
from functions.user_service.models import Account
from kit.audit import record
from kit.context import current
from kit.db import Transaction
from kit.outbox import make_row


class Rows:
    """A part of the store, bound to one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def publish(self, message: Message) -> None:
        """Publish under the transaction's tenant."""
        self._tx.publish(message)

    def rehearse(self, message: Message) -> None:
        """Do the work of publishing and publish nothing: the time taken must not tell."""
        make_row(Envelope.wrap(message, tenant_id=self._tx.tenant_id, now=self._tx.now))

    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None:
        """Write a line of the audit trail with the transaction."""
        record(self._tx, action, target_kind, target_id, **detail)

    def revoke(self, kind: RevokedKind, subject_id: UUID) -> None:
        """Announce that what was given to the subject until now opens nothing any more."""
        self.publish(AccessRevoked(kind=kind, subject_id=subject_id, before=self._tx.now))

    def alert(self, account: Account, kind: AlertKind, email: str | None = None) -> None:
        """Tell a user what happened to the account, from which device and network address."""
        request = current()
        self.publish(
            SecurityAlertRaised(
                user_id=account.user_id,
                email=email or account.email,
                locale=account.locale,
                kind=kind,
                device=request.device if request else None,
                address=request.address if request else None,
            )
        )
