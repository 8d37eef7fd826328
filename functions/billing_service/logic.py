"""Billing: what a closed period costs, its tax, its number, its postings, its payment."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any, Protocol
from uuid import UUID

from contracts.billing_service import BillingRunStarted, InvoiceFinalized, InvoicePaid
from contracts.envelope import Event
from contracts.ids import derived_id
from contracts.payment_gateway import PaymentSettled
from contracts.subscription_service import BillingPeriodClosed, UsageLine
from functions.billing_service.errors import InvoiceMissing, PaymentAmountWrong
from functions.billing_service.models import (
    Draft,
    Entry,
    Invoice,
    Line,
    Posting,
    TaxSetting,
    Terms,
)

JAKARTA = timezone(timedelta(hours=7))
"""Indonesia's western time has had no daylight saving since 1964."""

Publish = Callable[[Event], Any]


class JobBook(Protocol):
    """Which runs have happened."""

    def start_run(self, job: str, subject: str, period: str) -> bool: ...


class InvoiceBook(Protocol):
    """Invoices and ledger of the transaction's tenant."""

    def find_terms(self, issued_at: datetime) -> Terms: ...
    def add_draft(self, draft: Draft) -> bool: ...
    def finalize(self, draft: Draft, series: str, issued_at: datetime, due_at: datetime) -> str: ...
    def lock_invoice(self, invoice_id: UUID) -> Invoice | None: ...
    def mark_paid(self, invoice_id: UUID, payment_id: UUID | None, paid_at: datetime) -> None: ...
    def post(self, posting: Posting) -> bool: ...


def start_run(
    book: JobBook, publish: Publish, command_id: UUID, as_of: datetime | None, now: datetime
) -> None:
    """Announce a billing run once a command; each later command finds what became due since."""
    moment = as_of or now
    if book.start_run("run_billing", str(command_id), moment.isoformat()):
        run_id = derived_id("billing_run", command_id)
        publish(BillingRunStarted(run_id=run_id, as_of=moment))


def compute_ppn(price: int, setting: TaxSetting) -> tuple[int, int]:
    """Tax base (DPP nilai lain) and PPN of a price.

    Both are rounded half up in exact integers, the tax from the unrounded base.
    """
    if not setting.is_pkp:
        return 0, 0
    base = _divide_half_up(price * setting.base_numerator, setting.base_denominator)
    tax = _divide_half_up(
        price * setting.base_numerator * setting.rate_percent, setting.base_denominator * 100
    )
    return base, tax


def _divide_half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def draft_invoice(closed: BillingPeriodClosed, setting: TaxSetting) -> Draft:
    """Write down what a closed period costs. The same period always gives the same draft."""
    fee = Line(
        position=1,
        kind="plan_fee",
        meter=None,
        description=f"{closed.plan_code.title()} plan",
        quantity=1,
        included=None,
        unit_price=closed.plan_price,
        amount=closed.plan_price,
    )
    usage = sorted(closed.usage, key=lambda line: line.meter)
    lines = (fee, *(_charge_usage(line, position) for position, line in enumerate(usage, 2)))
    subtotal = sum(line.amount for line in lines)
    base, tax = compute_ppn(subtotal, setting)
    return Draft(
        invoice_id=derived_id("invoice", closed.subscription_id, closed.period_start.isoformat()),
        subscription_id=closed.subscription_id,
        run_id=closed.run_id,
        plan_code=closed.plan_code,
        plan_version=closed.plan_version,
        period_start=closed.period_start,
        period_end=closed.period_end,
        description=_describe_period(closed),
        lines=lines,
        subtotal=subtotal,
        tax_base=base,
        tax_rate_percent=setting.rate_percent if setting.is_pkp else 0,
        tax=tax,
        total=subtotal + tax,
    )


def _charge_usage(line: UsageLine, position: int) -> Line:
    above = 0 if line.included is None else max(0, line.quantity - line.included)
    return Line(
        position=position,
        kind="usage",
        meter=line.meter,
        description=line.meter.replace("_", " ").capitalize() + "s",
        quantity=line.quantity,
        included=line.included,
        unit_price=line.unit_price,
        amount=above * line.unit_price,
    )


def _describe_period(closed: BillingPeriodClosed) -> str:
    start, end = (at.astimezone(JAKARTA).date() for at in (closed.period_start, closed.period_end))
    return f"Sinyal {closed.plan_code} {start.isoformat()} - {end.isoformat()}"


def end_of_business(issued_at: datetime, days: int) -> datetime:
    """The first instant past the day in Jakarta that is ``days`` after the day of issue."""
    day = issued_at.astimezone(JAKARTA).date() + timedelta(days=days + 1)
    return datetime.combine(day, time(), JAKARTA).astimezone(UTC)


def invoice_series(issued_at: datetime) -> str:
    """The number series of an issue date: one a month in Jakarta."""
    return issued_at.astimezone(JAKARTA).strftime("INV/%Y/%m")


def issue_invoice(
    book: InvoiceBook, publish: Publish, closed: BillingPeriodClosed, now: datetime
) -> None:
    """Invoice a closed period once: draft, postings, number; paid at once when it costs nothing."""
    terms = book.find_terms(now)
    draft = draft_invoice(closed, terms.tax)
    if not book.add_draft(draft):
        return
    if draft.total > 0:
        book.post(issue_posting(draft))
    due_at = end_of_business(now, terms.due_days)
    number = book.finalize(draft, invoice_series(now), now, due_at)
    if draft.total == 0:
        book.mark_paid(draft.invoice_id, None, now)
        publish(
            InvoicePaid(
                invoice_id=draft.invoice_id,
                number=number,
                subscription_id=draft.subscription_id,
                total=0,
                period_end=draft.period_end,
                payment_id=None,
                paid_at=now,
            )
        )
        return
    publish(
        InvoiceFinalized(
            invoice_id=draft.invoice_id,
            number=number,
            subscription_id=draft.subscription_id,
            subtotal=draft.subtotal,
            tax=draft.tax,
            total=draft.total,
            due_at=due_at,
            description=draft.description,
        )
    )


def issue_posting(draft: Draft) -> Posting:
    """Debit what the tenant owes; credit revenue and the tax office's share."""
    entries = [Entry("receivable", draft.total), Entry("revenue", -draft.subtotal)]
    if draft.tax:
        entries.append(Entry("ppn_payable", -draft.tax))
    key = f"invoice:{draft.invoice_id}"
    return Posting(key, "invoice_issued", draft.invoice_id, None, tuple(entries))


def settle_invoice(book: InvoiceBook, publish: Publish, settled: PaymentSettled) -> None:
    """Book a settled payment once. An invoice is paid once; more money becomes a credit.

    Raises InvoiceMissing and PaymentAmountWrong.
    """
    invoice = book.lock_invoice(settled.invoice_id)
    if invoice is None:
        raise InvoiceMissing(f"payment {settled.payment_id} names an unknown invoice")
    if settled.amount != invoice.total:
        raise PaymentAmountWrong(f"payment {settled.payment_id} of invoice {invoice.number}")
    owed = invoice.state in ("finalized", "uncollectible")
    posting = Posting(
        idempotency_key=f"payment:{settled.payment_id}",
        kind="invoice_paid" if owed else "overpaid",
        invoice_id=invoice.invoice_id,
        payment_id=settled.payment_id,
        entries=(
            Entry("cash_clearing", settled.amount),
            Entry("receivable" if owed else "customer_credit", -settled.amount),
        ),
    )
    if not book.post(posting) or not owed:
        return
    book.mark_paid(invoice.invoice_id, settled.payment_id, settled.settled_at)
    publish(
        InvoicePaid(
            invoice_id=invoice.invoice_id,
            number=invoice.number,
            subscription_id=invoice.subscription_id,
            total=invoice.total,
            period_end=invoice.period_end,
            payment_id=settled.payment_id,
            paid_at=settled.settled_at,
        )
    )
