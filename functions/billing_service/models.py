"""What billing_service thinks in: invoices, their lines, tax, ledger postings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.subscription_service import Meter, Tier

InvoiceState = Literal["draft", "finalized", "paid", "void", "uncollectible"]
Account = Literal["receivable", "cash_clearing", "revenue", "ppn_payable", "customer_credit"]
PostingKind = Literal["invoice_issued", "invoice_paid", "overpaid"]


@dataclass(frozen=True, slots=True)
class TaxSetting:
    """PPN in force at a date: a percentage of a fraction (DPP nilai lain) of the price."""

    is_pkp: bool
    rate_percent: int
    base_numerator: int
    base_denominator: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What applies to an invoice issued at a date."""

    tax: TaxSetting
    due_days: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an invoice; a usage line charges what is above the included quantity."""

    position: int
    kind: Literal["plan_fee", "usage"]
    meter: Meter | None
    description: str
    quantity: int
    included: int | None
    unit_price: int
    amount: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice before it has a number. total = subtotal + tax."""

    invoice_id: UUID
    subscription_id: UUID
    run_id: UUID
    plan_code: Tier
    plan_version: int
    period_start: datetime
    period_end: datetime
    description: str
    lines: tuple[Line, ...]
    subtotal: int
    tax_base: int
    tax_rate_percent: int
    tax: int
    total: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """A numbered invoice, as far as its payment is concerned."""

    invoice_id: UUID
    number: str
    subscription_id: UUID
    period_end: datetime
    state: InvoiceState
    total: int
    payment_id: UUID | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting: debits positive, credits negative."""

    account: Account
    amount: int


@dataclass(frozen=True, slots=True)
class Posting:
    """A ledger transaction; its entries sum to zero."""

    idempotency_key: str
    kind: PostingKind
    invoice_id: UUID
    payment_id: UUID | None
    entries: tuple[Entry, ...]
