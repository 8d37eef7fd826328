"""What a symbol's stream gives out, and the batch that it fills until then."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.data_bridge import TickRejection
from edge_bridge.bridge.bars import ClosedMinute
from edge_bridge.values import Bar, Timeframe


class Batch(NamedTuple):
    """Accepted ticks that belong together, packed, and how many were read to get them."""

    first_index: int
    ticks: int
    packed: str | None
    rejected: dict[TickRejection, int]


class HigherBar(NamedTuple):
    """A bar above the minute that is over."""

    timeframe: Timeframe
    bar: Bar


Output = Batch | ClosedMinute | HigherBar


@dataclass(slots=True)
class Filling:
    """The batch being filled."""

    first_index: int
    ts_ns: "array[int]" = field(default_factory=lambda: array("q"))
    bid: "array[int]" = field(default_factory=lambda: array("q"))
    ask: "array[int]" = field(default_factory=lambda: array("q"))
    rejected: Counter[TickRejection] = field(default_factory=Counter)
