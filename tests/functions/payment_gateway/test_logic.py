"""Signatures, transitions and the charge's uncertainty, as properties over fakes."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.payment_gateway import PaymentFailed, PaymentInitiated, PaymentSettled
from functions.payment_gateway.errors import (
    BadNotification,
    BadSignature,
    DuplicateOrder,
    OutcomeUnknown,
    PaymentMismatch,
    PaymentUnderReview,
)
from functions.payment_gateway.logic.collecting import (
    collect_invoice,
    draw_order,
    prepare_attempt,
)
from functions.payment_gateway.logic.desk import Desk
from functions.payment_gateway.logic.notifications import read_notification, sign
from functions.payment_gateway.logic.transitions import LEGAL_NEXT, apply_status
from functions.payment_gateway.models import (
    ChargeOrder,
    GatewayStatus,
    Notification,
    Payable,
    Payment,
)
from tests.functions.payment_gateway.conftest import AMOUNT, finalized
from tests.support.builders import NOW

KEY = "SB-Mid-server-TESTKEY"
ORDER = "SNY-" + "0a" * 16
MERCHANT = "G141532850"
STATES = sorted(set(LEGAL_NEXT) | {state for nexts in LEGAL_NEXT.values() for state in nexts})


def document(**changes: Any) -> dict[str, Any]:
    body = {
        "order_id": ORDER,
        "status_code": "200",
        "gross_amount": "331890.00",
        "transaction_status": "settlement",
        "something_new": {"unknown": True},
    }
    joined = body["order_id"] + body["status_code"] + body["gross_amount"] + KEY
    body["signature_key"] = hashlib.sha512(joined.encode()).hexdigest()
    return body | changes


def test_the_signature_is_the_documented_one() -> None:
    vector = Notification("INV-2025-000001", "200", "111000.00")
    assert sign(vector, KEY) == (
        "b779de55827a79465fbbfe038ee32e9df9192e52d9af69ca2289f15296a2f26c8229d0a14e602d5cd009e0399"
        "cac2d867490351070106d83c470e63c62686142"
    )


def test_a_signed_notification_is_read_whatever_else_it_holds() -> None:
    read = read_notification(json.dumps(document()).encode(), KEY)
    assert read == Notification(ORDER, "200", "331890.00")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        json.dumps(document()).encode("utf-16"),
        b"[" * 100_000,
        json.dumps(document(order_id=None)).encode(),
        json.dumps(document(order_id=ORDER + "\n")).encode(),
        json.dumps(document(order_id="INV-1")).encode(),
        json.dumps(document(status_code=200)).encode(),
        json.dumps(document(status_code="20")).encode(),
        json.dumps(document(status_code="٢٠٠")).encode(),
        json.dumps(document(gross_amount="331890")).encode(),
        json.dumps(document(gross_amount=331890.0)).encode(),
        json.dumps(document(gross_amount="-1.00")).encode(),
    ],
)
def test_another_shape_is_a_bad_notification(body) -> None:
    with pytest.raises(BadNotification):
        read_notification(body, KEY)


@pytest.mark.parametrize("signature", [None, 5, "", "0" * 128, "G" * 128, "é" * 128, ["x"]])
def test_a_wrong_signature_is_refused(signature) -> None:
    with pytest.raises(BadSignature):
        read_notification(json.dumps(document(signature_key=signature)).encode(), KEY)


@given(st.sampled_from(["order_id", "status_code", "gross_amount"]), st.integers(1, 9))
def test_a_signature_holds_for_its_own_fields_only(name, shift) -> None:
    """Digits moved between the joined fields, or changed, do not verify."""
    changed = document()
    if name == "gross_amount":
        changed |= {"gross_amount": f"{331_890 + shift}.00"}
    elif name == "status_code":
        changed |= {"status_code": f"20{shift}"}
    else:
        changed |= {"order_id": ORDER[:-1] + str(shift)}
    with pytest.raises(BadSignature):
        read_notification(json.dumps(changed).encode(), KEY)


@dataclass
class FakeBook:
    """One tenant's payables and payments in memory."""

    payables: dict[UUID, Payable] = field(default_factory=dict)
    payments_by_id: dict[UUID, Payment] = field(default_factory=dict)

    def add_payable(self, payable: Payable) -> None:
        self.payables.setdefault(payable.invoice_id, payable)

    def lock_payable(self, invoice_id: UUID) -> Payable | None:
        return self.payables.get(invoice_id)

    def mark_paid(self, invoice_id: UUID, payment_id: UUID) -> None:
        old = self.payables[invoice_id]
        self.payables[invoice_id] = Payable(
            old.invoice_id, old.invoice_number, old.amount, old.description, old.due_at, payment_id
        )

    def find_active(self, invoice_id: UUID) -> Payment | None:
        open_states = ("created", "pending", "authorize")
        return next((p for p in self.payments_by_id.values() if p.state in open_states), None)

    def count_attempts(self, invoice_id: UUID) -> int:
        return len(self.payments_by_id)

    def add_payment(self, payment: Payment) -> None:
        self.payments_by_id[payment.payment_id] = payment

    def find_payment(self, payment_id: UUID) -> Payment | None:
        return self.payments_by_id.get(payment_id)

    lock_payment = find_payment

    def save_payment(self, payment: Payment) -> None:
        old = self.payments_by_id[payment.payment_id].state
        assert payment.state in LEGAL_NEXT[old]
        self.payments_by_id[payment.payment_id] = payment


def says(state: str, order_id: str = ORDER, **changes: Any) -> GatewayStatus:
    parts = {
        "order_id": order_id,
        "transaction_id": "t-1",
        "transaction_status": state,
        "fraud_status": "accept",
        "amount": AMOUNT,
        "currency": "IDR",
        "merchant_id": MERCHANT,
        "va_number": "12345678901",
        "expires_at": NOW + timedelta(days=1),
        "settled_at": None,
    }
    return GatewayStatus(**parts | changes)


def open_room(book: FakeBook, events: list[Any]) -> Callable[[], Any]:
    @contextmanager
    def open_desk() -> Iterator[Desk]:
        yield Desk(book, events.append, NOW)

    return open_desk


def new_attempt() -> tuple[FakeBook, Payment]:
    book, invoice = FakeBook(), finalized()
    book.add_payable(
        Payable(invoice.invoice_id, invoice.number, AMOUNT, "pro", invoice.due_at, None)
    )
    return book, prepare_attempt(book, invoice.invoice_id, "bca_va", NOW)


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_whatever_the_status_says_and_when_money_is_announced_once(words) -> None:
    """Late, repeated and impossible words: legal moves only, one settlement, one or no failure."""
    book, payment = new_attempt()
    events: list[Any] = []
    for word in words:
        desk = Desk(book, events.append, NOW)
        current = book.payments_by_id[payment.payment_id]
        moved = apply_status(desk, current, says(word, payment.order_id), MERCHANT)
        assert moved.state == current.state or moved.state in LEGAL_NEXT[current.state]
    settled = [event for event in events if isinstance(event, PaymentSettled)]
    failed = [event for event in events if isinstance(event, PaymentFailed)]
    assert len(settled) <= 1
    assert len(settled) + len(failed) <= 1
    assert len([event for event in events if isinstance(event, PaymentInitiated)]) <= 1
    paid = any(word in ("settlement", "capture") for word in words)
    assert not settled or paid


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": AMOUNT - 1},
        {"currency": "USD"},
        {"merchant_id": "G000"},
        {"merchant_id": None},
        {"order_id": "SNY-" + "0b" * 16},
    ],
)
def test_a_status_about_something_else_moves_nothing(changes) -> None:
    book, payment = new_attempt()
    events: list[Any] = []
    status = says("settlement", **{"order_id": payment.order_id} | changes)
    with pytest.raises(PaymentMismatch):
        apply_status(Desk(book, events.append, NOW), payment, status, MERCHANT)
    assert events == []
    assert book.payments_by_id[payment.payment_id] == payment


def test_challenged_money_waits_for_a_person() -> None:
    book, payment = new_attempt()
    status = says("capture", payment.order_id, fraud_status="challenge")
    with pytest.raises(PaymentUnderReview):
        apply_status(Desk(book, list[Any]().append, NOW), payment, status, MERCHANT)


@dataclass
class UnsureMidtrans:
    """Executes each order once at most, and answers as the script says."""

    script: list[str]
    merchant_id: str = MERCHANT
    executed: dict[str, GatewayStatus] = field(default_factory=dict)
    executions: int = 0

    def _next(self) -> str:
        return self.script.pop(0) if self.script else "answer"

    def charge(self, order: ChargeOrder) -> GatewayStatus:
        word = self._next()
        if word == "lost":
            raise OutcomeUnknown
        if order.order_id in self.executed:
            raise DuplicateOrder
        self.executions += 1
        self.executed[order.order_id] = says("pending", order.order_id)
        if word == "silent":
            raise OutcomeUnknown
        return self.executed[order.order_id]

    def read_status(self, order_id: str) -> GatewayStatus | None:
        if self._next() in ("lost", "silent"):
            raise OutcomeUnknown
        return self.executed.get(order_id)


@given(st.lists(st.sampled_from(["answer", "lost", "silent"]), max_size=12))
def test_an_invoice_is_charged_once_however_unsure_the_answers_are(script) -> None:
    """Invariant 6: breaking off anywhere and coming back charges once and announces once."""
    book, events, invoice = FakeBook(), list[Any](), finalized()
    vendor = UnsureMidtrans(script)
    for _ in range(len(script) + 2):
        try:
            collect_invoice(open_room(book, events), vendor, invoice, "bca_va", charges_max=2)
        except OutcomeUnknown:
            continue
    assert vendor.executions == 1
    [payment] = book.payments_by_id.values()
    assert payment.state == "pending"
    assert [type(event) for event in events] == [PaymentInitiated]


@given(st.integers(-1_000, 1_000))
def test_an_account_lives_an_hour_to_a_week(hours) -> None:
    _, payment = new_attempt()
    payable = Payable(payment.invoice_id, "n", AMOUNT, "d", NOW + timedelta(hours=hours), None)
    order = draw_order(payment, payable, NOW)
    assert 60 <= order.lifetime_minutes <= 7 * 24 * 60
    assert len(order.order_id) == 36
