"""Tax, totals, postings and due dates of billing_service, as properties over fakes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.billing_service import InvoiceFinalized, InvoicePaid
from contracts.ids import uuid7
from contracts.money import round_rupiah
from contracts.subscription_service import BillingPeriodClosed, UsageLine
from functions.billing_service.logic import (
    compute_ppn,
    draft_invoice,
    end_of_business,
    invoice_series,
    issue_invoice,
    issue_posting,
    settle_invoice,
)
from functions.billing_service.models import Draft, Invoice, Posting, TaxSetting, Terms
from tests.functions.billing_service.conftest import settled

PPN = TaxSetting(is_pkp=True, rate_percent=12, base_numerator=11, base_denominator=12)
NO_PKP = TaxSetting(is_pkp=False, rate_percent=12, base_numerator=11, base_denominator=12)

prices = st.integers(0, 10**12)
usages = st.lists(
    st.builds(
        UsageLine,
        meter=st.sampled_from(["prediction", "llm_insight"]),
        quantity=st.integers(0, 10**6),
        included=st.none() | st.integers(0, 10**6),
        unit_price=st.integers(0, 10**5),
    ),
    max_size=2,
    unique_by=lambda line: line.meter,
)
closings = st.builds(
    BillingPeriodClosed,
    subscription_id=st.uuids(),
    run_id=st.uuids(),
    plan_code=st.sampled_from(["free", "pro", "enterprise"]),
    plan_version=st.just(1),
    plan_price=prices,
    period_start=st.just(datetime(2026, 2, 1, tzinfo=UTC)),
    period_end=st.just(datetime(2026, 3, 1, tzinfo=UTC)),
    usage=usages.map(tuple),
)


@dataclass
class FakeBook:
    """Keeps what the use cases wrote."""

    setting: TaxSetting = PPN
    drafts: dict[UUID, Draft] = field(default_factory=dict)
    numbers: dict[UUID, str] = field(default_factory=dict)
    paid: dict[UUID, UUID | None] = field(default_factory=dict)
    postings: dict[str, Posting] = field(default_factory=dict)

    def find_terms(self, issued_at: datetime) -> Terms:
        return Terms(self.setting, 7)

    def add_draft(self, draft: Draft) -> bool:
        return self.drafts.setdefault(draft.invoice_id, draft) is draft

    def finalize(self, draft: Draft, series: str, issued_at: datetime, due_at: datetime) -> str:
        self.numbers[draft.invoice_id] = f"{series}/{len(self.numbers) + 1:06}"
        return self.numbers[draft.invoice_id]

    def lock_invoice(self, invoice_id: UUID) -> Invoice | None:
        draft = self.drafts.get(invoice_id)
        if draft is None:
            return None
        state = "paid" if invoice_id in self.paid else "finalized"
        return Invoice(
            invoice_id,
            self.numbers[invoice_id],
            draft.subscription_id,
            draft.period_end,
            state,
            draft.total,
            self.paid.get(invoice_id),
        )

    def mark_paid(self, invoice_id: UUID, payment_id: UUID | None, paid_at: datetime) -> None:
        assert invoice_id not in self.paid
        self.paid[invoice_id] = payment_id

    def post(self, posting: Posting) -> bool:
        return self.postings.setdefault(posting.idempotency_key, posting) is posting

    def balance(self, account: str) -> int:
        entries = [e for posting in self.postings.values() for e in posting.entries]
        return sum(entry.amount for entry in entries if entry.account == account)


def test_ppn_of_a_hundred_thousand_is_eleven_thousand() -> None:
    assert compute_ppn(100_000, PPN) == (91_667, 11_000)
    assert compute_ppn(299_000, PPN) == (274_083, 32_890)
    assert compute_ppn(1_499_000, PPN) == (1_374_083, 164_890)


@given(prices)
def test_ppn_is_eleven_percent_rounded_half_up_and_never_from_the_rounded_base(price) -> None:
    exact = (Decimal(price) * 11 / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    base, tax = compute_ppn(price, PPN)
    assert tax == int(exact)
    assert abs(12 * base - 11 * price) <= 6
    assert compute_ppn(price, NO_PKP) == (0, 0)


@given(prices, prices)
def test_tax_never_shrinks_when_the_price_grows(one, other) -> None:
    """Invariant 13, for tax."""
    low, high = sorted((one, other))
    assert compute_ppn(low, PPN)[1] <= compute_ppn(high, PPN)[1]


def test_the_contracts_rounding_agrees_with_ours() -> None:
    assert [round_rupiah(Decimal(n) / 100 * 11) for n in (50, 150, 250)] == [
        compute_ppn(n, PPN)[1] for n in (50, 150, 250)
    ]


@given(closings)
def test_lines_plus_tax_are_the_total_and_the_receivable(closing) -> None:
    """Invariants 1 and 2."""
    draft = draft_invoice(closing, PPN)
    assert sum(line.amount for line in draft.lines) + draft.tax == draft.total
    if draft.total:
        entries = issue_posting(draft).entries
        assert sum(entry.amount for entry in entries) == 0
        assert entries[0].account == "receivable"
        assert entries[0].amount == draft.total
        assert all(entry.amount for entry in entries)


@given(closings, st.randoms())
def test_the_order_of_usage_changes_nothing(closing, random) -> None:
    """Invariant 4: the same period, the same invoice."""
    shuffled = list(closing.usage)
    random.shuffle(shuffled)
    again = closing.model_copy(update={"usage": tuple(shuffled)})
    assert draft_invoice(again, PPN) == draft_invoice(closing, PPN)


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 1_000))
def test_usage_is_charged_above_what_is_included_and_never_less_for_more(one, other, included):
    """Invariant 13: charges are monotone."""

    def amount(quantity: int) -> int:
        line = UsageLine(
            meter="llm_insight", quantity=quantity, included=included, unit_price=1_500
        )
        closing = BillingPeriodClosed(
            subscription_id=uuid7(),
            run_id=uuid7(),
            plan_code="enterprise",
            plan_version=1,
            plan_price=0,
            period_start=datetime(2026, 2, 1, tzinfo=UTC),
            period_end=datetime(2026, 3, 1, tzinfo=UTC),
            usage=(line,),
        )
        return draft_invoice(closing, PPN).subtotal

    low, high = sorted((one, other))
    assert amount(low) <= amount(high)
    assert amount(high) == max(0, high - included) * 1_500


@given(closings, st.integers(1, 4))
def test_a_period_delivered_many_times_is_invoiced_once(closing, times) -> None:
    """Invariants 3 and 18."""
    book, events = FakeBook(), list[Any]()
    for _ in range(times):
        issue_invoice(book, events.append, closing, datetime(2026, 3, 2, tzinfo=UTC))
    [event] = events
    [draft] = book.drafts.values()
    assert len(book.numbers) == 1
    if draft.total == 0:
        assert isinstance(event, InvoicePaid)
        assert event.payment_id is None
        assert book.postings == {}
    else:
        assert isinstance(event, InvoiceFinalized)
        assert (event.subtotal, event.tax, event.total) == (draft.subtotal, draft.tax, draft.total)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=8))
def test_money_is_booked_once_a_payment_and_an_invoice_is_paid_once(arrivals) -> None:
    """Payments repeated and doubled: the receivable closes once, the rest is the tenant's."""
    book, events = FakeBook(), list[Any]()
    closing = BillingPeriodClosed(
        subscription_id=uuid7(),
        run_id=uuid7(),
        plan_code="pro",
        plan_version=1,
        plan_price=299_000,
        period_start=datetime(2026, 2, 1, tzinfo=UTC),
        period_end=datetime(2026, 3, 1, tzinfo=UTC),
        usage=(),
    )
    issue_invoice(book, events.append, closing, datetime(2026, 3, 2, tzinfo=UTC))
    [draft] = book.drafts.values()
    payments = [settled(draft.invoice_id, draft.total) for _ in range(3)]
    for index in arrivals:
        settle_invoice(book, events.append, payments[index])
    distinct = len(set(arrivals))
    assert book.balance("receivable") == 0
    assert book.balance("cash_clearing") == distinct * draft.total
    assert book.balance("customer_credit") == -(distinct - 1) * draft.total
    assert book.paid == {draft.invoice_id: payments[arrivals[0]].payment_id}
    assert len([event for event in events if isinstance(event, InvoicePaid)]) == 1


def test_numbers_and_due_dates_follow_jakartas_calendar() -> None:
    late = datetime(2026, 2, 28, 17, 30, tzinfo=UTC)  # 1 March, 00:30 in Jakarta
    assert invoice_series(late) == "INV/2026/03"
    assert end_of_business(late, 7) == datetime(2026, 3, 8, 17, tzinfo=UTC)
    assert end_of_business(late, 7) - late < timedelta(days=8)
