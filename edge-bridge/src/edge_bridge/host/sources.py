"""Where live prices come from: the platform's own terminal in a worker, or a recording.

A source gives what is new since the last time it was asked, keeps its history for gaps, and tells
the market's time. Nothing here waits.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from contracts.ids import derived_id
from edge_bridge.bridge.recording import open_recording
from edge_bridge.bridge.symbols import SymbolMap
from edge_bridge.bridge.ticks import TickChunk, make_chunk
from edge_bridge.errors import ConfigurationUnusable
from edge_bridge.host.config import Market
from edge_bridge.ports import TickColumns
from edge_bridge.times import WallClock, nanoseconds
from edge_bridge.workers.messages import Opening
from edge_bridge.workers.plan import WorkerSpec
from edge_bridge.workers.supervisor import Supervisor

CHUNK_TICKS = 4_096
FEED_ROOM = derived_id("edge", "market")
"""Stands for a tenant where the market's own terminal is served."""
FROM_CONFIGURATION = "configuration"
"""Stands for a ciphertext where the host itself knows the password."""


class MarketSource(Protocol):
    """Prices of several symbols."""

    def start(self, resume_ns: int) -> None:
        """Begin, or go on after the newest time that an earlier process read (0: none)."""

    def read(self) -> list[TickChunk]:
        """What is new, under the broker's names."""

    def now_ns(self) -> int:
        """The market's time."""

    def is_up(self) -> bool:
        """Whether prices can come."""

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Kept ticks, under the broker's name. Raises TerminalUnavailable."""


class RecordingSource:
    """A file of one symbol, played at some times the pace of life."""

    def __init__(self, market: Market, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raise ConfigurationUnusable when the market names more than the file has."""
        path: Path | None = market.recording
        if path is None or len(market.symbols) != 1:
            raise ConfigurationUnusable("market: a recording holds one symbol; name that one")
        self.recording = open_recording(path, market.symbols[0])
        self._ts = np.maximum.accumulate(self.recording.chunk.ts_ns)
        self._speed, self._monotonic = market.speed, monotonic
        self._began_s: float | None = None
        self._began_ns = int(self._ts[0]) if len(self._ts) else 0
        self._place = 0

    def start(self, resume_ns: int) -> None:
        """Let time run from the recording's beginning, or from where it was."""
        self._began_s = self._monotonic()
        self._began_ns = max(self._began_ns, resume_ns)
        self._place = int(np.searchsorted(self._ts, resume_ns, side="right"))

    def now_ns(self) -> int:
        """The recording's time now; it stands still before the start and at the end."""
        if self._began_s is None:
            return self._began_ns
        passed = (self._monotonic() - self._began_s) * self._speed
        end_ns = int(self._ts[-1]) if len(self._ts) else 0
        return min(self._began_ns + int(passed * 1e9), end_ns)

    def read(self) -> list[TickChunk]:
        """The ticks whose time has come, a bounded piece of them."""
        stop = int(np.searchsorted(self._ts, self.now_ns(), side="right"))
        stop = min(stop, self._place + CHUNK_TICKS)
        if stop <= self._place:
            return []
        part = self.recording.chunk.part(self._place, stop)
        self._place = stop
        return [part]

    @property
    def has_ended(self) -> bool:
        """Whether everything was given."""
        return self._place >= len(self._ts)

    def is_up(self) -> bool:
        """A file is always there."""
        return True

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Ticks of the file that were given already, or could have been."""
        del symbol  # there is one
        chunk, until_ns = self.recording.chunk, min(to_ns, self.now_ns() + 1)
        first, last = (int(np.searchsorted(self._ts, each)) for each in (from_ns, until_ns))
        part = chunk.part(first, max(first, last))
        return TickColumns(part.ts_ns.tolist(), part.bid.tolist(), part.ask.tolist())


class TerminalSource:
    """The market's own terminal: a worker like any other, with the feed's role.

    The market's time is the machine's, once it is known to be right, so that quotes grow old when
    the terminal falls silent; and never before the newest tick.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        market: Market,
        terminals: Path,
        clock: WallClock,
        trusts_clock: Callable[[], bool],
    ) -> None:
        names = SymbolMap(market.names, market.symbol_suffix)
        self._broker = {each: names.to_broker(each) or each for each in market.symbols}
        self._supervisor, self._clock, self._trusts_clock = supervisor, clock, trusts_clock
        self._account_id = derived_id("market", market.server, market.login)
        self._newest_ns = 0
        opening = Opening(
            account_id=str(self._account_id), mode="live", login=market.login,
            server=market.server, path=str(terminals / "market" / "terminal64.exe"),
            symbols=tuple((name, 0) for name in self._broker.values()),
            feed=tuple(self._broker.values()), broker_zone=market.zone,
            broker_ahead_hours=market.ahead_hours, feed_ms=market.poll_ms,
        )  # fmt: skip
        self._spec = WorkerSpec(FEED_ROOM, self._account_id, 1, opening, FROM_CONFIGURATION)
        self.password = market.password

    def start(self, resume_ns: int) -> None:
        """Have the terminal opened; what came meanwhile is asked for as a gap."""
        self._newest_ns = resume_ns
        self._terminal = self._supervisor.add(self._spec)

    def now_ns(self) -> int:
        """The market's time."""
        wall_ns = nanoseconds(self._clock.now()) if self._trusts_clock() else 0
        return max(self._newest_ns, wall_ns)

    def read(self) -> list[TickChunk]:
        """What the worker read since."""
        chunks = []
        for found in self._supervisor.take_ticks():
            columns = found.columns
            chunks.append(make_chunk(found.symbol, columns.ts_ns, columns.bid, columns.ask))
            self._newest_ns = max(self._newest_ns, columns.ts_ns[-1])
        return chunks

    def is_up(self) -> bool:
        """Whether the worker is connected."""
        reports = self._supervisor.report()
        return any(
            each.account_id == self._account_id and each.health == "connected" for each in reports
        )

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Ask the terminal's history."""
        return self._terminal.ticks_between(symbol, from_ns, to_ns)
