"""The market for simulated terminals: encoded once, read by each worker at its own pace.

The newest frames are kept within a bound, so that a worker which starts again goes on where its
predecessor was. One that falls behind the oldest frame kept has missed ticks, and they are counted.
"""

import threading
from dataclasses import dataclass

from edge_bridge.values import TickColumns
from edge_bridge.workers.channel import Channel
from edge_bridge.workers.wire import Kind, Ticks, cut_ticks, pack_ticks

BYTES_MAX = 16 * 1024 * 1024
PUMP_FRAMES_MAX = 32


class MarketRing:
    """The newest market frames, numbered from 1. Ticks may come from any thread."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._frames: dict[int, bytes] = {}
        self._bytes = 0
        self._last: dict[str, tuple[int, Ticks]] = {}
        self.first = 1
        self.next = 1

    def append(self, ticks: Ticks) -> None:
        """Take ticks of one symbol."""
        for part in cut_ticks(ticks):
            self._append(part)

    def _append(self, part: Ticks) -> None:
        with self._lock:
            frame = pack_ticks(Kind.MARKET, self.next, part)
            self._frames[self.next] = frame
            self._bytes += len(frame)
            self.next += 1
            while self._bytes > self._bytes_max and self.first < self.next - 1:
                self._bytes -= len(self._frames.pop(self.first))
                self.first += 1
            columns = part.columns
            place = len(columns.ts_ns) - 1
            last = TickColumns(columns.ts_ns[-1:], columns.bid[-1:], columns.ask[-1:])
            ticks = Ticks(part.symbol, part.first_seq + place, last)
            self._last[part.symbol] = (self.next - 1, ticks)

    def get(self, number: int) -> bytes | None:
        """A frame, if it is kept."""
        with self._lock:
            return self._frames.get(number)

    def resume(self, seen: int | None) -> tuple[int, list[bytes]]:
        """Where a terminal goes on that has seen the frames up to `seen`; None: a new one begins at
        the present. Also the last tick of every symbol that has none to come: its price of now.
        """
        with self._lock:
            last_seen = self.next - 1 if seen is None else seen
            frames = [
                pack_ticks(Kind.MARKET, last_seen, ticks)
                for number, ticks in self._last.values()
                if number <= last_seen
            ]
            return last_seen + 1, frames


@dataclass(slots=True)
class MarketReader:
    """How far one worker has read the ring."""

    ring: MarketRing
    number: int
    """The next frame to send."""
    missed: int = 0
    """Frames that were gone before they could be sent."""

    @property
    def is_caught_up(self) -> bool:
        """Whether everything was sent."""
        return self.number >= self.ring.next

    def pump(self, channel: Channel) -> None:
        """Send frames while the connection takes them at once."""
        for _ in range(PUMP_FRAMES_MAX):
            if self.is_caught_up or not channel.is_clear:
                return
            frame = self.ring.get(self.number)
            if frame is None:
                first = self.ring.first
                self.missed += first - self.number
                self.number = first
            elif channel.offer(frame) is None:
                return
            else:
                self.number += 1


@dataclass(frozen=True, slots=True)
class FeedTicks:
    """Ticks that a feed read from its terminal, in the order they came."""

    account_id: str
    symbol: str
    columns: TickColumns


class TickShelf:
    """Ticks of the feeds until the host takes them.

    A worker sends no more than it has credit for, and gets credit back for what was taken: so the
    shelf is bounded, and what does not fit stays in the terminal.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[FeedTicks] = []
        self._rows: dict[str, int] = {}

    def put(self, ticks: FeedTicks) -> int:
        """Take ticks; tell how many of this account wait now."""
        with self._lock:
            self._waiting.append(ticks)
            rows = self._rows.get(ticks.account_id, 0) + len(ticks.columns.ts_ns)
            self._rows[ticks.account_id] = rows
            return rows

    def count(self, account_id: str) -> int:
        """How many ticks of an account wait."""
        with self._lock:
            return self._rows.get(account_id, 0)

    def take(self) -> list[FeedTicks]:
        """Give all."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._rows.clear()
            return waiting
