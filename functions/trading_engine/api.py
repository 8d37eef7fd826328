"""HTTP door of trading_engine: accounts, orders, positions, trades."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import JSONResponse

from contracts.ids import uuid7
from functions.trading_engine import logic
from functions.trading_engine.models import (
    Account,
    AccountPage,
    LinkAccount,
    Order,
    OrderPage,
    Position,
    PositionPage,
)
from functions.trading_engine.settings import settings
from functions.trading_engine.store import AccountStore, OrderStore
from kit import audit
from kit.api import CurrentPrincipal, make_app, make_handler, problems
from kit.db import Database, open_database
from kit.idempotency import IdempotencyKey, answer_once

app = make_app("trading_engine", "Accounts, orders, positions and trades of a tenant")

Limit = Annotated[int, Query(ge=1, le=200)]


def _database() -> Database:
    return open_database("trading_engine", settings().event_bus_name)


@app.post("/v1/accounts", status_code=201, response_model=Account, responses=problems(409))
def post_account(
    body: LinkAccount, principal: CurrentPrincipal, key: IdempotencyKey = None
) -> JSONResponse:
    """Link a paper account."""
    principal.require_role("owner", "admin", "trader")
    with _database().transaction(principal.tenant_id) as tx:

        def run() -> tuple[int, Any]:
            account, event = logic.link_account(AccountStore(tx), body, uuid7())
            tx.publish(event)
            audit.record(tx, "account.linked", "account", account.account_id, mode=account.mode)
            return 201, account.model_dump(mode="json")

        return answer_once(tx, key, ["POST /v1/accounts", body.model_dump()], run)


@app.get("/v1/accounts")
def get_accounts(principal: CurrentPrincipal) -> AccountPage:
    """The tenant's linked accounts, oldest first."""
    with _database().transaction(principal.tenant_id) as tx:
        return AccountPage(items=AccountStore(tx).list_accounts())


@app.delete("/v1/accounts/{account_id}", status_code=204, responses=problems(404))
def delete_account(account_id: UUID, principal: CurrentPrincipal) -> Response:
    """Unlink an account; the edge stops trading it."""
    principal.require_role("owner", "admin", "trader")
    with _database().transaction(principal.tenant_id) as tx:
        tx.publish(logic.unlink_account(AccountStore(tx), account_id))
        audit.record(tx, "account.unlinked", "account", account_id)
    return Response(status_code=204)


def _next_cursor(rows: list[dict[str, Any]], limit: int) -> str | None:
    return str(rows[-1]["order_id"]) if len(rows) == limit else None


@app.get("/v1/orders")
def get_orders(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> OrderPage:
    """Orders, denials included, newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        rows = OrderStore(tx).list_orders(limit, cursor)
    items = [Order.model_validate(row) for row in rows]
    return OrderPage(items=items, next_cursor=_next_cursor(rows, limit))


def _page_positions(
    principal: CurrentPrincipal, limit: int, cursor: UUID | None, *, closed: bool
) -> PositionPage:
    with _database().transaction(principal.tenant_id) as tx:
        rows = OrderStore(tx).list_positions(limit, cursor, closed=closed)
    items = [Position.model_validate(row) for row in rows]
    return PositionPage(items=items, next_cursor=_next_cursor(rows, limit))


@app.get("/v1/positions")
def get_positions(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> PositionPage:
    """Open positions, newest first."""
    return _page_positions(principal, limit, cursor, closed=False)


@app.get("/v1/trades")
def get_trades(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> PositionPage:
    """Closed positions, newest first."""
    return _page_positions(principal, limit, cursor, closed=True)


handler = make_handler(app)
