"""What the billing_service tests share: its database behind its doors, and its messages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.payment_gateway import PaymentSettled
from contracts.subscription_service import BillingPeriodClosed, UsageLine
from functions.billing_service import api, consumer
from kit.db import Database
from tests.support.builders import NOW, sqs_event, wrap

ROOM = "billing_service"
PRO = 299_000


@pytest.fixture
def database(open_room: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch) -> Database:
    """The room's database, behind both doors."""
    opened = open_room(ROOM)
    monkeypatch.setattr(api, "_database", lambda: opened)
    monkeypatch.setattr(consumer, "_database", lambda: opened)
    return opened


def closed(**parts: Any) -> BillingPeriodClosed:
    """A month on the pro plan with 412 predictions, unless told otherwise."""
    usual: dict[str, Any] = {
        "subscription_id": uuid7(),
        "run_id": uuid7(),
        "plan_code": "pro",
        "plan_version": 1,
        "plan_price": PRO,
        "period_start": datetime(2026, 2, 1, tzinfo=UTC),
        "period_end": datetime(2026, 3, 1, tzinfo=UTC),
        "usage": (UsageLine(meter="prediction", quantity=412),),
    }
    return BillingPeriodClosed(**usual | parts)


def settled(invoice_id: UUID, amount: int, payment_id: UUID | None = None) -> PaymentSettled:
    """Money that arrived for an invoice."""
    paid = payment_id or uuid7()
    return PaymentSettled(
        payment_id=paid,
        invoice_id=invoice_id,
        order_id=f"SNY-{paid.hex}",
        amount=amount,
        settled_at=NOW,
    )


@pytest.fixture
def handle(database: Database) -> Callable[..., int]:
    """Give messages to the queue door; returns how many come back."""

    def handle_(*messages: Any, tenant: UUID | None) -> int:
        now = database.clock.now()
        event = sqs_event(*(wrap(message, tenant, now) for message in messages))
        return len(consumer.handler(event, None)["batchItemFailures"])

    return handle_
