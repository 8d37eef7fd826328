"""One run of the edge over a recording: wire the parts, play, drain, sum up.

The wiring is what a live edge needs too: a source feeds the bridge, the bridge writes the journal,
the publisher empties it, the inbox feeds the engine, the engine owns the terminals.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from contracts.ids import uuid7
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.recording import open_recording
from edge_bridge.engine.engine import Engine
from edge_bridge.engine.timing import Timing
from edge_bridge.errors import AccountsMissing, OutboxStuck, StateMismatch
from edge_bridge.floor import PaperFloor
from edge_bridge.link.aws import EdgeQueue, EventBus, MarketQueue
from edge_bridge.link.inbox import Inbox
from edge_bridge.link.journal import Journal
from edge_bridge.link.publisher import Publisher
from edge_bridge.reconcile import Reconciler
from edge_bridge.replay import Pace, Replay
from edge_bridge.settings import EdgeSettings
from edge_bridge.summary import ProgressFile, make_summary, show_time, write_whole
from edge_bridge.times import SystemClock

COMPLETED: Final = "completed"
STOPPED: Final = "stopped"
IDLE_S = 1.0
"""The edge queue is idle when it is empty and nothing came for so long."""
SLICE_S = 0.1
RECENT_MESSAGES = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    recording: Path
    symbol: str
    state: Path
    start_ns: int | None = None
    end_ns: int | None = None
    pace: Pace = "decisions"
    progress: Path | None = None
    accounts: int = 0
    accounts_wait_s: float = 60.0
    stream: str | None = None


def make_timing(settings: EdgeSettings) -> Timing:
    """The engine's waits and periods."""
    return Timing(
        answer_wait=timedelta(seconds=settings.order_answer_wait_s),
        reconcile_every=timedelta(seconds=settings.reconcile_every_s),
        missing_grace=timedelta(seconds=settings.unknown_grace_s),
        monotonic=time.monotonic,
        sla_limits={
            "decision_to_order_us": settings.sla_decision_to_order_us,
            "order_round_trip_us": settings.sla_order_round_trip_us,
            "tick_age_ms": settings.sla_tick_age_ms,
        },
    )


class ReplaySession:
    """A run of the edge over a recording."""

    def __init__(
        self, options: Options, settings: EdgeSettings, should_stop: Callable[[], bool]
    ) -> None:
        self._options, self._settings = options, settings
        self._should_stop = should_stop
        options.state.mkdir(parents=True, exist_ok=True)
        clock = SystemClock()
        recording = open_recording(
            options.recording, options.symbol, options.start_ns, options.end_ns
        )
        self._journal = Journal(options.state / "edge.db")
        name = options.stream or f"replay-{options.symbol}-{uuid7().hex[-8:]}"
        self._bridge = MarketBridge(name, {options.symbol: recording.digits}, self._journal, clock)
        self._check_state(len(recording.chunk))
        last = self._bridge.cursor.get("last")
        self._floor = PaperFloor(
            options.state / "paper", options.symbol, recording.digits, tuple(last) if last else None
        )
        self._engine = Engine(
            self._journal,
            clock,
            self._floor.open,
            Reconciler(timedelta(seconds=settings.unknown_grace_s)),
            timing=make_timing(settings),
        )
        self._inbox = Inbox(self._journal, EdgeQueue(settings.edge_queue), settings.eager_poll_ms)
        self._publisher = Publisher(
            self._journal,
            {
                "bus": EventBus(settings.event_bus_name),
                "market": MarketQueue(settings.market_data_queue),
            },
        )
        self._replay = Replay(
            recording, self._bridge, self._engine, self._floor, (self._inbox, self._publisher)
        )
        self._replay.should_stop = should_stop
        self._progress = ProgressFile(options.progress, self._describe_progress)
        counted = self._journal.count_messages()
        self._signals_before = counted.get("SignalIssued", 0)

    def run(self) -> str:
        """Play to the end and drain, or stop when told; write the summary either way."""
        started, first = time.monotonic(), self._replay.position
        self._engine.start(self._replay.clock_ns)
        self._replay.settle_start()
        self._publisher.start()
        self._inbox.start()
        self._progress.start()
        try:
            self._settle_orders()
            self._wait_for_accounts()
            self._await_interrupted()
            started = time.monotonic()
            self._replay.run(
                self._options.pace,
                rows_max=self._settings.outbox_rows_max,
                decision_wait_s=self._settings.decision_wait_s,
                end_ns=self._options.end_ns,
            )
            seconds = time.monotonic() - started
            if not self._should_stop():
                self._drain()
            outcome = STOPPED if self._should_stop() else COMPLETED
            played = self._replay.position - first
            self._write_summary(outcome, seconds, played)
        finally:
            self._progress.stop()
            self._inbox.stop()
            self._publisher.stop()
            self._floor.close()
            self._journal.close()
        return outcome

    def _check_state(self, ticks: int) -> None:
        """A state folder goes on with its own recording only."""
        options = self._options
        mine = [options.recording.name, options.symbol, options.start_ns, options.end_ns, ticks]
        known = self._bridge.cursor.get("recording")
        if known is not None and known != mine:
            raise StateMismatch(f"{options.state} belongs to {known}, not {mine}")
        if known is None:
            self._bridge.commit({"recording": mine, "next": 0, "clock": 0})

    def _settle_orders(self, *, flat: bool = False) -> None:
        """Wait until the brokers told what became of orders whose answer was lost; and, at the
        end, until refused closes went through."""
        engine = self._engine
        deadline = time.monotonic() + self._settings.unknown_grace_s + 2.0
        while not self._should_stop():
            left = engine.pending() + (engine.count_positions() if flat else 0)
            if not left:
                return
            if time.monotonic() > deadline:
                _log.warning("%d orders, positions or accounts are not settled", left)
                return
            time.sleep(SLICE_S)
            self._engine.advance(self._replay.clock_ns)

    def _wait_for_accounts(self) -> None:
        deadline = time.monotonic() + self._options.accounts_wait_s
        self._inbox.expect(True)
        while self._engine.ready_accounts() < self._options.accounts and not self._should_stop():
            if time.monotonic() > deadline:
                found, wanted = self._engine.ready_accounts(), self._options.accounts
                raise AccountsMissing(f"{found} of {wanted} accounts with entitlements came")
            self._replay.handle_next(SLICE_S)
        self._inbox.expect(False)

    def _await_interrupted(self) -> None:
        """Bars whose decisions an earlier process was waiting for."""
        if self._options.pace != "decisions":
            return
        awaited = {UUID(text) for text in self._bridge.cursor.get("awaited", [])}
        for row in self._journal.read_handled(RECENT_MESSAGES):
            if row.detail_type in ("SignalIssued", "SignalWithheld"):
                awaited.discard(UUID(json.loads(row.body)["data"]["bar_id"]))
        self._replay.await_decisions(awaited, self._settings.decision_wait_s)

    def _drain(self) -> None:
        """Flush what is held, answer what still comes, close what is open, and leave nothing."""
        self._bridge.flush()
        self._bridge.commit(self._replay.make_cursor([]))
        self._empty_outbox()
        self._wait_until_idle()
        self._engine.end_market(self._replay.clock_ns)
        self._settle_orders(flat=True)
        self._empty_outbox()
        self._wait_until_idle()
        self._empty_outbox()

    def _empty_outbox(self) -> None:
        deadline = time.monotonic() + self._settings.drain_wait_s
        while not self._publisher.wait_below(0, SLICE_S):
            self._replay.handle_waiting()
            if self._should_stop():
                return
            if time.monotonic() > deadline:
                raise OutboxStuck(f"{self._journal.depth()} messages wait")

    def _wait_until_idle(self) -> None:
        """Until the edge queue is empty and quiet; without pacing, until every bar is decided."""
        deadline = time.monotonic() + self._settings.drain_wait_s
        quiet_since = time.monotonic()
        while time.monotonic() < deadline and not self._should_stop():
            if self._replay.handle_next(SLICE_S) is not None:
                quiet_since = time.monotonic()
                deadline = quiet_since + self._settings.drain_wait_s
                continue
            quiet = time.monotonic() - quiet_since > IDLE_S
            if quiet and self._is_decided() and self._inbox.is_empty():
                return

    def _is_decided(self) -> bool:
        """Whether every bar has its decision, as far as one is still awaited."""
        if self._options.pace == "decisions":
            return True
        counted = self._journal.count_messages()
        decided = counted.get("SignalIssued", 0) + counted.get("SignalWithheld", 0)
        return decided >= self._bridge.bars_closed

    def _describe_progress(self) -> dict[str, object]:
        replay = self._replay
        return {
            "ticks": replay.position,
            "total": replay.total,
            "bars": self._bridge.bars_closed,
            "signals": self._signals_before + replay.tally.signals,
            "orders": self._engine.state.orders_made,
            "market_time": show_time(replay.clock_ns),
        }

    def _write_summary(self, outcome: str, seconds: float, played: int) -> None:
        tally = self._replay.tally
        summary = {
            "outcome": outcome,
            **make_summary(self._journal, self._bridge, seconds, played),
            "pacing_timeouts": tally.pacing_timeouts,
            "backpressure_waits": tally.backpressure_waits,
            "unreadable_messages": self._inbox.unreadable,
            "open_positions": self._engine.count_positions(),
        }
        text = json.dumps(summary, indent=2) + "\n"
        write_whole(self._options.state / "summary.json", text)
