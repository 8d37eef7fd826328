"""What PostgreSQL itself refuses in billing_service: the walls around the money."""

import threading
from datetime import datetime
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from functions.billing_service import logic
from functions.billing_service.models import Entry, Posting
from functions.billing_service.store import InvoiceStore
from kit.db import Database, make_conninfo
from tests.functions.billing_service.conftest import PRO, ROOM, closed
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher

TOTAL = PRO + 32_890


def issue(database: Database, tenant: UUID, **parts: object) -> UUID:
    closing = closed(**parts)
    with database.transaction(tenant) as tx:
        logic.issue_invoice(InvoiceStore(tx), tx.publish, closing, tx.now)
        [row] = tx.fetch_all(
            "SELECT invoice_id FROM invoices WHERE subscription_id = %s", [closing.subscription_id]
        )
    return row["invoice_id"]


def refuse(database: Database, tenant: UUID | None, sql: str, *params: object) -> None:
    with pytest.raises(psycopg.Error), database.transaction(tenant) as tx:
        tx.execute(sql, params)


def number_of(database: Database, tenant: UUID, invoice_id: UUID) -> str:
    with database.transaction(tenant) as tx:
        return InvoiceStore(tx).find_invoice(invoice_id)["number"]


def test_a_finalized_invoice_never_changes(database, tenant) -> None:
    """Invariant 15: only its payment can be noted, and along legal states."""
    invoice_id = issue(database, tenant)
    for change in (
        "total = total + 1, tax = tax + 1",
        "description = 'other'",
        "sequence = 999",
        "due_at = now()",
        "state = 'draft', series = NULL, sequence = NULL, issued_at = NULL, due_at = NULL",
    ):
        refuse(database, tenant, f"UPDATE invoices SET {change} WHERE invoice_id = %s", invoice_id)
    refuse(database, tenant, "DELETE FROM invoices")
    line = "INSERT INTO invoice_lines VALUES (%s, %s, 9, 'usage', 'llm_insight', 'x', 1, 0, 1, 1)"
    refuse(database, tenant, line, tenant, invoice_id)


def test_even_the_owner_of_the_tables_cannot_rewrite_money(database, stores, tenant) -> None:
    issue(database, tenant)
    for sql in (
        "UPDATE billing_service.ledger_entries SET amount = amount + 1",
        "DELETE FROM billing_service.ledger_entries",
        "DELETE FROM billing_service.ledger_tx",
        "TRUNCATE billing_service.ledger_entries",
        "UPDATE billing_service.invoice_lines SET description = 'x'",
        "DELETE FROM billing_service.invoice_lines",
        "DELETE FROM billing_service.invoices",
    ):
        with psycopg.connect(stores.dsn) as admin, pytest.raises(psycopg.Error):
            admin.execute(sql)


def test_an_unbalanced_or_empty_ledger_transaction_does_not_commit(database, tenant) -> None:
    """Invariant 2, at commit."""
    invoice_id = issue(database, tenant)
    for entries in ((), (Entry("revenue", 5),), (Entry("revenue", 5), Entry("receivable", -4))):
        posting = Posting(f"test:{len(entries)}", "overpaid", invoice_id, None, entries)
        with pytest.raises(psycopg.errors.CheckViolation), database.transaction(tenant) as tx:
            InvoiceStore(tx).post(posting)


def test_a_committed_ledger_transaction_takes_no_single_entry_more(database, tenant) -> None:
    issue(database, tenant)
    more = (
        "INSERT INTO ledger_entries SELECT tenant_id, tx_id, 9, 'revenue', 'IDR', 7"
        " FROM ledger_tx LIMIT 1"
    )
    refuse(database, tenant, more)


def test_an_invoice_without_its_posting_does_not_commit(database, tenant) -> None:
    """Invariant 1, at commit."""
    with pytest.raises(psycopg.errors.CheckViolation), database.transaction(tenant) as tx:
        store = InvoiceStore(tx)
        draft = logic.draft_invoice(closed(), store.find_terms(tx.now).tax)
        store.add_draft(draft)
        store.finalize(draft, "INV/2026/03", tx.now, tx.now)


def test_numbers_are_gapless_when_some_transactions_roll_back(database, tenant) -> None:
    """Invariant 14, one after the other."""
    database.clock.current = datetime.fromisoformat("2031-01-10T00:00:00+00:00")
    numbers = []
    for attempt in range(6):
        try:
            with database.transaction(tenant) as tx:
                closing = closed()
                logic.issue_invoice(InvoiceStore(tx), tx.publish, closing, tx.now)
                [row] = tx.fetch_all(
                    "SELECT number FROM invoices WHERE subscription_id = %s",
                    [closing.subscription_id],
                )
                if attempt % 2:
                    raise KeyboardInterrupt
                numbers.append(row["number"])
        except KeyboardInterrupt:
            continue
    assert numbers == [f"INV/2031/01/{n:06}" for n in (1, 2, 3)]


def test_numbers_are_gapless_across_tenants_and_connections(stores, database) -> None:
    """Invariant 14, at once: every third transaction breaks off after it took its number."""
    publisher = RecordingPublisher()
    clock = FixedClock(datetime.fromisoformat("2031-02-10T00:00:00+00:00"))
    tenants = [uuid7() for _ in range(4)]

    def work(tenant: UUID) -> None:
        own = Database(ROOM, make_conninfo(stores.secret(ROOM)), publisher, clock)
        for attempt in range(9):
            try:
                with own.transaction(tenant) as tx:
                    logic.issue_invoice(InvoiceStore(tx), tx.publish, closed(), tx.now)
                    if attempt % 3 == 2:
                        raise InterruptedError
            except InterruptedError:
                continue
        own.close()

    threads = [threading.Thread(target=work, args=(tenant,)) for tenant in tenants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    sequences = []
    for tenant in tenants:
        with database.transaction(tenant) as tx:
            sequences += [
                row["sequence"]
                for row in tx.fetch_all(
                    "SELECT sequence FROM invoices WHERE series = 'INV/2031/02'"
                )
            ]
    assert sorted(sequences) == list(range(1, 25))


def test_the_room_cannot_touch_tax_or_the_chart_of_accounts(database) -> None:
    refuse(database, None, "UPDATE tax_settings SET rate_percent = 0")
    refuse(database, None, "INSERT INTO ledger_accounts VALUES ('pocket', 'x', 'asset')")


def test_a_tenant_reads_and_writes_its_own_money_only(database, tenant, other_tenant) -> None:
    """Invariant 19, at the tables."""
    invoice_id = issue(database, tenant)
    with database.transaction(other_tenant) as tx:
        store = InvoiceStore(tx)
        assert store.find_invoice(invoice_id) is None
        assert store.lock_invoice(invoice_id) is None
        assert store.list_invoices(10, None) == []
        assert tx.fetch_all("SELECT 1 FROM ledger_tx UNION ALL SELECT 1 FROM ledger_entries") == []
    with database.transaction(None) as tx:
        assert tx.fetch_all("SELECT 1 FROM invoices UNION ALL SELECT 1 FROM invoice_lines") == []
    foreign = "INSERT INTO ledger_tx VALUES (%s, %s, 'k', 'overpaid', %s, NULL, now())"
    refuse(database, other_tenant, foreign, tenant, uuid7(), invoice_id)
    line = "INSERT INTO invoice_lines VALUES (%s, %s, 9, 'usage', 'llm_insight', 'x', 1, 0, 1, 1)"
    refuse(database, other_tenant, line, other_tenant, invoice_id)
