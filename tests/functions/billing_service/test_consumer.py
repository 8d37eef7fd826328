"""The queue and schedule door of billing_service over the real database."""

import json
import threading
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.billing_service import BillingRunStarted, InvoiceFinalized, InvoicePaid
from contracts.ids import uuid7
from contracts.subscription_service import UsageLine
from functions.billing_service import consumer
from functions.billing_service.errors import PaymentAmountWrong, TermsMissing
from kit.db import Database, make_conninfo
from tests.functions.billing_service.conftest import PRO, ROOM, closed, settled
from tests.support.builders import FixedClock, raw_record, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

TOTAL = PRO + 32_890


def read(database: Database, tenant: UUID | None, sql: str) -> list[dict]:
    with database.transaction(tenant) as tx:
        return tx.fetch_all(sql)


BALANCES = (
    "SELECT account, sum(amount)::bigint AS balance FROM ledger_entries GROUP BY account"
    " ORDER BY account"
)


def balances(database: Database, tenant: UUID) -> dict[str, int]:
    return {row["account"]: row["balance"] for row in read(database, tenant, BALANCES)}


def schedule(**data: str) -> dict:
    return {"Records": [raw_record(json.dumps({"command": "RunBilling", "data": data}))]}


def test_a_schedules_command_starts_one_run_and_a_later_one_another(database, published) -> None:
    first = schedule()
    for event in (first, first, schedule(as_of="2026-04-01T00:00:00Z")):
        assert consumer.handler(event, None) == {"batchItemFailures": []}
    runs = published.messages(BillingRunStarted)
    assert [run.as_of.isoformat() for run in runs] == [
        "2026-03-02T08:00:00+00:00",
        "2026-04-01T00:00:00+00:00",
    ]
    assert runs[0].run_id != runs[1].run_id


def test_a_closed_period_becomes_a_numbered_invoice_with_ppn(
    handle, database, published, tenant
) -> None:
    usage = (
        UsageLine(meter="prediction", quantity=412),
        UsageLine(meter="llm_insight", quantity=1_010, included=1_000, unit_price=1_500),
    )
    assert handle(closed(usage=usage), tenant=tenant) == 0
    [event] = published.messages(InvoiceFinalized)
    subtotal = PRO + 10 * 1_500
    assert (event.subtotal, event.tax, event.total) == (subtotal, 34_540, subtotal + 34_540)
    assert event.number.startswith("INV/2026/03/")
    assert event.due_at.isoformat() == "2026-03-09T17:00:00+00:00"
    assert balances(database, tenant) == {
        "ppn_payable": -34_540,
        "receivable": subtotal + 34_540,
        "revenue": -subtotal,
    }


def test_an_invoice_of_nothing_is_paid_at_once(handle, database, published, tenant) -> None:
    assert handle(closed(plan_code="free", plan_price=0), tenant=tenant) == 0
    [paid] = published.messages(InvoicePaid)
    assert (paid.total, paid.payment_id) == (0, None)
    assert published.messages(InvoiceFinalized) == []
    assert balances(database, tenant) == {}


def test_a_payment_closes_the_receivable(handle, database, published, tenant) -> None:
    handle(closed(), tenant=tenant)
    [invoice] = published.messages(InvoiceFinalized)
    assert handle(settled(invoice.invoice_id, TOTAL), tenant=tenant) == 0
    [paid] = published.messages(InvoicePaid)
    assert (paid.number, paid.total) == (invoice.number, TOTAL)
    assert balances(database, tenant)["receivable"] == 0
    assert balances(database, tenant)["cash_clearing"] == TOTAL


def test_redelivered_messages_change_nothing(handle, database, published, tenant) -> None:
    """Invariants 3 and 18: the same records, and the same facts under new event ids."""
    closing = closed()
    event = sqs_event(wrap(closing, tenant))
    consumer.handler(event, None)
    [invoice] = published.messages(InvoiceFinalized)
    payment = settled(invoice.invoice_id, TOTAL)
    paying = sqs_event(wrap(payment, tenant))
    consumer.handler(paying, None)
    snapshot = (
        "SELECT to_jsonb(i) AS row FROM invoices i"
        " UNION ALL SELECT to_jsonb(e) FROM ledger_entries e"
    )
    before, rows = read(database, tenant, snapshot), len(published.rows)
    for again in (event, paying):
        assert consumer.handler(again, None) == {"batchItemFailures": []}
    assert handle(closing, closing.model_copy(update={"run_id": uuid7()}), tenant=tenant) == 0
    assert handle(payment, tenant=tenant) == 0
    assert (read(database, tenant, snapshot), len(published.rows)) == (before, rows)


def test_concurrent_closings_of_a_period_make_one_invoice(stores, database, tenant) -> None:
    """Invariant 18, at once."""
    publisher, clock, closing = RecordingPublisher(), FixedClock(), closed()

    def work() -> None:
        own = Database(ROOM, make_conninfo(stores.secret(ROOM)), publisher, clock)
        with own.transaction(tenant) as tx:
            consumer.issue_invoice(wrap(closing, tenant), tx)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(publisher.messages(InvoiceFinalized)) == 1
    assert balances(database, tenant)["receivable"] == TOTAL


def test_a_second_payment_of_a_paid_invoice_is_the_tenants_credit(
    handle, database, published, tenant
) -> None:
    handle(closed(), tenant=tenant)
    [invoice] = published.messages(InvoiceFinalized)
    payments = [settled(invoice.invoice_id, TOTAL) for _ in range(2)]
    assert handle(*payments, tenant=tenant) == 0
    assert len(published.messages(InvoicePaid)) == 1
    assert balances(database, tenant) == {
        "cash_clearing": 2 * TOTAL,
        "customer_credit": -TOTAL,
        "ppn_payable": -32_890,
        "receivable": 0,
        "revenue": -PRO,
    }


def test_a_payment_of_another_amount_is_kept_for_a_person(
    handle, database, published, tenant
) -> None:
    handle(closed(), tenant=tenant)
    [invoice] = published.messages(InvoiceFinalized)
    short = wrap(settled(invoice.invoice_id, TOTAL - 1), tenant)
    with pytest.raises(PaymentAmountWrong), database.transaction(tenant) as tx:
        consumer.settle_invoice(short, tx)
    assert published.messages(InvoicePaid) == []
    assert "cash_clearing" not in balances(database, tenant)


def test_another_tenants_payment_pays_nothing(
    handle, database, published, tenant, other_tenant
) -> None:
    """Invariant 19: the message comes back, both tenants' books stay as they were."""
    handle(closed(), tenant=tenant)
    [invoice] = published.messages(InvoiceFinalized)
    assert handle(settled(invoice.invoice_id, TOTAL), tenant=other_tenant) == 1
    assert published.messages(InvoicePaid) == []
    assert balances(database, other_tenant) == {}
    assert balances(database, tenant)["receivable"] == TOTAL


def test_two_tenants_with_the_same_period_get_their_own_invoices(
    handle, published, tenant, other_tenant
) -> None:
    handle(closed(), tenant=tenant)
    handle(closed(), tenant=other_tenant)
    one, other = published.messages(InvoiceFinalized)
    assert int(other.number[-6:]) == int(one.number[-6:]) + 1


@given(st.lists(st.sampled_from(["a", "b", "pay a", "pay b"]), min_size=4, max_size=14))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_books_balance_after_any_sequence_of_deliveries(handle, database, steps) -> None:
    """Invariants 1 to 4: shuffled and repeated, sums hold and each period is billed once."""
    tenant = uuid7()
    publisher = database._publisher
    closings = {"a": closed(), "b": closed(plan_code="enterprise", plan_price=1_499_000)}
    seen, paid = set[str](), set[str]()
    payments: dict[str, object] = {}
    for step in steps:
        name = step[-1]
        if not step.startswith("pay"):
            assert handle(closings[name], tenant=tenant) == 0
            seen.add(name)
        elif name in seen:
            subscription = closings[name].subscription_id
            [event] = [
                message
                for message in publisher.messages(InvoiceFinalized)
                if message.subscription_id == subscription
            ]
            payment = payments.setdefault(name, settled(event.invoice_id, event.total))
            assert handle(payment, tenant=tenant) == 0
            paid.add(name)
    totals = {"a": TOTAL, "b": 1_499_000 + 164_890}
    books = balances(database, tenant)
    assert sum(books.values()) == 0
    assert books.get("receivable", 0) == sum(totals[name] for name in seen - paid)
    assert books.get("cash_clearing", 0) == sum(totals[name] for name in paid)
    invoices = read(
        database,
        tenant,
        "SELECT total, subtotal + tax AS parts, (SELECT sum(amount) FROM invoice_lines l"
        " WHERE l.invoice_id = i.invoice_id)::bigint + tax AS lines FROM invoices i",
    )
    assert len(invoices) == len(seen)
    assert all(row["total"] == row["parts"] == row["lines"] for row in invoices)


def test_a_crash_before_the_commit_loses_and_doubles_nothing(
    handle, database, published, tenant, monkeypatch
) -> None:
    """Invariant 6: the work breaks off at its last step, comes back, and happens once."""
    event = sqs_event(wrap(closed(), tenant))

    def break_off(*_: object) -> None:
        raise ConnectionAbortedError

    monkeypatch.setattr(Database, "_write_outbox", staticmethod(break_off))
    assert len(consumer.handler(event, None)["batchItemFailures"]) == 1
    monkeypatch.undo()
    monkeypatch.setattr(consumer, "_database", lambda: database)
    assert read(database, tenant, "SELECT 1 FROM invoices") == []
    assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(InvoiceFinalized)) == 1


def test_without_terms_in_force_nothing_is_invoiced(database, published, tenant) -> None:
    database.clock.current -= timedelta(days=800)
    with pytest.raises(TermsMissing), database.transaction(tenant) as tx:
        consumer.issue_invoice(wrap(closed(), tenant), tx)
    assert published.messages(InvoiceFinalized) == []
