"""Consents under Indonesia's data protection law (UU PDP, No. 27 of 2022).

Who consented to which version of which document, when and from where, is only ever added to; a
withdrawal is a record too. The owner's consent to the present terms and risk notice makes a
verified tenant active; withdrawing one of them takes it back to verified.
"""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from contracts.ids import uuid7
from functions.user_management.errors import NothingToWithdraw, UnknownDocument
from functions.user_management.logic import lifecycle
from functions.user_management.models import (
    Consent,
    ConsentWish,
    Document,
    Profile,
    TenantState,
)

NEEDED_TO_BE_ACTIVE: tuple[Document, ...] = ("terms", "risk_notice")


class Activation(Protocol):
    """What the step to active rests on."""

    def lock_tenant(self) -> TenantState | None: ...
    def save_state(self, state: TenantState) -> None: ...
    def read_present_versions(self) -> Mapping[Document, int]: ...
    def read_standing(self, user_id: UUID) -> Mapping[Document, int]: ...


class Consents(Activation, Protocol):
    """What recording a consent needs of the store."""

    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def add_consent(
        self, consent_id: UUID, user_id: UUID, wish: ConsentWish, address: str | None
    ) -> Consent: ...
    def read_latest(self, user_id: UUID, document: Document) -> Consent | None: ...
    def audit(self, action: str, kind: str, target: object, **detail: str | int) -> None: ...


def record_consent(
    store: Consents, user: Profile, wish: ConsentWish, address: str | None
) -> Consent:
    """Add a consent or its withdrawal to the trail, and move the tenant if it is the owner's.

    Saying again what stands adds nothing. Raises UnknownDocument, NothingToWithdraw.
    """
    state = store.lock_tenant()
    assert state is not None, "a user's tenant is there"
    latest = store.read_latest(user.user_id, wish.document)
    if latest and (latest.version, latest.action) == (wish.version, wish.action):
        return latest
    _check_wish(store, wish, latest)
    consent = store.add_consent(uuid7(), user.user_id, wish, address)
    store.audit(
        f"consent.{wish.action}", "user", user.user_id, document=wish.document, version=wish.version
    )
    if user.role == "owner":
        activate(store, state, user.user_id)
    return consent


def _check_wish(store: Activation, wish: ConsentWish, latest: Consent | None) -> None:
    if wish.action == "given":
        present = store.read_present_versions()
        if present.get(wish.document) != wish.version:
            raise UnknownDocument(f"the present version is {present.get(wish.document)}")
    elif latest is None or latest.action == "withdrawn" or latest.version != wish.version:
        raise NothingToWithdraw("no consent to this version stands")


def activate(store: Activation, state: TenantState, owner_id: UUID) -> None:
    """Move a tenant between verified and active, as its owner's consents say."""
    moved = decide_activation(state, store.read_present_versions(), store.read_standing(owner_id))
    if moved != state:
        store.save_state(moved)


def decide_activation(
    state: TenantState, present: Mapping[Document, int], standing: Mapping[Document, int]
) -> TenantState:
    """Active once the present versions are consented to; back when a consent was withdrawn.

    A newer version of a document alone takes nothing back: the consent to the older one stands.
    """
    if all(standing.get(document) == present[document] for document in NEEDED_TO_BE_ACTIVE):
        return lifecycle.accept_terms(state)
    if any(document not in standing for document in NEEDED_TO_BE_ACTIVE):
        return lifecycle.withdraw_terms(state)
    return state
