"""What the engine needs from its surroundings, as narrow Protocols."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.envelope import Envelope
from contracts.trading_engine import AccountLinked
from edge_bridge.engine.models import Order
from edge_bridge.ports import Books, Deal, Position, StorageFull, Terminal

__all__ = [
    "BusinessClock",
    "EngineJournal",
    "OpenTerminal",
    "Reconcile",
    "Record",
    "Settlement",
    "StorageFull",
]

Record = tuple[str, str, str | None]
"""One remembered value: kind, key and value; None forgets it."""


class EngineJournal(Protocol):
    """Makes a step durable: its events and records, all or nothing. Raises StorageFull."""

    def write(
        self,
        *,
        events: Sequence[Envelope] = (),
        records: Iterable[Record] = (),
        done: Sequence[UUID] = (),
        quiet: bool = False,
    ) -> None:
        """Write a step; a quiet one wakes nobody, and of records alone it is an intention: cheap,
        and durable before an order leaves."""

    def load(self, kind: str) -> dict[str, str]:
        """Read the records of a kind by key."""


class BusinessClock(Protocol):
    """Tells business time."""

    def now(self) -> datetime:
        """The current instant in UTC."""


class OpenTerminal(Protocol):
    """Makes the terminal of an account; None when this edge has none for it."""

    def __call__(self, account: AccountLinked) -> Terminal | None:
        """Open nothing yet: the engine connects."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the broker's books say about an account."""

    filled: dict[UUID, Deal] = field(default_factory=dict)
    """Orders whose opening deals were found, with the deals summed up."""
    absent: frozenset[UUID] = frozenset()
    """Orders that the broker does not know, after it had time enough to tell."""
    open_orders: frozenset[UUID] = frozenset()
    """Orders whose outcome is still open."""
    external: tuple[Position, ...] = ()
    """Positions that no order of ours opened."""


class Reconcile(Protocol):
    """Compares an account's orders with its broker. Raises TerminalUnavailable."""

    def __call__(self, terminal: Books, orders: Sequence[Order], now: datetime) -> Settlement:
        """Judge every order of the account that is not over, and every position."""
