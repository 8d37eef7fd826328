"""Room card: billing_service (port 8025 alone).

Purpose: turns closed periods into invoices with gapless numbers and PPN, and keeps the ledger.
Commands in: RunBilling (from a schedule).
Events in: BillingPeriodClosed, PaymentSettled.
Events out: BillingRunStarted, InvoiceFinalized, InvoicePaid.
Tables owned: job_runs, tax_settings, payment_terms, invoice_counters, ledger_accounts (platform);
    invoices, invoice_lines, ledger_tx, ledger_entries.
"""
