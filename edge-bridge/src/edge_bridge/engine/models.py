"""What the engine remembers of an order, from the intention to the flat position."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from contracts.ai_orchestration import Direction, SignalIssued
from contracts.envelope import Contract, Meta
from contracts.ids import derived_id
from contracts.trading_engine import CloseReason, DenialReason

OrderState = Literal["intended", "unknown", "filled", "closed", "rejected", "denied"]
_NEXT: dict[OrderState, frozenset[OrderState]] = {
    "intended": frozenset({"filled", "rejected", "unknown"}),
    "unknown": frozenset({"filled", "rejected"}),
    "filled": frozenset({"closed"}),
    "closed": frozenset(),
    "rejected": frozenset(),
    "denied": frozenset(),
}
MAGIC_MAX = 2**53
"""Magics survive a terminal that passes them through a double."""


class IllegalTransition(Exception):
    """An order cannot go from this state to that one."""


class Order(Contract):
    """One signal on one account: denied, or an order with a magic of its own."""

    order_id: UUID
    tenant_id: UUID
    account_id: UUID
    signal_id: UUID
    bar_id: UUID
    symbol: str
    digits: int
    direction: Direction
    state: OrderState
    cause: Meta
    """Meta of the signal: later events are linked to it, after a restart too."""
    decided_ns: int
    """Market time of the decision."""
    decided_at: datetime
    delivered_day: str | None = None
    """The tenant's local day that the prediction counts for; None when it was not delivered."""
    denial: DenialReason | None = None
    volume: int = 0
    stop_loss: int = 0
    take_profit: int = 0
    magic: int = 0
    exit_ns: int = 0
    """Market time at which the position is closed if nothing else closed it."""
    order_path_us: float = 0.0
    position: int = 0
    deal: int = 0
    price_open: int = 0
    opened_ns: int = 0
    exit_reason: CloseReason | None = None
    """Why we sent the close; written before it is sent."""
    retcode: int = 0
    reason: str = ""

    @property
    def key(self) -> str:
        """Names the outcome: there is one a signal and account."""
        return order_key(self.signal_id, self.account_id)

    def move(self, state: OrderState, **facts: object) -> Self:
        """The order in its next state. Raises IllegalTransition."""
        if state not in _NEXT[self.state]:
            raise IllegalTransition(f"{self.order_id}: {self.state} -> {state}")
        return self.model_copy(update={"state": state, **facts})


def order_key(signal_id: UUID, account_id: UUID) -> str:
    """Name of the outcome of a signal on an account."""
    return f"{signal_id}/{account_id}"


def name_order(signal: SignalIssued, account_id: UUID) -> tuple[UUID, int]:
    """The order's id and magic: always the same for a signal and account."""
    order_id = derived_id("order", signal.signal_id, account_id)
    return order_id, order_id.int % (MAGIC_MAX - 1) + 1


class Delivery(Contract):
    """A signal that a tenant gets later, because of its tier."""

    tenant_id: UUID
    signal: SignalIssued
    cause: Meta
    due_ns: int
    visible_at: datetime

    @property
    def key(self) -> str:
        """Names the delivery."""
        return f"{self.signal.signal_id}/{self.tenant_id}"
