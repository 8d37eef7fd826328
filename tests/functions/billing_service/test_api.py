"""The HTTP door of billing_service, in process over the real database."""

import pytest

from contracts.billing_service import InvoiceFinalized
from functions.billing_service import api
from tests.functions.billing_service.conftest import PRO, closed
from tests.support.builders import api_event, principal, read_answer


@pytest.fixture
def get(database, tenant):
    """GET a route as the tenant, or as another one."""

    def get_(path: str, query: dict[str, str] | None = None, who=None):
        event = api_event("GET", path, principal=principal(who or tenant), query=query)
        return read_answer(api.handler(event, None))

    return get_


def test_an_invoice_shows_its_lines(get, handle, published, tenant) -> None:
    handle(closed(), tenant=tenant)
    [event] = published.messages(InvoiceFinalized)
    status, invoice = get(f"/v1/invoices/{event.invoice_id}")
    assert status == 200
    assert (invoice["number"], invoice["state"]) == (event.number, "finalized")
    assert (invoice["subtotal"], invoice["tax_base"], invoice["tax"]) == (PRO, 274_083, 32_890)
    assert [(line["kind"], line["quantity"], line["amount"]) for line in invoice["lines"]] == [
        ("plan_fee", 1, PRO),
        ("usage", 412, 0),
    ]


def test_invoices_come_in_pages_the_newest_first(get, handle, tenant) -> None:
    handle(*(closed() for _ in range(5)), tenant=tenant)
    numbers, cursor = [], None
    for _ in range(4):
        _, page = get("/v1/invoices", {"limit": "2"} | ({"cursor": cursor} if cursor else {}))
        numbers += [invoice["number"] for invoice in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(numbers) == 5
    assert numbers == sorted(numbers, reverse=True)


def test_a_strange_cursor_or_limit_is_refused(get) -> None:
    assert get("/v1/invoices", {"cursor": "1 OR 1=1"})[0] == 422
    assert get("/v1/invoices", {"limit": "0"})[0] == 422
    assert get("/v1/invoices/not-a-uuid")[0] == 422


def test_another_tenants_invoice_is_not_there(get, handle, published, tenant, other_tenant):
    handle(closed(), tenant=tenant)
    [event] = published.messages(InvoiceFinalized)
    status, problem = get(f"/v1/invoices/{event.invoice_id}", who=other_tenant)
    assert (status, problem["code"]) == (404, "invoice_missing")
    assert get("/v1/invoices", who=other_tenant)[1]["items"] == []
