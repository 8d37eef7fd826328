"""From a prediction to a paid invoice through the three rooms, with everything redelivered.

The rooms meet only in their messages: this test plays the bus, shuffles and repeats, lets Midtrans
fail, and then asks whether the books balance.
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.billing_service import BillingRunStarted, InvoiceFinalized, InvoicePaid
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.payment_gateway import PaymentInitiated, PaymentSettled
from contracts.subscription_service import SubscriptionRenewed
from contracts.trading_engine import PredictionDelivered
from contracts.user_management import EmailVerified
from functions.billing_service import consumer as billing
from functions.payment_gateway import consumer as payments
from functions.subscription_service import consumer as subscriptions
from functions.subscription_service.logic import lifecycle
from functions.subscription_service.store import SubscriptionStore
from kit.db import Database
from tests.functions.payment_gateway.conftest import Midtrans, Room
from tests.support.builders import NOW, sqs_event, wrap

ROUTES: dict[str, Any] = {
    **dict.fromkeys(["EmailVerified", "PredictionDelivered"], subscriptions),
    **dict.fromkeys(["BillingRunStarted", "InvoicePaid"], subscriptions),
    **dict.fromkeys(["BillingPeriodClosed", "PaymentSettled"], billing),
    **dict.fromkeys(["InvoiceFinalized", "PaymentNotificationReceived"], payments),
}
PRICES = {"free": 0, "pro": 299_000, "enterprise": 1_499_000}
ROUNDS_MAX = 60


class Bus:
    """Carries what the rooms publish, out of order and more than once."""

    def __init__(self, room: Room, seed: int) -> None:
        self._published, self._random = room.published, random.Random(seed)
        self._taken = len(room.published.rows)
        self._waiting: list[Envelope] = []

    def send(self, *envelopes: Envelope) -> None:
        self._waiting += envelopes

    def run(self) -> None:
        """Deliver until nothing is left; what a room gives back is delivered again."""
        for _ in range(ROUNDS_MAX):
            fresh = self._published.envelopes()[self._taken :]
            self._taken += len(fresh)
            self._waiting += [one for one in fresh if one.detail_type in ROUTES]
            if not self._waiting:
                return
            batch, self._waiting = self._waiting, []
            batch += self._random.choices(batch, k=len(batch) // 2)
            self._random.shuffle(batch)
            for envelope in batch:
                door = ROUTES[envelope.detail_type]
                if door.handler(sqs_event(envelope), None)["batchItemFailures"]:
                    self._waiting.append(envelope)
        raise AssertionError(f"still waiting: {[one.detail_type for one in self._waiting]}")


@pytest.fixture
def rooms(room, open_room, monkeypatch) -> dict[str, Database]:
    """The three rooms' databases behind their queue doors."""
    opened = {name: open_room(name) for name in ("subscription_service", "billing_service")}
    monkeypatch.setattr(subscriptions, "_database", lambda: opened["subscription_service"])
    monkeypatch.setattr(billing, "_database", lambda: opened["billing_service"])
    return opened | {"payment_gateway": room.database}


def read(database: Database, tenant: UUID, sql: str) -> Any:
    with database.transaction(tenant) as tx:
        return next(iter(tx.fetch_all(sql)[0].values()))


def sign_up(rooms: dict[str, Database], bus: Bus, months: list[tuple[str, int]]) -> list[UUID]:
    """Verify tenants, put them on their plans, and deliver what they use."""
    tenants = [uuid7() for _ in months]
    verified = EmailVerified(
        user_id=uuid7(), email="a@example.com", full_name="A", tenant_name="A", locale="id"
    )
    bus.send(*(wrap(verified, tenant) for tenant in tenants))
    bus.run()
    for tenant, (plan, uses) in zip(tenants, months, strict=True):
        with rooms["subscription_service"].transaction(tenant) as tx:
            lifecycle.choose_plan(
                SubscriptionStore(tx), tx.publish, plan, tx.now, time_zone="UTC", new_id=uuid7()
            )
        for _ in range(uses):
            signal = PredictionDelivered(signal_id=uuid7(), symbol="EURUSD", visible_at=NOW)
            bus.send(wrap(signal, tenant))
    bus.run()
    return tenants


def pay_everything(room: Room, midtrans: Midtrans, tenants: list[UUID]) -> None:
    for tenant in tenants:
        for payment in room.payments(tenant):
            for body in midtrans.pay(payment["order_id"], duplicates=1, out_of_order=True):
                assert room.notify(body)[0] == 200


@dataclass
class Case:
    """A month: who is on which plan, how much each used, and how Midtrans fails."""

    seed: int
    tenants: list[tuple[str, int]]
    fault: dict[str, Any]


cases = st.builds(
    Case,
    st.integers(0, 10**6),
    st.lists(
        st.tuples(st.sampled_from(sorted(PRICES)), st.integers(0, 23)), min_size=1, max_size=3
    ),
    st.sampled_from([{}, {"drop": True, "after": True}, {"status": 503, "times": 3}]),
)


@given(case=cases)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_books_balance_from_prediction_to_receipt(rooms, room, midtrans, case) -> None:
    """Invariants 1 to 4, 6 and 18 across the rooms."""
    bus = Bus(room, case.seed)
    tenants = sign_up(rooms, bus, case.tenants)
    if case.fault:
        midtrans.fault(match="/v2/", **case.fault)
    run = BillingRunStarted(run_id=uuid7(), as_of=NOW + timedelta(days=31))
    bus.send(wrap(run), wrap(run.model_copy(update={"run_id": uuid7()})))
    bus.run()
    pay_everything(room, midtrans, tenants)
    bus.run()
    for tenant, (plan, uses) in zip(tenants, case.tenants, strict=True):
        check_tenant(rooms, room, tenant, plan, min(uses, 20) if plan == "free" else uses)


def check_tenant(
    rooms: dict[str, Database], room: Room, tenant: UUID, plan: str, counted: int
) -> None:
    ours = [e.data for e in room.published.envelopes() if e.meta.tenant_id == tenant]
    total = PRICES[plan] + PRICES[plan] * 11 // 100
    kinds = [type(message) for message in ours]
    owed = 1 if total else 0
    assert kinds.count(InvoiceFinalized) == kinds.count(PaymentSettled) == owed
    assert kinds.count(PaymentInitiated) <= owed  # paid before it was announced
    assert kinds.count(InvoicePaid) == kinds.count(SubscriptionRenewed) == 1
    books, usage = rooms["billing_service"], rooms["subscription_service"]
    invoiced = "SELECT sum(quantity)::bigint FROM invoice_lines WHERE meter = 'prediction'"
    metered = "SELECT count(*) FROM usage_events WHERE outcome = 'counted'"
    assert read(books, tenant, invoiced) == read(usage, tenant, metered) == counted
    balance = "SELECT coalesce(sum(amount), 0)::bigint FROM ledger_entries WHERE account = '{}'"
    assert read(books, tenant, balance.format("receivable")) == 0
    assert read(books, tenant, balance.format("cash_clearing")) == total
    assert read(books, tenant, balance.format("customer_credit")) == 0
    assert read(books, tenant, "SELECT count(*) FROM invoices WHERE state = 'paid'") == 1
