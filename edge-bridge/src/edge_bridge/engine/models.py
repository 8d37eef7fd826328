"""What the engine remembers of an order, from the intention to the flat position.

Plain dataclasses, because one is made and written while a signal waits to become an order.
"""

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from contracts.ai_orchestration import Direction, SignalIssued
from contracts.envelope import Contract
from contracts.ids import NAMESPACE
from contracts.trading_reasons import CloseReason, DenialReason
from edge_bridge.ports import Position, quick

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


_ORDER_IDS = hashlib.sha1(NAMESPACE.bytes + b"order\x1f", usedforsecurity=False)
_UUID5_CLEAR = ~(0xF << 76 | 0b11 << 62) & 2**128 - 1
_UUID5_MARK = 5 << 76 | 0b10 << 62


class IllegalTransition(Exception):
    """An order cannot go from this state to that one."""


@quick
@dataclass(frozen=True, slots=True)
class Cause:
    """The message that led to an order: its later events are linked to it, after a restart too."""

    event_id: UUID
    correlation_id: UUID


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One signal on one account: denied, or an order with a magic of its own."""

    key: str
    """Names the outcome: there is one a signal and account."""
    order_id: UUID
    tenant_id: UUID
    account_id: UUID
    signal_id: UUID
    bar_id: UUID
    symbol: str
    digits: int
    direction: Direction
    state: OrderState
    cause: Cause
    decided_ns: int
    """Market time of the decision."""
    decided_at: datetime
    visible_ns: int
    """Market time from which the tenant may see the signal."""
    delivered_day: str | None
    """The tenant's local day that the prediction counts for; None when it was not delivered."""
    exit_ns: int
    """Market time at which the position is closed if nothing else closed it."""
    predicted: bool = False
    """Whether the prediction was reported; the intention is written before it."""
    denial: DenialReason | None = None
    volume: int = 0
    stop_loss: int = 0
    take_profit: int = 0
    magic: int = 0
    order_path_us: float = 0.0
    position: int = 0
    deal: int = 0
    price_open: int = 0
    opened_ns: int = 0
    exit_reason: CloseReason | None = None
    """Why we sent the close; written before it is sent."""
    retcode: int = 0
    reason: str = ""
    unknown_at: datetime | None = None
    """Business time from which the outcome was open."""
    reduced: int = 0
    """Volume that was closed while the rest stayed open."""
    reduced_deal: int = 0
    """The newest deal that is in it."""
    part_sent: bool = False
    """Whether the planned partial close left; it leaves once."""
    asked_stop: int = 0
    """The stop that we asked for last, and why: known after a restart too."""
    asked_reason: Literal["trailing", "break_even"] | None = None
    moved_ns: int = 0
    """Market time at which the stops were last seen to have changed."""

    @property
    def volume_left(self) -> int:
        """Volume that is still open, as far as it was reported."""
        return self.volume - self.reduced

    def move(self, state: OrderState, **facts: Any) -> "Order":
        """The order in its next state. Raises IllegalTransition."""
        if state not in _NEXT[self.state]:
            raise IllegalTransition(f"{self.order_id}: {self.state} -> {state}")
        return self.change(state=state, **facts)

    def change(self, **facts: Any) -> "Order":
        """The order with other facts: `dataclasses.replace`, in a third of its time."""
        known = dict(zip(_FIELDS, _read_fields(self), strict=True))
        return Order(**(known | facts))

    def as_position(self) -> Position:
        """The position that a filled order opened, as far as its answer told."""
        return Position(
            ticket=self.position, identifier=self.position, symbol=self.symbol,
            side=self.direction, volume=self.volume_left, price_open=self.price_open,
            stop_loss=self.stop_loss, take_profit=self.take_profit, time_ns=self.opened_ns,
            magic=self.magic, comment="", profit=0, swap=0,
        )  # fmt: skip

    @property
    def record(self) -> tuple[str, str, str]:
        """The order as a record of the journal."""
        return "order", self.key, write_value(self)


_FIELDS = tuple(each.name for each in fields(Order))
_read_fields = attrgetter(*_FIELDS)


@quick
@dataclass(frozen=True, slots=True)
class Delivery:
    """A signal for a tenant, at once or later because of its tier."""

    tenant_id: UUID
    signal: SignalIssued
    cause: Cause
    due_ns: int

    @property
    def key(self) -> str:
        """Names the delivery."""
        return f"{self.signal.signal_id}/{self.tenant_id}"


_T = TypeVar("_T", Order, Delivery)
_READERS: dict[type[Any], TypeAdapter[Any]] = {
    Order: TypeAdapter(Order),
    Delivery: TypeAdapter(Delivery),
}


def write_value(value: Order | Delivery) -> str:
    """Write a remembered value as JSON."""
    return orjson.dumps(value, default=_dump_contract).decode()


def read_value(kind: type[_T], text: str) -> _T:
    """Read a remembered value; every field is checked."""
    value: _T = _READERS[kind].validate_json(text)
    return value


def _dump_contract(value: object) -> object:
    if isinstance(value, Contract):
        return value.model_dump(mode="json")
    raise TypeError(type(value).__name__)


def derive_order_id(key: str) -> UUID:
    """`derived_id("order", key)`, with the part that never changes worked out once."""
    hashed = _ORDER_IDS.copy()
    hashed.update(key.encode())
    number = int.from_bytes(hashed.digest()[:16], "big")
    return UUID(int=number & _UUID5_CLEAR | _UUID5_MARK)


def name_order(signal: str, account_id: UUID) -> tuple[str, UUID, int]:
    """The outcome's key, the order's id and its magic: the same whenever they are asked for."""
    key = f"{signal}/{account_id}"
    order_id = derive_order_id(key)
    return key, order_id, order_id.int % (MAGIC_MAX - 1) + 1
