"""Messages of data_bridge: ticks in batches, bars. Prices are int points (price x 10^digits)."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field, model_validator

from contracts.envelope import Contract, Event, UtcDatetime
from contracts.tick_packing import TEXT_MAX, TICKS_MAX, Ticks, unpack_ticks

Timeframe = Literal["M1", "M5", "M15", "M30", "H1", "H4", "D1"]
TickRejection = Literal[
    "crossed",
    "zero",
    "not_a_number",
    "stale",
    "duplicate",
    "out_of_order",
    "unknown_symbol",
    "price_jump",
]
TIMEFRAME_SECONDS: dict[str, int] = {
    "M1": 60,
    "M5": 300,
    "M15": 900,
    "M30": 1_800,
    "H1": 3_600,
    "H4": 14_400,
    "D1": 86_400,
}
MAX_TICKS_A_BATCH = TICKS_MAX
MAX_HISTORY_BARS = 256


class TickBatch(Event):
    """Ticks of one symbol in the order they came, straight to the market-data queue.

    ``sequence`` counts a stream's batches without gaps; ``first_index`` is the stream's running
    number of the first accepted tick, so (stream, symbol, index) names a tick for ever.
    The ticks are either in the three columns or, shorter, in ``packed`` (see tick_packing.py);
    ``columns()`` gives them from where they are. ``read`` is accepted plus rejected.
    """

    service: ClassVar[str] = "data_bridge"
    stream: str = Field(max_length=80)
    sequence: int = Field(ge=0)
    symbol: str = Field(max_length=29)
    digits: int = Field(ge=0, le=8)
    first_index: int = Field(ge=0)
    ts_ns: tuple[int, ...] = Field(max_length=MAX_TICKS_A_BATCH)
    bid: tuple[int, ...] = Field(max_length=MAX_TICKS_A_BATCH)
    ask: tuple[int, ...] = Field(max_length=MAX_TICKS_A_BATCH)
    read: int = Field(ge=0)
    rejected: dict[TickRejection, int]
    packed: str | None = Field(default=None, max_length=TEXT_MAX)

    @model_validator(mode="after")
    def _columns_agree(self) -> "TickBatch":
        if not len(self.ts_ns) == len(self.bid) == len(self.ask):
            raise ValueError("ts_ns, bid and ask must have the same length")
        if self.packed is not None and self.ts_ns:
            raise ValueError("packed ticks stand instead of the columns, not beside them")
        if self.read != len(self.columns().bid) + sum(self.rejected.values()):
            raise ValueError("read must equal accepted plus rejected")
        return self

    def columns(self) -> Ticks:
        """The ticks, wherever they are. Raises PackedTicksUnreadable."""
        if self.packed is not None:
            return unpack_ticks(self.packed)
        return Ticks(list(self.ts_ns), list(self.bid), list(self.ask))

    @property
    def accepted(self) -> int:
        """How many ticks it holds."""
        return self.read - sum(self.rejected.values())


class Bar(Contract):
    """Open, high, low, close of bids in points; the mean spread; how many ticks."""

    open_ns: int
    open: int
    high: int
    low: int
    close: int
    spread: int = Field(ge=0)
    ticks: int = Field(ge=1)


class BarClosed(Event):
    """A bar is complete. ``history`` holds the bars before it, oldest first, so that a decision
    needs nothing but this message and can be replayed from it."""

    service: ClassVar[str] = "data_bridge"
    stream: str = Field(max_length=80)
    bar_id: UUID
    symbol: str = Field(max_length=29)
    digits: int = Field(ge=0, le=8)
    timeframe: Timeframe
    bar: Bar
    closed_at: UtcDatetime
    """Market time: the end of the bar."""
    history: tuple[Bar, ...] = Field(max_length=MAX_HISTORY_BARS)


class TickGapDetected(Event):
    """Ticks are missing; ``backfilled`` says how many the terminal gave afterwards."""

    service: ClassVar[str] = "data_bridge"
    stream: str = Field(max_length=80)
    symbol: str = Field(max_length=29)
    from_at: UtcDatetime
    to_at: UtcDatetime
    backfilled: int = Field(ge=0)
    complete: bool
    """Whether the terminal answered; else the gap is asked for again."""


class OutboxFilling(Event):
    """The edge's disk queue nears its bound: the cloud takes less than comes in."""

    service: ClassVar[str] = "data_bridge"
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    bytes_max: int = Field(gt=0)
    alarm: bool
    """False: it has emptied again."""
    measured_at: UtcDatetime


class StreamUsageRecorded(Event):
    """What a tenant took from the stream in a window; (tenant, edge, window) names it."""

    service: ClassVar[str] = "data_bridge"
    edge: str = Field(max_length=80)
    window_start: UtcDatetime
    window_s: int = Field(ge=1)
    ticks: int = Field(ge=0)
    streams_max: int = Field(ge=0)
    """Most connections at once."""
    bytes: int = Field(ge=0)
