"""The other ways to play a recording, that a backtest must agree with to the last deal.

`play_replay` is the paper replay itself, with its journal on disk, its bridge and its floor; only
the cloud is left out: decisions are read from the journal's outbox and answered at once.
`play_tick_by_tick` is the plainest way there is: one tick after the other, averages by recursion.
"""

import json
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.data_bridge import BarClosed
from contracts.envelope import Envelope, Message
from contracts.ids import derived_id
from contracts.registry import parse_envelope
from contracts.trading_engine import OrderDenied, OrderFilled, PositionClosed
from edge_bridge.backtest.config import BacktestConfig
from edge_bridge.backtest.run import ACCOUNT_ID, TENANT_ID, make_messages
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.recording import Recording
from edge_bridge.bridge.ticks import make_chunk
from edge_bridge.bridge.validation import ACCEPTED, TickRules, TickValidator
from edge_bridge.engine.engine import Engine
from edge_bridge.floor import PaperFloor
from edge_bridge.link.inbox import Inbox
from edge_bridge.link.journal import Journal
from edge_bridge.link.publisher import Publisher
from edge_bridge.ports import Quote
from edge_bridge.reconcile import Reconciler
from edge_bridge.replay import Replay
from edge_bridge.times import SystemClock, instant
from tests.edge_bridge.cloud import decide

HORIZON_S = 900


def wrap(data: Message, tenant_id: UUID | None = None) -> Envelope:
    return Envelope.wrap(data, tenant_id=tenant_id, now=SystemClock().now())


class Answers:
    """Inbox and publisher of a replay at once: what leaves is heard, every bar is decided."""

    def __init__(self, journal: Journal, every: int) -> None:
        self._journal, self._every = journal, every
        self._waiting: deque[Envelope] = deque()
        self.heard: list[Any] = []
        self.signals: list[SignalIssued] = []

    def listen(self) -> None:
        rows = self._journal.read_outbox("bus", 10_000)
        for row in rows:
            data = parse_envelope(row.detail_type, json.loads(row.body)).data
            self.heard.append(data)
            if isinstance(data, BarClosed):
                decision = decide(data, self._every)
                self._waiting.append(wrap(decision))
                if isinstance(decision, SignalIssued):
                    self.signals.append(decision)
        self._journal.forget_sent("bus", rows)

    def expect(self, awaited: bool) -> None:
        pass

    def note_handled(self) -> None:
        pass

    def take(self, timeout_s: float) -> Envelope | None:
        self.listen()
        return self._waiting.popleft() if self._waiting else None

    def wait_below(self, rows: int, timeout_s: float) -> bool:
        return True


def open_parts(
    folder: Path, recording: Recording, config: BacktestConfig
) -> tuple[Journal, PaperFloor, Engine]:
    journal = Journal(folder / "edge.db")
    symbol = recording.chunk.symbol
    floor = PaperFloor(folder / "paper", symbol, recording.digits, None)
    engine = Engine(journal, SystemClock(), floor.open, Reconciler(timedelta(0)))
    engine.start()
    for data in make_messages(config):
        engine.handle(wrap(data, TENANT_ID))
    return journal, floor, engine


def play_replay(
    folder: Path, recording: Recording, config: BacktestConfig, every: int
) -> tuple[list[Any], list[SignalIssued]]:
    """Play through the paper replay; return what the edge said, and the signals it was given."""
    journal, floor, engine = open_parts(folder, recording, config)
    symbol = recording.chunk.symbol
    bridge = MarketBridge("replay", {symbol: recording.digits}, journal, SystemClock())
    answers = Answers(journal, every)
    link = cast("tuple[Inbox, Publisher]", (answers, answers))
    replay = Replay(recording, bridge, engine, floor, link)
    replay.run("decisions", rows_max=10_000, decision_wait_s=5.0, end_ns=None)
    engine.end_market(replay.clock_ns)
    answers.listen()
    floor.close()
    journal.close()
    return answers.heard, answers.signals


def play_tick_by_tick(
    folder: Path, recording: Recording, config: BacktestConfig
) -> tuple[list[Any], list[SignalIssued]]:
    """Judge, average and feed one tick at a time; the engine looks at minutes' ends, at what is
    due, and at every cross."""
    journal, floor, engine = open_parts(folder, recording, config)
    driver = TickDriver(recording, config, floor, engine)
    driver.run()
    rows = journal.read_outbox("bus", 1_000_000)
    heard = [parse_envelope(row.detail_type, json.loads(row.body)).data for row in rows]
    floor.close()
    journal.close()
    return heard, driver.signals


class TickDriver:
    def __init__(
        self, recording: Recording, config: BacktestConfig, floor: PaperFloor, engine: Engine
    ) -> None:
        self.chunk, self.digits = recording.chunk, recording.digits
        self.rule = cast("Any", config.signals)
        self.floor, self.engine = floor, engine
        self.validator = TickValidator(TickRules())
        self.signals: list[SignalIssued] = []
        self.clock_ns, self.quote = 0, cast("Quote | None", None)
        self.averages: list[float] = []
        self.seen, self.above = 0, False

    def run(self) -> None:
        chunk, newest = self.chunk, 0
        columns = chunk.ts_ns.tolist(), chunk.bid.tolist(), chunk.ask.tolist()
        for number, (ts_ns, bid, ask) in enumerate(zip(*columns, strict=True)):
            if newest:
                self.pass_to(max(newest, ts_ns), newest - newest % MINUTE_NS + MINUTE_NS)
            newest = max(newest, ts_ns)
            if self.validator.judge_tick(ts_ns, bid, ask) == ACCEPTED:
                self.floor.feed(number, make_chunk(chunk.symbol, [ts_ns], [bid], [ask]), [0])
                self.quote = Quote(chunk.symbol, bid, ask, ts_ns)
                self.judge_cross(ts_ns, (bid + ask) / 2)
        self.look(newest)
        self.engine.end_market(self.clock_ns)

    def pass_to(self, next_ns: int, minute_ns: int) -> None:
        """What happens before the next tick: the end of the minute, and what is due."""
        for _ in range(1_000):
            due_ns = self.engine.next_due_ns()
            over = self.clock_ns < minute_ns <= next_ns
            stops = [minute_ns] if over else []
            stop = min(next_ns, next_ns - next_ns % MINUTE_NS + MINUTE_NS - 1)
            if self.clock_ns < due_ns <= stop:
                stops.append(due_ns)
            if not stops:
                return
            self.look(min(stops))
        raise AssertionError("something stays due for ever")

    def look(self, clock_ns: int) -> None:
        self.clock_ns = max(self.clock_ns, clock_ns)
        floor_ns = self.clock_ns - self.clock_ns % MINUTE_NS
        self.validator.advance(self.clock_ns, floor_ns)
        self.engine.advance(self.clock_ns, [self.quote] if self.quote else [])

    def judge_cross(self, ts_ns: int, mid: float) -> None:
        weights = [2.0 / (period + 1) for period in (self.rule.fast, self.rule.slow)]
        before = self.averages or [mid, mid]
        self.averages = [
            weight * mid + (1.0 - weight) * value
            for weight, value in zip(weights, before, strict=True)
        ]
        above = self.averages[0] > self.averages[1]
        self.seen += 1
        if self.seen > self.rule.slow and above is not self.above:
            self.look(ts_ns)
            self.signals.append(self.make_signal(ts_ns, above))
            self.engine.handle(wrap(self.signals[-1]))
        self.above = above

    def make_signal(self, ts_ns: int, up: bool) -> SignalIssued:
        rule, as_of = self.rule, instant(ts_ns)
        name = f"ema_cross {rule.fast}/{rule.slow}"
        bar_id = derived_id("backtest", name, self.chunk.symbol, self.seen - 1, ts_ns)
        return SignalIssued(
            signal_id=derived_id("signal", bar_id), decision_id=bar_id, bar_id=bar_id,
            symbol=self.chunk.symbol, digits=self.digits, timeframe="M1",
            direction="buy" if up else "sell",
            probability=rule.probability if up else 1 - rule.probability,
            size_factor=rule.size_factor, stop_distance=rule.stop, target_distance=rule.target,
            horizon_s=rule.horizon_s, as_of=as_of, expires_at=as_of + timedelta(seconds=60),
            model_version=name,
        )  # fmt: skip


def pick_outcomes(heard: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Every fill, close and denial of the account, in order, without how long orders took."""
    told: list[tuple[Any, ...]] = []
    for data in heard:
        if isinstance(data, OrderFilled | PositionClosed | OrderDenied):
            assert data.account_id == ACCOUNT_ID
            fields = data.model_dump(exclude={"order_path_us"})
            told.append((type(data).__name__, *fields.items()))
    return told
