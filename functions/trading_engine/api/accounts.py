"""Accounts: linked, changed, unlinked. A broker's password is sealed before anything is written."""

import hashlib
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from contracts.ids import uuid7
from contracts.trading_engine import AccountLinked
from functions.trading_engine import gateway
from functions.trading_engine.api.door import RoomDatabase
from functions.trading_engine.logic import accounts
from functions.trading_engine.models import (
    Account,
    AccountPage,
    AnyLink,
    ChangeAccount,
    LinkAccount,
    LinkLiveAccount,
)
from functions.trading_engine.store import AccountStore
from kit import audit
from kit.api import CurrentPrincipal, problems
from kit.db import Database, Transaction
from kit.idempotency import IdempotencyKey, answer_once
from kit.tenancy import Principal

router = APIRouter()


@router.post("/v1/accounts", status_code=201, response_model=Account, responses=problems(409))
def post_account(
    body: AnyLink,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    request: Request,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Link a paper account, or a live one at a broker.

    A live account needs a fresh second factor. The password is sealed for the edge at once and
    never shown again; linking an account again that was unlinked keeps its id, and looser numbers
    than it had wait a day.
    """
    principal.require_role("owner", "admin", "trader")
    if isinstance(body, LinkLiveAccount):
        return _post_live(body, principal, database, request, key)
    with database.transaction(principal.tenant_id) as tx:
        asked = ["POST /v1/accounts", body.model_dump()]
        return answer_once(tx, key, asked, lambda: _link_paper(tx, body))


def _link_paper(tx: Transaction, body: LinkAccount) -> tuple[int, Any]:
    return _answer(tx, "account.linked", *accounts.link_account(AccountStore(tx), body, uuid7()))


def _post_live(
    body: LinkLiveAccount,
    principal: Principal,
    database: Database,
    request: Request,
    key: str | None,
) -> JSONResponse:
    principal.require_step_up(database.clock.now())
    tenant_id = principal.tenant_id
    with database.transaction(tenant_id) as tx:
        own = AccountStore(tx).find_live(body.server, body.login)
    account_id = own.account_id if own is not None else uuid7()
    sealed = _seal(request, body.password, tenant_id, account_id)
    asked = [
        "POST /v1/accounts",
        body.model_dump(exclude={"password"}),
        _fingerprint(body.password, tenant_id, key),
    ]
    with database.transaction(tenant_id) as tx:

        def run() -> tuple[int, Any]:
            linked = accounts.link_live_account(AccountStore(tx), body, account_id, sealed, tx.now)
            return _answer(tx, "account.linked", *linked)

        return answer_once(tx, key, asked, run)


def _seal(request: Request, password: SecretStr, tenant_id: UUID, account_id: UUID) -> str:
    key_id = str(request.app.state.broker_key_id())
    return gateway.seal_password(key_id, password.get_secret_value(), tenant_id, account_id)


def _fingerprint(password: SecretStr, tenant_id: UUID, key: str | None) -> str | None:
    """Tells a repeat from another request, and costs whoever wants to guess the password from it.

    Only what is kept for an Idempotency-Key needs one.
    """
    if key is None:
        return None
    salt = f"{tenant_id}:{key}".encode()
    return hashlib.scrypt(password.get_secret_value().encode(), salt=salt, n=2**14, r=8, p=1).hex()


def _answer(
    tx: Transaction, action: str, account: Account, event: AccountLinked, **detail: str | bool
) -> tuple[int, Any]:
    tx.publish(event)
    audit.record(tx, action, "account", account.account_id, mode=account.mode, **detail)
    return 201 if action == "account.linked" else 200, account.model_dump(mode="json")


@router.get("/v1/accounts")
def get_accounts(principal: CurrentPrincipal, database: RoomDatabase) -> AccountPage:
    """The tenant's linked accounts, oldest first: numbers, health, and whether trading is held."""
    with database.transaction(principal.tenant_id) as tx:
        return AccountPage(items=AccountStore(tx).list_accounts())


@router.patch("/v1/accounts/{account_id}", response_model=Account, responses=problems(404, 409))
def patch_account(
    account_id: UUID,
    body: ChangeAccount,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    request: Request,
) -> JSONResponse:
    """Change an account's password, numbers or broker settings.

    Of a live account, tighter numbers count at once and looser ones wait a day; whatever is not
    tighter needs a fresh second factor.
    """
    principal.require_role("owner", "admin", "trader")
    sealed = None
    if body.password is not None:
        principal.require_step_up(database.clock.now())
        sealed = _seal(request, body.password, principal.tenant_id, account_id)
    with database.transaction(principal.tenant_id) as tx:
        account, event = accounts.change_account(
            AccountStore(tx),
            body,
            account_id,
            sealed=sealed,
            now=tx.now,
            confirm=lambda: principal.require_step_up(tx.now),
        )
        status, answer = _answer(
            tx,
            "account.changed",
            account,
            event,
            fields=" ".join(sorted(body.list_changes())),
            password=sealed is not None,
            waits=account.pending is not None,
        )
    return JSONResponse(answer, status_code=status)


@router.delete("/v1/accounts/{account_id}", status_code=204, responses=problems(404))
def delete_account(
    account_id: UUID, principal: CurrentPrincipal, database: RoomDatabase
) -> Response:
    """Unlink an account; the edge stops trading it."""
    principal.require_role("owner", "admin", "trader")
    with database.transaction(principal.tenant_id) as tx:
        tx.publish(accounts.unlink_account(AccountStore(tx), account_id))
        audit.record(tx, "account.unlinked", "account", account_id)
    return Response(status_code=204)
