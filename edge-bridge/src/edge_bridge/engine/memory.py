"""What was answered already: by signal, so that a repetition is known and a bar is acted on once.

Bounded: when more is known than is kept, the oldest signals are forgotten whole.
"""

from collections import OrderedDict
from collections.abc import Iterator
from uuid import UUID

from edge_bridge.engine.models import Order

PAIRS_KEPT = 500_000
"""So many (signal, account), (signal, tenant) and (bar, tenant) pairs are remembered each."""
ENDED_KEPT = 20_000


class Pairs:
    """A value for each (first, second), grouped by the first."""

    __slots__ = ("_count", "_groups", "_kept")

    def __init__(self, kept: int = PAIRS_KEPT) -> None:
        self._groups: OrderedDict[UUID, dict[UUID, object]] = OrderedDict()
        self._count, self._kept = 0, kept

    def of(self, first: UUID) -> dict[UUID, object]:
        """The values of a first; empty when there are none. Not to be changed."""
        return self._groups.get(first, _NOTHING)

    def add(self, first: UUID, second: UUID, value: object) -> bool:
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

    def __iter__(self) -> Iterator[tuple[UUID, UUID, object]]:
        for first, group in self._groups.items():
            for second, value in group.items():
                yield first, second, value


_NOTHING: dict[UUID, object] = {}


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
