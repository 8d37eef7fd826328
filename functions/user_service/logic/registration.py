"""Registration: a new tenant with its owner, or the same answer and work for a known address.

An address that has an account gets a 201 as well, with ids that lead nowhere and no event: the
same hash is computed, the same INSERT runs, which the unique index then drops, and one hand-over to
the bus follows either way: the audit's line.
"""

from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.ids import derived_id, uuid7
from contracts.user_service import UserRegistered
from functions.user_service.models import NewUser, Registration


class RegistrationStore(Protocol):
    """What a registration needs to be stored."""

    def add_user(self, user: NewUser) -> bool:
        """Store a user; False when the address has an account."""

    def publish(self, message: Message) -> None:
        """Publish under the new tenant."""

    def rehearse(self, message: Message) -> None:
        """Do the work of publishing and publish nothing."""

    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None:
        """Write a line of the audit trail."""


def normalise_email(email: str) -> str:
    """One spelling an address: trimmed and in lower case."""
    return email.strip().lower()


def choose_tenant(email: str, idempotency_key: str | None) -> UUID:
    """The new tenant's id; a repeated request with the same key finds the same one."""
    if idempotency_key is None:
        return uuid7()
    return derived_id("registration", normalise_email(email), idempotency_key)


def register_user(store: RegistrationStore, user: NewUser, request: Registration) -> None:
    """Store the owner of a new tenant and announce it; a known address changes nothing."""
    event = UserRegistered(
        user_id=user.user_id,
        email=user.email,
        full_name=request.full_name,
        tenant_name=request.tenant_name,
        locale=request.locale,
    )
    is_new = store.add_user(user)
    action = "account.registered" if is_new else "account.registered_again"
    store.record(action, "user", user.user_id)
    if is_new:
        store.publish(event)
    else:
        store.rehearse(event)
