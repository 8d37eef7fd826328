"""Orders, positions and trades: what became of signals at the tenant's accounts."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from functions.trading_engine.api.door import Limit, RoomDatabase
from functions.trading_engine.models import Order, OrderPage, Position, PositionPage
from functions.trading_engine.store import OrderStore
from kit.api import CurrentPrincipal
from kit.db import Database
from kit.tenancy import Principal

router = APIRouter()


def _next_cursor(rows: list[dict[str, Any]], limit: int) -> str | None:
    return str(rows[-1]["order_id"]) if len(rows) == limit else None


@router.get("/v1/orders")
def get_orders(
    principal: CurrentPrincipal,
    database: RoomDatabase,
    limit: Limit = 50,
    cursor: UUID | None = None,
) -> OrderPage:
    """Orders, denials included, newest first."""
    with database.transaction(principal.tenant_id) as tx:
        rows = OrderStore(tx).list_orders(limit, cursor)
    items = [Order.model_validate(row) for row in rows]
    return OrderPage(items=items, next_cursor=_next_cursor(rows, limit))


def _page_positions(
    database: Database, principal: Principal, limit: int, cursor: UUID | None, *, closed: bool
) -> PositionPage:
    with database.transaction(principal.tenant_id) as tx:
        rows = OrderStore(tx).list_positions(limit, cursor, closed=closed)
    items = [Position.model_validate(row) for row in rows]
    return PositionPage(items=items, next_cursor=_next_cursor(rows, limit))


@router.get("/v1/positions")
def get_positions(
    principal: CurrentPrincipal,
    database: RoomDatabase,
    limit: Limit = 50,
    cursor: UUID | None = None,
) -> PositionPage:
    """Open positions, newest first."""
    return _page_positions(database, principal, limit, cursor, closed=False)


@router.get("/v1/trades")
def get_trades(
    principal: CurrentPrincipal,
    database: RoomDatabase,
    limit: Limit = 50,
    cursor: UUID | None = None,
) -> PositionPage:
    """Closed positions, newest first."""
    return _page_positions(database, principal, limit, cursor, closed=True)
