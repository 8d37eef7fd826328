"""What every route of the room stands on: database, signer, vault, and where a request is from.

Asked for at call time from the app's state, so that a test or a rotated key takes effect.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Request

from functions.user_service.logic.tokens import TokenSigner
from functions.user_service.logic.vault import FactorVault
from functions.user_service.models import Account, Origin
from functions.user_service.store import UserStore, mark_revoked
from kit.context import current
from kit.db import Database, Transaction
from kit.errors import SinyalError, Unauthenticated
from kit.settings import read_secret
from kit.tenancy import Principal

Outcome = TypeVar("Outcome")


async def _open_database(request: Request) -> Database:
    database: Database = request.app.state.open_database()
    return database


async def _open_signer(request: Request) -> TokenSigner:
    signer: TokenSigner = request.app.state.open_signer()
    return signer


RoomDatabase = Annotated[Database, Depends(_open_database)]
"""Route parameter: the room's database."""

Signer = Annotated[TokenSigner, Depends(_open_signer)]
"""Route parameter: what signs access tokens now."""


def open_vault() -> FactorVault:
    """The vault of second factors; its secret is read when a factor is first opened."""
    return FactorVault(lambda: str(read_secret("mfa")["key"]))


@contextmanager
def open_work(database: Database, tenant_id: UUID) -> Iterator[Transaction]:
    """A tenant's transaction; what it revoked is marked in Redis right after the commit."""
    with database.transaction(tenant_id) as tx:
        yield tx
    mark_revoked(tx.rows)


def settle(outcome: Outcome | SinyalError) -> Outcome:
    """Raise a refusal whose traces are committed by now."""
    if isinstance(outcome, SinyalError):
        raise outcome
    return outcome


def read_origin() -> Origin:
    """The device and network address of the request being handled."""
    request = current()
    return Origin(request.device, request.address) if request else Origin()


def read_caller(store: UserStore, principal: Principal) -> Account:
    """The caller's account. Raises Unauthenticated when it was removed meanwhile."""
    account = store.read_account(principal.user_id)
    if account is None:
        raise Unauthenticated("this account is not there any more")
    return account


def read_session(principal: Principal) -> UUID:
    """The session of the access token. Raises Unauthenticated when there is none."""
    try:
        return UUID(principal.session_id)
    except ValueError as error:
        raise Unauthenticated("the request carries no session") from error
