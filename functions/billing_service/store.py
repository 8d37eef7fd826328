"""The SQL of billing_service: invoices and ledger bound to one tenant, platform rows to none."""

from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.ids import derived_id
from functions.billing_service.errors import TermsMissing
from functions.billing_service.models import Draft, Invoice, Posting, TaxSetting, Terms
from kit.db import Transaction

LINES_MAX = 100


class JobStore:
    """Runs of jobs, once a job, subject and period."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def start_run(self, job: str, subject: str, period: str) -> bool:
        """Note a run; False when it was noted before."""
        row = self._tx.fetch_one(
            "INSERT INTO job_runs (job, subject, period, started_at) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING RETURNING job",
            [job, subject, period, self._tx.now],
        )
        return row is not None


class InvoiceStore:
    """Invoices, lines and postings of the transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def find_terms(self, issued_at: datetime) -> Terms:
        """Tax and payment terms in force. Raises TermsMissing."""
        row = self._tx.fetch_one(
            "WITH day AS (SELECT (%s AT TIME ZONE 'Asia/Jakarta')::date AS issued)"
            " SELECT t.is_pkp, t.rate_percent, t.base_numerator, t.base_denominator, p.due_days"
            " FROM day,"
            " LATERAL (SELECT * FROM tax_settings WHERE effective_from <= issued"
            "  ORDER BY effective_from DESC LIMIT 1) t,"
            " LATERAL (SELECT * FROM payment_terms WHERE effective_from <= issued"
            "  ORDER BY effective_from DESC LIMIT 1) p",
            [issued_at],
        )
        if row is None:
            raise TermsMissing(f"add rows in force at {issued_at.isoformat()}")
        due_days = row.pop("due_days")
        return Terms(TaxSetting(**row), due_days)

    def add_draft(self, draft: Draft) -> bool:
        """Store a draft with its lines; False when the period has its invoice already."""
        row = self._tx.fetch_one(
            "INSERT INTO invoices (tenant_id, invoice_id, subscription_id, run_id, state,"
            " plan_code, plan_version, period_start, period_end, currency, description, subtotal,"
            " tax_base, tax_rate_percent, tax, total) VALUES (%s, %s, %s, %s, 'draft', %s, %s, %s,"
            " %s, 'IDR', %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING invoice_id",
            [
                self._tx.tenant_id,
                draft.invoice_id,
                draft.subscription_id,
                draft.run_id,
                draft.plan_code,
                draft.plan_version,
                draft.period_start,
                draft.period_end,
                draft.description,
                draft.subtotal,
                draft.tax_base,
                draft.tax_rate_percent,
                draft.tax,
                draft.total,
            ],
        )
        if row is None:
            return False
        for line in draft.lines:
            self._tx.execute(
                "INSERT INTO invoice_lines (tenant_id, invoice_id, position, kind, meter,"
                " description, quantity, included, unit_price, amount)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    self._tx.tenant_id,
                    draft.invoice_id,
                    line.position,
                    line.kind,
                    line.meter,
                    line.description,
                    line.quantity,
                    line.included,
                    line.unit_price,
                    line.amount,
                ],
            )
        return True

    def finalize(self, draft: Draft, series: str, issued_at: datetime, due_at: datetime) -> str:
        """Give a draft the next number of its series.

        The counter's row stays locked to the end of the transaction and rolls back with it: no
        number is skipped or used twice.
        """
        counter = self._tx.fetch_one(
            "INSERT INTO invoice_counters (series, last_sequence) VALUES (%s, 1)"
            " ON CONFLICT (series) DO UPDATE"
            " SET last_sequence = invoice_counters.last_sequence + 1 RETURNING last_sequence",
            [series],
        )
        assert counter is not None, "an upsert returns its row"
        row = self._tx.fetch_one(
            "UPDATE invoices SET state = 'finalized', series = %s, sequence = %s, issued_at = %s,"
            " due_at = %s WHERE tenant_id = %s AND invoice_id = %s RETURNING number",
            [
                series,
                counter["last_sequence"],
                issued_at,
                due_at,
                self._tx.tenant_id,
                draft.invoice_id,
            ],
        )
        assert row is not None, "the draft was added in this transaction"
        return str(row["number"])

    def lock_invoice(self, invoice_id: UUID) -> Invoice | None:
        """A numbered invoice, locked for this transaction."""
        row = self._tx.fetch_one(
            "SELECT invoice_id, number, subscription_id, period_end, state, total, payment_id"
            " FROM invoices WHERE tenant_id = %s AND invoice_id = %s AND number IS NOT NULL"
            " FOR UPDATE",
            [self._tx.tenant_id, invoice_id],
        )
        return Invoice(**row) if row else None

    def mark_paid(self, invoice_id: UUID, payment_id: UUID | None, paid_at: datetime) -> None:
        """Note the payment of a numbered invoice."""
        self._tx.execute(
            "UPDATE invoices SET state = 'paid', payment_id = %s, paid_at = %s"
            " WHERE tenant_id = %s AND invoice_id = %s",
            [payment_id, paid_at, self._tx.tenant_id, invoice_id],
        )

    def post(self, posting: Posting) -> bool:
        """Post a ledger transaction; False when its key was posted before."""
        tx_id = derived_id("ledger", self._tx.tenant_id, posting.idempotency_key)
        row = self._tx.fetch_one(
            "INSERT INTO ledger_tx (tenant_id, tx_id, idempotency_key, kind, invoice_id,"
            " payment_id, posted_at) VALUES (%s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING RETURNING tx_id",
            [
                self._tx.tenant_id,
                tx_id,
                posting.idempotency_key,
                posting.kind,
                posting.invoice_id,
                posting.payment_id,
                self._tx.now,
            ],
        )
        if row is None:
            return False
        for position, entry in enumerate(posting.entries, 1):
            self._tx.execute(
                "INSERT INTO ledger_entries (tenant_id, tx_id, position, account, currency, amount)"
                " VALUES (%s, %s, %s, %s, 'IDR', %s)",
                [self._tx.tenant_id, tx_id, position, entry.account, entry.amount],
            )
        return True

    def list_invoices(self, limit: int, before: tuple[str, int] | None) -> list[dict[str, Any]]:
        """Numbered invoices, the newest number first."""
        series, sequence = before or (None, None)
        return self._tx.fetch_all(
            f"SELECT {_INVOICE_COLUMNS} FROM invoices WHERE tenant_id = %s"
            " AND number IS NOT NULL"
            " AND (%s::text IS NULL OR (series, sequence) < (%s::text, %s::int))"
            " ORDER BY series DESC, sequence DESC LIMIT %s",
            [self._tx.tenant_id, series, series, sequence, limit],
        )

    def find_invoice(self, invoice_id: UUID) -> dict[str, Any] | None:
        """A numbered invoice with its lines."""
        invoice = self._tx.fetch_one(
            f"SELECT {_INVOICE_COLUMNS} FROM invoices"
            " WHERE tenant_id = %s AND invoice_id = %s AND number IS NOT NULL",
            [self._tx.tenant_id, invoice_id],
        )
        if invoice is not None:
            invoice["lines"] = self._tx.fetch_all(
                "SELECT position, kind, meter, description, quantity, included, unit_price, amount"
                " FROM invoice_lines WHERE tenant_id = %s AND invoice_id = %s"
                " ORDER BY position LIMIT %s",
                [self._tx.tenant_id, invoice_id, LINES_MAX],
            )
        return invoice


_INVOICE_COLUMNS = (
    "invoice_id, number, series, sequence, state, subscription_id, plan_code, period_start,"
    " period_end, currency, description, subtotal, tax_base, tax_rate_percent, tax, total,"
    " issued_at, due_at, paid_at, payment_id"
)
