"""A numbered stream: its present state, and a ring of what changed last.

One thread at a time appends (the hub's lock sees to it); one other thread, the event loop's, reads
without a lock: a slot tells its own number, so a slot that was overwritten meanwhile is noticed.
That ring is also every client's outgoing queue: a client is only a position in it.
"""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from edge_bridge.stream.frames import frame

Channel = Literal["ticks", "bars", "orders", "positions", "account"]
PRIVATE: frozenset[Channel] = frozenset({"orders", "positions", "account"})
RING_ITEMS = 2_048
PRIVATE_RING_ITEMS = 1_024
FRAME_ITEMS_MAX = 256
FRAMES_KEPT = 64


@dataclass(frozen=True, slots=True)
class TopicName:
    """Names a stream; `tenant_id` is None for market data, which is the same for everybody."""

    channel: Channel
    tenant_id: UUID | None = None
    symbol: str | None = None
    timeframe: str | None = None

    def describe(self) -> dict[str, str]:
        """The name as its readers see it."""
        named = {"channel": self.channel, "symbol": self.symbol, "timeframe": self.timeframe}
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Item:
    """One change. Of several with the same key, only the last matters to a client behind."""

    seq: int
    key: str
    value: Any


class Overrun(Exception):
    """What was asked for has left the ring."""


@dataclass(eq=False, slots=True)
class Topic:
    """One stream of one epoch."""

    name: TopicName
    epoch: str
    digits: int | None = None
    size: int = RING_ITEMS
    head: int = 0
    """Number of the last item."""
    state: dict[str, Any] = field(default_factory=dict)
    """What a newcomer must know, by key."""
    _ring: list[Item | None] = field(default_factory=list)
    _frames: dict[tuple[int, int, bool], tuple[bytes, int]] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """What a reader must know to make sense of the items."""
        digits = {} if self.digits is None else {"digits": self.digits}
        return {**self.name.describe(), "epoch": self.epoch, **digits}

    def append(self, key: str, value: Any) -> None:
        """Add an item. The head moves last: a reader never sees a number without its item."""
        seq = self.head + 1
        item = Item(seq, key, value)
        if len(self._ring) < self.size:
            self._ring.append(item)
        else:
            self._ring[(seq - 1) % self.size] = item
        self.head = seq

    def holds(self, seq: int) -> bool:
        """Whether everything after a position is still here."""
        return 0 <= seq <= self.head <= seq + self.size

    def read(self, after: int, upto: int) -> list[Item]:
        """The items after a position, up to another. Raises Overrun."""
        items = [self._ring[seq % self.size] for seq in range(after, upto)]
        found = [item for seq, item in enumerate(items, after + 1) if item and item.seq == seq]
        if len(found) != upto - after:
            raise Overrun(self.name)
        return found

    def frame_items(self, after: int, upto: int) -> tuple[bytes, int]:
        """The items of a range as a frame, and how many; made once for all who ask."""
        return self._keep((after, upto, False), lambda: (self.read(after, upto), 0))

    def frame_latest(self, after: int, upto: int) -> tuple[bytes, int]:
        """Only the last item of each key of a range, told how many were left out."""
        return self._keep((after, upto, True), lambda: self._conflate(after, upto))

    def _conflate(self, after: int, upto: int) -> tuple[list[Item], int]:
        held = max(after, upto - self.size // 2)
        kept = {item.key: item for item in self.read(held, upto)}
        items = sorted(kept.values(), key=lambda item: item.seq)[-FRAME_ITEMS_MAX:]
        return items, upto - after - len(items)

    def _keep(self, key: tuple[int, int, bool], make: Any) -> tuple[bytes, int]:
        known = self._frames.get(key)
        if known is None:
            items, conflated = make()
            message = {"op": "delta", **self.name.describe(), "seq": key[1]}
            if conflated:
                message["conflated"] = conflated
            message["items"] = [item.value for item in items]
            known = frame(message), len(items)
            if len(self._frames) >= FRAMES_KEPT:
                self._frames.clear()
            self._frames[key] = known
        return known
