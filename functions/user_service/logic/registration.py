"""Registration: a new tenant with its owner, or the same answer and work for a known address.

An address that has an account gets a 201 as well, with ids that lead nowhere and no event: the
same hash is computed and the same INSERT runs, which the unique index then drops. What is left to
see is the hand-over of one event to the bus, a few milliseconds beside the hash's thirty.
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
    if store.add_user(user):
        store.publish(
            UserRegistered(
                user_id=user.user_id,
                email=user.email,
                full_name=request.full_name,
                tenant_name=request.tenant_name,
                locale=request.locale,
            )
        )
