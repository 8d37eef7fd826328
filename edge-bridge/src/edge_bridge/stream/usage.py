"""What each tenant took from the stream, minute by minute, as events that can be sent twice.

A record's id comes from the edge, the tenant and the window, so the reader knows a copy. A window
that a restart cuts in two counts only the part that was told first: to the tenant's advantage.
"""

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from contracts.data_bridge import StreamUsageRecorded
from contracts.envelope import Envelope
from contracts.ids import derived_id

WINDOW_S = 60
WINDOWS_KEPT = 60
"""How far the clock may jump with every window told."""
RECORDS_MAX = 100_000


class Tally:
    """What one round of writing came to, so that the meter is asked once and not for each client.

    Belongs to the server's loop.
    """

    def __init__(self) -> None:
        self.tenants: dict[UUID, list[int]] = {}
        """Ticks and bytes."""
        self.items: dict[str, int] = {}
        """Items by channel."""

    def add(self, tenant_id: UUID, size: int, channel: str, items: int) -> None:
        """Count a frame."""
        taken = self.tenants.get(tenant_id)
        if taken is None:
            taken = self.tenants[tenant_id] = [0, 0]
        taken[0] += items if channel == "ticks" else 0
        taken[1] += size
        self.items[channel] = self.items.get(channel, 0) + items


@dataclass(slots=True)
class _Taken:
    ticks: int = 0
    streams_max: int = 0
    bytes: int = 0


class UsageMeter:
    """Counts for the open window; closed ones wait to be taken."""

    def __init__(self, edge: str, now: datetime) -> None:
        self._edge = edge
        self._lock = threading.Lock()
        self._window = _window_of(now)
        self._open: dict[UUID, _Taken] = {}
        self._streams: dict[UUID, int] = {}
        self._closed: deque[tuple[int, UUID, _Taken]] = deque(maxlen=RECORDS_MAX)

    def count(self, tally: "Tally", now: datetime) -> None:
        """Count what was written to tenants in one round."""
        with self._lock:
            self._roll(now)
            for tenant_id, (ticks, size) in tally.tenants.items():
                taken = self._open.setdefault(tenant_id, _Taken())
                taken.ticks += ticks
                taken.bytes += size

    def count_streams(self, tenant_id: UUID, streams: int, now: datetime) -> None:
        """Tell how many connections a tenant has from now on."""
        with self._lock:
            self._roll(now)
            taken = self._open.setdefault(tenant_id, _Taken())
            taken.streams_max = max(taken.streams_max, streams)
            if streams:
                self._streams[tenant_id] = streams
            else:
                self._streams.pop(tenant_id, None)

    def take(self, now: datetime, final: bool = False) -> list[Envelope]:
        """Hand over the records of windows that are over, oldest first; at the end of the process
        (`final`) the open one too."""
        with self._lock:
            self._roll(now)
            if final:
                self._close(self._window)
                self._window += 1
            closed = list(self._closed)
            self._closed.clear()
        return [self._record(*each) for each in closed]

    def _roll(self, now: datetime) -> None:
        latest = _window_of(now)
        if latest > self._window + WINDOWS_KEPT:
            self._close(self._window)
            self._window = latest - WINDOWS_KEPT
        while self._window < latest:
            self._close(self._window)
            self._window += 1

    def _close(self, window: int) -> None:
        self._closed.extend((window, tenant_id, taken) for tenant_id, taken in self._open.items())
        self._open = {
            tenant_id: _Taken(streams_max=count) for tenant_id, count in self._streams.items()
        }

    def _record(self, window: int, tenant_id: UUID, taken: _Taken) -> Envelope:
        start = window * WINDOW_S
        record = StreamUsageRecorded(
            edge=self._edge,
            window_start=datetime.fromtimestamp(start, UTC),
            window_s=WINDOW_S,
            ticks=taken.ticks,
            streams_max=taken.streams_max,
            bytes=taken.bytes,
        )
        return Envelope.wrap(
            record,
            tenant_id=tenant_id,
            now=datetime.fromtimestamp(start + WINDOW_S, UTC),
            event_id=derived_id("stream_usage", self._edge, tenant_id, start),
        )


def _window_of(now: datetime) -> int:
    return int(now.timestamp()) // WINDOW_S
