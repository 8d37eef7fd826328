"""The market's thread: prices through the bridge to disk, stream and simulated terminals.

It has a thread of its own, so that asking a terminal for missing ticks never holds up an order. The
engine reads the newest quotes from it and nothing else.
"""

import logging
import threading
import time
from collections.abc import Callable

from contracts.data_bridge import Bar as StreamBar
from edge_bridge.bridge.feed import LiveFeed
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.ticks import TickChunk
from edge_bridge.host.sources import MarketSource
from edge_bridge.metrics import EdgeMetrics
from edge_bridge.ports import Quote, TickColumns
from edge_bridge.stream.hub import Hub
from edge_bridge.values import Bar
from edge_bridge.workers.wire import Ticks

PUMP_S = 0.1
PAUSE_S = 0.002

_log = logging.getLogger(__name__)


class MarketLoop:
    """Reads a source, feeds everything that wants prices."""

    def __init__(
        self,
        source: MarketSource,
        way: tuple[MarketBridge, LiveFeed],
        digits: dict[str, int],
        outlets: tuple[Hub, EdgeMetrics],
        feed_paper: Callable[[Ticks], None],
    ) -> None:
        self._source, self._digits, self._feed_paper = source, digits, feed_paper
        self._bridge, self._feed = way
        self._hub, self._metrics = outlets
        self._rejected: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="market", daemon=True)
        self._was_up = True
        self.quotes: dict[str, Quote] = {}
        """The newest accepted quote of each symbol; read by the engine's thread."""
        self.failure: BaseException | None = None
        self._feed.on_accepted = self._pass_on

    def start(self) -> None:
        """Go on after an earlier process, and begin."""
        for symbol, digits in self._digits.items():
            self._hub.declare_symbol(symbol, digits)
        self._source.start(self._bridge.newest_ns())
        self._feed.start(self._source.now_ns())
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop after the piece at hand; what was taken is committed."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def now_ns(self) -> int:
        """The market's time."""
        return self._source.now_ns()

    def age_s(self) -> float | None:
        """How old the newest quote is; None before the first."""
        newest = max((each.time_ns for each in self.quotes.values()), default=0)
        return None if not newest else max(0.0, (self.now_ns() - newest) / 1e9)

    def _run(self) -> None:
        next_pump = 0.0
        try:
            while not self._stopping.is_set():
                moved = self.turn(pump=time.monotonic() >= next_pump)
                if time.monotonic() >= next_pump:
                    next_pump = time.monotonic() + PUMP_S
                if not moved:
                    self._stopping.wait(PAUSE_S)
            self._bridge.flush()
            self._feed.commit(self._source.now_ns())
        except BaseException as error:
            self.failure = error
            _log.exception("the market's thread ended")
            raise

    def turn(self, *, pump: bool) -> bool:
        """One look at the source; tell whether there was something."""
        now_ns = self._source.now_ns()
        self._watch_source(now_ns)
        chunks = self._source.read()
        for chunk in chunks:
            self._feed.take(chunk, now_ns)
        if pump:
            self._feed.pump(now_ns)
            self._publish_bars()
            self._count()
        return bool(chunks)

    def _watch_source(self, now_ns: int) -> None:
        is_up = self._source.is_up()
        if is_up != self._was_up:
            self._was_up = is_up
            (self._feed.note_reconnect if is_up else self._feed.note_disconnect)(now_ns)

    def _pass_on(self, chunk: TickChunk, first_seq: int) -> None:
        """Accepted ticks of one symbol, oldest first; `first_seq` numbers them for ever."""
        symbol, columns = (
            chunk.symbol,
            (chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()),
        )
        ts_ns, bid, ask = columns
        self.quotes[symbol] = Quote(symbol, bid[-1], ask[-1], ts_ns[-1])
        self._feed_paper(Ticks(symbol, first_seq, TickColumns(ts_ns, bid, ask)))
        self._hub.publish_ticks(symbol, self._digits.get(symbol, 0), ts_ns, bid, ask)
        self._metrics.ticks_accepted.add(len(ts_ns), symbol)

    def _publish_bars(self) -> None:
        for closed in self._bridge.take_bars():
            digits = self._digits.get(closed.symbol, 0)
            self._hub.publish_bar(
                closed.symbol, digits, closed.timeframe, _show_bar(closed.bar), closed=True
            )
        for symbol, digits in self._digits.items():
            for timeframe, bar in self._bridge.forming_bars(symbol).items():
                self._hub.publish_bar(symbol, digits, timeframe, _show_bar(bar), closed=False)

    def _count(self) -> None:
        _, _, rejected = self._bridge.count_ticks()
        for reason, count in rejected.items():
            fresh = count - self._rejected.get(reason, 0)
            if fresh > 0:
                self._metrics.ticks_rejected.add(fresh, reason)
        self._rejected = dict(rejected)


def _show_bar(bar: Bar) -> StreamBar:
    return StreamBar(
        open_ns=bar.time_ns, open=bar.open, high=bar.high, low=bar.low, close=bar.close,
        spread=bar.spread, ticks=bar.tick_volume,
    )  # fmt: skip
