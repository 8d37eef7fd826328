"""HTTP door of billing_service: a tenant's invoices."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from contracts.subscription_service import Meter, Tier
from functions.billing_service.errors import CursorUnreadable, InvoiceMissing
from functions.billing_service.models import InvoiceState
from functions.billing_service.settings import settings
from functions.billing_service.store import InvoiceStore
from kit.api import CurrentPrincipal, make_app, make_handler, problems
from kit.db import Database, open_database

app = make_app("billing_service", "A tenant's invoices")

Limit = Annotated[int, Query(ge=1, le=200)]
_CURSOR = re.compile(r"^([0-9]{4})-([0-9]{2})-([0-9]{1,6})$")
Cursor = Annotated[str | None, Query(max_length=20, json_schema_extra={"pattern": _CURSOR.pattern})]


class ShownInvoice(BaseModel):
    """A numbered invoice, in rupiah; total = subtotal + tax. Periods are half open."""

    invoice_id: UUID
    number: str
    state: InvoiceState
    subscription_id: UUID
    plan_code: Tier
    period_start: datetime
    period_end: datetime
    currency: Literal["IDR"]
    description: str
    subtotal: int
    tax_base: int
    tax_rate_percent: int
    tax: int
    total: int
    issued_at: datetime
    due_at: datetime
    paid_at: datetime | None
    payment_id: UUID | None


class InvoicePage(BaseModel):
    """Answer of GET /v1/invoices."""

    items: list[ShownInvoice]
    next_cursor: str | None
    """Give it as ``cursor`` for the page after this one; null on the last."""


class InvoiceLine(BaseModel):
    """A line; a usage line charges what is above ``included`` (null: nothing is charged)."""

    position: int
    kind: Literal["plan_fee", "usage"]
    meter: Meter | None
    description: str
    quantity: int
    included: int | None
    unit_price: int
    amount: int


class InvoiceWithLines(ShownInvoice):
    """Answer of GET /v1/invoices/{invoice_id}."""

    lines: list[InvoiceLine]


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


@app.get("/v1/invoices")
def get_invoices(
    principal: CurrentPrincipal, limit: Limit = 50, cursor: Cursor = None
) -> InvoicePage:
    """The tenant's invoices, the newest first."""
    before = _read_cursor(cursor)
    with _database().transaction(principal.tenant_id) as tx:
        rows = InvoiceStore(tx).list_invoices(limit + 1, before)
    page = rows[:limit]
    return InvoicePage(
        items=[ShownInvoice.model_validate(row) for row in page],
        next_cursor=_write_cursor(page[-1]) if len(rows) > limit else None,
    )


@app.get("/v1/invoices/{invoice_id}", responses=problems(404))
def get_invoice(invoice_id: UUID, principal: CurrentPrincipal) -> InvoiceWithLines:
    """An invoice with its lines."""
    with _database().transaction(principal.tenant_id) as tx:
        invoice = InvoiceStore(tx).find_invoice(invoice_id)
    if invoice is None:
        raise InvoiceMissing("check the id on GET /v1/invoices")
    return InvoiceWithLines.model_validate(invoice)


handler = make_handler(app)
