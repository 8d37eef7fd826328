"""What was answered already: by signal, so that a repetition is known and a bar is acted on once.

Bounded: when more is known than is kept, the oldest signals are forgotten whole.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from edge_bridge.engine.models import Order

_T = TypeVar("_T")
PAIRS_KEPT = 500_000
"""So many (signal, account), (signal, tenant) and (bar, tenant) pairs are remembered each."""
ENDED_KEPT = 20_000


class Outcome(NamedTuple):
    """What is remembered of a signal on an account."""

    decided_at: datetime
    bar_id: UUID
    tenant_id: UUID
    made: bool
    """Whether an order left."""


class Pairs(Generic[_T]):
    """A value for each (first, second), grouped by the first."""

    __slots__ = ("_count", "_groups", "_kept")

    def __init__(self, kept: int = PAIRS_KEPT) -> None:
        self._groups: OrderedDict[UUID, dict[UUID, _T]] = OrderedDict()
        self._count, self._kept = 0, kept

    def __len__(self) -> int:
        return self._count

    def of(self, first: UUID) -> Mapping[UUID, _T]:
        """The values of a first; empty when there are none."""
        return self._groups.get(first, {})

    def add(self, first: UUID, second: UUID, value: _T) -> bool:
        """Keep a value unless there is one; tell whether it was new."""
        group = self._groups.get(first)
        if group is None:
            group = self._groups[first] = {}
        if second in group:
            return False
        group[second] = value
        self._count += 1
        while self._count > self._kept and len(self._groups) > 1:
            self._count -= len(self._groups.popitem(last=False)[1])
        return True

    def groups(self) -> Iterable[tuple[UUID, Mapping[UUID, _T]]]:
        """Every first with its values, oldest first; not to be changed meanwhile."""
        return self._groups.items()

    def peek(self) -> _T | None:
        """The oldest value; None when nothing is known."""
        return next((next(iter(group.values())) for group in self._groups.values()), None)

    def drop(self, first: UUID) -> Mapping[UUID, _T]:
        """Forget a first; its values."""
        group = self._groups.pop(first, {})
        self._count -= len(group)
        return group

    def discard(self, first: UUID, second: UUID) -> None:
        """Forget one value."""
        group = self._groups.get(first, {})
        if group.pop(second, None) is not None:
            self._count -= 1
        if not group:
            self._groups.pop(first, None)

    def __iter__(self) -> Iterator[tuple[UUID, UUID, _T]]:
        for first, group in self._groups.items():
            for second, value in group.items():
                yield first, second, value


class EndedOrders:
    """Orders that were told not to be executed, by account and magic, the newest kept."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UUID, int], UUID] = OrderedDict()

    def note(self, order: Order) -> None:
        """An order is over without a fill."""
        if order.magic:
            self._known[(order.account_id, order.magic)] = order.order_id
            if len(self._known) > ENDED_KEPT:
                self._known.popitem(last=False)

    def find(self, account_id: UUID, magic: int) -> UUID | None:
        """The order under a magic on an account, if it was told not to be executed."""
        return self._known.get((account_id, magic))
