"""What the payment_gateway tests share: Midtrans' sandbox over real HTTP, and the room's doors."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts.billing_service import InvoiceFinalized
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.payment_gateway import PaymentNotificationReceived
from functions.payment_gateway import api, consumer
from functions.payment_gateway.gateway import MidtransAccount, MidtransGateway
from iac.local.testing import Sandboxes, start_sandboxes
from kit.db import Database
from tests.support.builders import NOW, api_event, read_answer, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

ROOM = "payment_gateway"
READ_TIMEOUT_S = 0.6
AMOUNT = 331_890


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    server = start_sandboxes(tmp_path_factory.mktemp("sandboxes"))
    yield server
    server.stop()


@dataclass
class Midtrans:
    """The sandbox, by its control face."""

    http: httpx.Client
    account: MidtransAccount

    def fault(self, **fault: Any) -> None:
        assert self.http.post("/_sandbox/faults", json=fault).status_code == 201

    def config(self, **changes: Any) -> None:
        assert self.http.post("/_sandbox/config", json=changes).status_code == 200

    def pay(self, order_id: str, **how: Any) -> list[bytes]:
        """Pay (or end) an order; returns the bodies of the notifications that follow."""
        answer = self.http.post("/_sandbox/pay", json={"order_id": order_id, **how})
        assert answer.status_code == 200, answer.text
        return [
            json.dumps(notice["document"]).encode() for notice in answer.json()["notifications"]
        ]

    def requests(self, match: str) -> list[dict[str, Any]]:
        answer = self.http.get("/_sandbox/requests", params={"match": match})
        return list(answer.json())

    def transactions(self) -> list[dict[str, Any]]:
        return list(self.http.get("/_sandbox/transactions").json())


@pytest.fixture
def midtrans(sandboxes: Sandboxes) -> Iterator[Midtrans]:
    """Midtrans, with nothing in its books and nobody to notify."""
    made = sandboxes.credentials
    account = MidtransAccount(
        made.midtrans_server_key, made.midtrans_merchant_id, sandboxes.urls["midtrans"]
    )
    with httpx.Client(base_url=account.core_url, trust_env=False, timeout=10) as http:
        http.post("/_sandbox/reset")
        yield Midtrans(http, account)


@pytest.fixture
def gateway(midtrans: Midtrans, monkeypatch: pytest.MonkeyPatch) -> MidtransGateway:
    """The room's gateway, impatient, behind both doors."""
    opened = MidtransGateway(midtrans.account, READ_TIMEOUT_S)
    monkeypatch.setattr(api, "_gateway", lambda: opened)
    monkeypatch.setattr(consumer, "_gateway", lambda: opened)
    monkeypatch.setattr(api, "_server_key", lambda: midtrans.account.server_key)
    return opened


@pytest.fixture
def database(
    open_room: Callable[[str], Database], gateway: MidtransGateway, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """The room's database, behind both doors."""
    opened = open_room(ROOM)
    monkeypatch.setattr(api, "_database", lambda: opened)
    monkeypatch.setattr(consumer, "_database", lambda: opened)
    return opened


def finalized(amount: int = AMOUNT) -> InvoiceFinalized:
    """A month on the pro plan, with PPN."""
    tax = amount - amount * 100 // 111
    return InvoiceFinalized(
        invoice_id=uuid7(),
        number="INV/2026/03/000001",
        subscription_id=uuid7(),
        subtotal=amount - tax,
        tax=tax,
        total=amount,
        due_at=NOW + timedelta(days=7),
        description="Sinyal pro 2026-02-01 - 2026-03-01",
    )


@dataclass
class Room:
    """The room between its doors: messages in, notifications in, what it published out."""

    database: Database
    published: RecordingPublisher

    def deliver(self, *envelopes: Envelope) -> int:
        """Give the queue door envelopes; returns how many come back."""
        return len(consumer.handler(sqs_event(*envelopes), None)["batchItemFailures"])

    def handle(self, *messages: Any, tenant: UUID | None) -> int:
        return self.deliver(*(wrap(message, tenant) for message in messages))

    def notify(self, body: bytes) -> tuple[int, Any]:
        """Post a notification to the webhook."""
        event = api_event("POST", "/v1/payments/midtrans/notifications", body=body.decode())
        return read_answer(api.handler(event, None))

    def hints(self) -> list[Envelope]:
        """The notifications announced so far."""
        return self.published.envelopes(PaymentNotificationReceived)

    def payments(self, tenant: UUID | None) -> list[dict[str, Any]]:
        with self.database.transaction(tenant) as tx:
            return tx.fetch_all("SELECT * FROM payments ORDER BY created_at, attempt")


@pytest.fixture
def room(database: Database, published: RecordingPublisher) -> Room:
    return Room(database, published)
