"""What waits to be sent, measured and bounded: the disk queue may neither fill the disk nor lose.

The bound is kept by not taking ticks any more (the terminal keeps them, and the gap is filled
afterwards); a share of it is left to the bus, so that what became of an order always fits.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from contracts.data_bridge import OutboxFilling

Lane = Literal["bus", "market"]

_log = logging.getLogger(__name__)


class WrittenMessage(NamedTuple):
    """An envelope that is written already."""

    event_id: str
    source: str
    detail_type: str
    body: str


@dataclass(frozen=True, slots=True)
class OutboxBounds:
    """How much may wait, and at which shares of it something is done."""

    rows_max: int = 200_000
    bytes_max: int = 1_000_000_000
    alarm_share: float = 0.7
    cleared_share: float = 0.5
    ticks_share: float = 0.9
    """From here on no ticks are taken; the rest is the bus's, for orders."""
    resume_share: float = 0.8


class OutboxGauge:
    """Rows and bytes that wait, by lane; counted by the journal after each step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rows: dict[Lane, int] = {"bus": 0, "market": 0}
        self.bytes: dict[Lane, int] = {"bus": 0, "market": 0}

    def add(self, lane: Lane, rows: int, size: int) -> None:
        """Count messages that came to wait, or with negative numbers, that left."""
        with self._lock:
            self.rows[lane] += rows
            self.bytes[lane] += size


class OutboxGuard:
    """Watches one outbox: when to take no more ticks, and when to raise the alarm."""

    def __init__(self, gauge: OutboxGauge, bounds: OutboxBounds | None = None) -> None:
        self._gauge, self._bounds = gauge, bounds or OutboxBounds()
        self._alarmed = False
        self._closed = False

    @property
    def share(self) -> float:
        """How full it is: of the rows or of the bytes, whichever is more."""
        gauge, bounds = self._gauge, self._bounds
        return max(
            sum(gauge.rows.values()) / bounds.rows_max, sum(gauge.bytes.values()) / bounds.bytes_max
        )

    def takes_ticks(self) -> bool:
        """Whether ticks may be taken: not from the bound on until it has emptied somewhat."""
        bounds = self._bounds
        self._closed = self.share >= (bounds.resume_share if self._closed else bounds.ticks_share)
        return not self._closed

    def check(self, now: datetime) -> OutboxFilling | None:
        """The alarm to publish when the filling passes its mark, and when it has emptied again."""
        share, bounds, gauge = self.share, self._bounds, self._gauge
        mark = bounds.cleared_share if self._alarmed else bounds.alarm_share
        if self._alarmed == (share >= mark):
            return None
        self._alarmed = not self._alarmed
        rows, size = sum(gauge.rows.values()), sum(gauge.bytes.values())
        if self._alarmed:
            _log.error("outbox at %.0f %%: %d messages, %d bytes wait", share * 100, rows, size)
        else:
            _log.warning("outbox has emptied to %.0f %%", share * 100)
        return OutboxFilling(
            rows=rows, bytes=size, bytes_max=bounds.bytes_max, alarm=self._alarmed, measured_at=now
        )
