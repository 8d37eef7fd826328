"""HTTP door of billing_service: a tenant's invoices."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from functions.billing_service.errors import CursorUnreadable, InvoiceMissing
from functions.billing_service.settings import settings
from functions.billing_service.store import InvoiceStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database

app = make_app("billing_service", "A tenant's invoices")

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=20)]

_CURSOR = re.compile(r"^([0-9]{4})-([0-9]{2})-([0-9]{1,6})$")


def _database() -> Database:
    return open_database("billing_service", settings().event_bus_name)


def _read_cursor(cursor: str | None) -> tuple[str, int] | None:
    if cursor is None:
        return None
    parts = _CURSOR.fullmatch(cursor)
    if parts is None:
        raise CursorUnreadable("use next_cursor of the page before")
    return f"INV/{parts[1]}/{parts[2]}", int(parts[3])


def _write_cursor(row: dict[str, Any]) -> str:
    return f"{row['series'][4:].replace('/', '-')}-{row['sequence']}"


def _show(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("series", "sequence")}


@app.get("/v1/invoices")
def get_invoices(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """The tenant's invoices, the newest first."""
    before = _read_cursor(cursor)
    with _database().transaction(principal.tenant_id) as tx:
        rows = InvoiceStore(tx).list_invoices(limit + 1, before)
    page = rows[:limit]
    return {
        "items": [_show(row) for row in page],
        "next_cursor": _write_cursor(page[-1]) if len(rows) > limit else None,
    }


@app.get("/v1/invoices/{invoice_id}")
def get_invoice(invoice_id: UUID, principal: CurrentPrincipal) -> dict[str, Any]:
    """An invoice with its lines."""
    with _database().transaction(principal.tenant_id) as tx:
        invoice = InvoiceStore(tx).find_invoice(invoice_id)
    if invoice is None:
        raise InvoiceMissing("check the id on GET /v1/invoices")
    return _show(invoice)


handler = make_handler(app)
