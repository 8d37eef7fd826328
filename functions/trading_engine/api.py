"""HTTP door of trading_engine: accounts, orders, positions, trades."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import JSONResponse

from contracts.ids import uuid7
from functions.trading_engine import logic
from functions.trading_engine.models import LinkAccount
from functions.trading_engine.settings import settings
from functions.trading_engine.store import AccountStore, OrderStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database
from kit.idempotency import IdempotencyKey, answer_once

app = make_app("trading_engine", "Accounts, orders, positions and trades of a tenant")

Limit = Annotated[int, Query(ge=1, le=200)]


def _database() -> Database:
    return open_database("trading_engine", settings().event_bus_name)


@app.post("/v1/accounts", status_code=201)
def post_account(
    body: LinkAccount, principal: CurrentPrincipal, key: IdempotencyKey = None
) -> JSONResponse:
    """Link a paper account."""
    principal.require_role("owner", "admin", "trader")
    with _database().transaction(principal.tenant_id) as tx:

        def run() -> tuple[int, Any]:
            account, event = logic.link_account(AccountStore(tx), body, uuid7())
            tx.publish(event)
            return 201, account.model_dump(mode="json")

        return answer_once(tx, key, ["POST /v1/accounts", body.model_dump()], run)


@app.get("/v1/accounts")
def get_accounts(principal: CurrentPrincipal) -> dict[str, Any]:
    """The tenant's linked accounts."""
    with _database().transaction(principal.tenant_id) as tx:
        accounts = AccountStore(tx).list_accounts()
    return {"items": [account.model_dump(mode="json") for account in accounts]}


@app.delete("/v1/accounts/{account_id}", status_code=204)
def delete_account(account_id: UUID, principal: CurrentPrincipal) -> Response:
    """Unlink an account; the edge stops trading it."""
    principal.require_role("owner", "admin", "trader")
    with _database().transaction(principal.tenant_id) as tx:
        tx.publish(logic.unlink_account(AccountStore(tx), account_id))
    return Response(status_code=204)


def _page(rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    return {
        "items": rows,
        "next_cursor": str(rows[-1]["order_id"]) if len(rows) == limit else None,
    }


@app.get("/v1/orders")
def get_orders(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> dict[str, Any]:
    """Orders, denials included, newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        return _page(OrderStore(tx).list_orders(limit, cursor), limit)


@app.get("/v1/positions")
def get_positions(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> dict[str, Any]:
    """Open positions, newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        return _page(OrderStore(tx).list_positions(limit, cursor, closed=False), limit)


@app.get("/v1/trades")
def get_trades(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: UUID | None = None
) -> dict[str, Any]:
    """Closed positions, newest first."""
    with _database().transaction(principal.tenant_id) as tx:
        return _page(OrderStore(tx).list_positions(limit, cursor, closed=True), limit)


handler = make_handler(app)
