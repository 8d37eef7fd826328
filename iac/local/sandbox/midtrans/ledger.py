"""Transactions the Midtrans sandbox knows, and the moves it allows between their states."""

import random
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

TRANSACTIONS_MAX = 50_000
LEGAL_NEXT: dict[str, frozenset[str]] = {
    "pending": frozenset(
        {"settlement", "capture", "authorize", "deny", "cancel", "expire", "failure"}
    ),
    "authorize": frozenset({"capture", "deny", "cancel", "expire"}),
    "capture": frozenset({"settlement", "cancel"}),
    "settlement": frozenset(
        {"refund", "partial_refund", "chargeback", "partial_chargeback", "deny"}
    ),
    "partial_refund": frozenset({"partial_refund", "refund"}),
    "partial_chargeback": frozenset({"chargeback"}),
}


class IllegalTransition(Exception):
    """The transaction cannot go from its state to the one asked for."""


@dataclass
class Refund:
    """One refund; the key is unique in its transaction."""

    amount: int
    key: str
    reason: str


@dataclass
class Transaction:
    """One payment attempt; `instructions` holds the fields its payment type adds."""

    order_id: str
    transaction_id: str
    gross_amount: int
    payment_type: str
    created_at: datetime
    expires_at: datetime
    instructions: dict[str, Any]
    status: str = "pending"
    settled_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)
    acquirer: str = ""

    def move(self, status: str, now: datetime) -> None:
        """Change state.

        Raises IllegalTransition when Midtrans would not.
        """
        if status not in LEGAL_NEXT.get(self.status, frozenset()):
            raise IllegalTransition(f"{self.order_id} is {self.status}, not {status}")
        self.status = status
        if status in ("settlement", "capture"):
            self.settled_at = now

    @property
    def refunded(self) -> int:
        """Total refunded so far, in rupiah."""
        return sum(refund.amount for refund in self.refunds)


@dataclass
class SnapOrder:
    """A hosted-page order: no transaction until the customer picks a method."""

    order_id: str
    token: str
    gross_amount: int
    request: dict[str, Any]


class Ledger:
    """Transactions by order and transaction id, the oldest dropped past TRANSACTIONS_MAX."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._by_order: OrderedDict[str, Transaction] = OrderedDict()
        self._order_of: dict[str, str] = {}
        self.snap: OrderedDict[str, SnapOrder] = OrderedDict()

    def find(self, order_or_transaction_id: str) -> Transaction | None:
        """Find by either id, as Midtrans' paths allow."""
        order_id = self._order_of.get(order_or_transaction_id, order_or_transaction_id)
        return self._by_order.get(order_id)

    def knows(self, order_id: str) -> bool:
        """Tell whether the order id has been used."""
        return order_id in self._by_order or order_id in self.snap

    def add(self, transaction: Transaction) -> None:
        """Store a new transaction."""
        self._by_order[transaction.order_id] = transaction
        self._order_of[transaction.transaction_id] = transaction.order_id
        if len(self._by_order) > TRANSACTIONS_MAX:
            _, oldest = self._by_order.popitem(last=False)
            del self._order_of[oldest.transaction_id]

    def add_snap(self, order: SnapOrder) -> None:
        """Store a hosted-page order."""
        self.snap[order.order_id] = order
        if len(self.snap) > TRANSACTIONS_MAX:
            self.snap.popitem(last=False)

    def is_due(self, transaction: Transaction) -> bool:
        """Tell whether a pending transaction has outlived its payment window."""
        return transaction.status == "pending" and self._now() >= transaction.expires_at

    def listing(self) -> list[Transaction]:
        """All transactions, oldest first."""
        return list(self._by_order.values())

    def clear(self) -> None:
        """Forget everything."""
        self._by_order.clear()
        self._order_of.clear()
        self.snap.clear()


def open_transaction(
    *,
    order_id: str,
    gross_amount: int,
    payment_type: str,
    now: datetime,
    lifetime: timedelta,
    instructions: dict[str, Any],
    acquirer: str = "",
) -> Transaction:
    """Make a pending transaction with an id of its own."""
    return Transaction(
        order_id=order_id,
        transaction_id=str(uuid.uuid4()),
        gross_amount=gross_amount,
        payment_type=payment_type,
        created_at=now,
        expires_at=now + lifetime,
        instructions=instructions,
        acquirer=acquirer,
    )


def draw_digits(seed: str, count: int) -> str:
    """Draw a payment number: the same order always gets the same digits."""
    return "".join(random.Random(seed).choices("0123456789", k=count))  # noqa: S311 not a secret
