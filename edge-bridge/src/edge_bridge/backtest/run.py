"""Play a market through the engine, as the paper replay does, from one event to the next.

The engine is the one that trades live (`edge_bridge.engine`), the broker the simulated terminal.
Market time stops where the replay's does: at each minute's end, and when the engine has something
due; and besides when a signal comes. Between two stops ticks go to the terminal in one run. Told
to look at events only, it passes over the minutes in which the engine has nothing to wait for.
"""

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.envelope import Envelope, Message
from contracts.ids import derived_id
from contracts.subscription_service import ALL_SYMBOLS, EntitlementsChanged
from contracts.trading_engine import AccountLinked, TradingLimitsChanged
from contracts.trading_limits import TradingLimits
from edge_bridge.backtest.config import BacktestConfig
from edge_bridge.backtest.floor import BacktestFloor
from edge_bridge.backtest.journal import BacktestJournal
from edge_bridge.backtest.market import Market
from edge_bridge.backtest.signals import PlannedSignal, SignalSource, open_source
from edge_bridge.bridge.bars import MINUTE_NS
from edge_bridge.engine.engine import NEVER_NS, Engine
from edge_bridge.engine.timing import Timing
from edge_bridge.ports import Deal, Position, quick
from edge_bridge.reconcile import Reconciler
from edge_bridge.times import instant

STEP_TICKS = 4_096
"""No step has more rows; the replay's own bound, so that both stop at the same times."""
TENANT_ID = derived_id("backtest", "tenant")
ACCOUNT_ID = derived_id("backtest", "account")
LOGIN = 1
SERVER = "Paper"
POSITIONS_MAX = 100
RISK_MAX_BP = 10_000
REPORT_STEPS = 256
"""So many steps pass between two reports of progress."""
MILLISECOND_NS = 1_000_000
COLLECTION_THRESHOLDS = (1_000_000, 20, 100)


class MarketClock:
    """Business time is market time: a backtest knows no other, so it gives the same every time."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._known = 0, instant(0)

    def now(self) -> datetime:
        """The market time as an instant."""
        if self._known[0] != self.now_ns:
            self._known = self.now_ns, instant(self.now_ns)
        return self._known[1]


@quick
@dataclass(frozen=True, slots=True)
class Sample:
    """The account at one look; money in cents."""

    time_ns: int
    balance: int
    equity: int
    margin: int
    positions: int


@dataclass(slots=True)
class Played:
    """What came of a run."""

    market: Market
    source: str
    events: list[Envelope]
    deals: list[Deal]
    samples: list[Sample]
    signals: int = 0
    unplayed: int = 0
    """Signals that came after the data's end."""
    first_ns: int = 0
    last_ns: int = 0
    orders: dict[str, str] = field(default_factory=dict)
    """The engine's own records of orders, by key."""


class Backtest:
    """One market, one account, one source of signals."""

    def __init__(
        self, market: Market, config: BacktestConfig, source: SignalSource | None = None
    ) -> None:
        self._market, self._config = market, config
        self._source = source or open_source(config.signals)
        self._clock = MarketClock()
        self._journal = BacktestJournal()
        account = config.make_account(LOGIN, SERVER)
        self._floor = BacktestFloor(account, config.make_symbol(market.digits))
        timing = Timing(reconcile_every=timedelta(days=1))  # nobody else trades on this account
        self.engine = Engine(
            self._journal, self._clock, self._floor.open, Reconciler(timedelta(0)), timing=timing
        )
        self._jumps = config.market.looks == "events"
        self._samples: list[Sample] = []
        self._position = 0
        self._clock_ns = 0
        self.report: Callable[[int, int], None] = lambda _done, _total: None
        """Called now and then with the rows played and all rows."""

    def run(self, end_ns: int | None = None) -> Played:
        """Play everything, and up to ``end_ns`` where the data ends before."""
        with _quiet_collector():
            return self._run(end_ns)

    def _run(self, end_ns: int | None) -> Played:
        market = self._market
        self._link()
        planned = iter(
            self._source.plan(market.view, self._config.market.latency_ms * MILLISECOND_NS)
        )
        played, waiting = 0, next(planned, None)
        total, steps = len(market.clock), 0
        while self._position < total:
            self._step(waiting)
            while waiting is not None and self._has_come(waiting):
                self._give(waiting)
                played, waiting = played + 1, next(planned, None)
            steps += 1
            if not steps % REPORT_STEPS:
                self.report(self._position, total)
        late, left = self._finish(waiting, planned, end_ns)
        self.report(total, total)
        return Played(
            market=market,
            source=self._source.name,
            events=self._journal.events,
            deals=list(self._floor.terminal.deals_since(1)),
            samples=self._samples,
            signals=played + late,
            unplayed=left,
            first_ns=market.clock[0] if total else 0,
            last_ns=self._clock_ns,
            orders=self._journal.load("order"),
        )

    def _finish(
        self, waiting: PlannedSignal | None, planned: Iterator[PlannedSignal], end_ns: int | None
    ) -> tuple[int, int]:
        """Pass the time after the last row, if any, and close what is open.

        Return how many signals came in that time, and how many came after it.
        """
        played = 0
        if end_ns is not None and end_ns > self._clock_ns:
            while waiting is not None and waiting.clock_ns <= end_ns:
                self._pass_time(waiting.clock_ns)
                self._give(waiting)
                played, waiting = played + 1, next(planned, None)
            self._pass_time(end_ns)
        self.engine.end_market(self._clock_ns)
        self._sample()
        return played, sum(1 for _ in planned) + (waiting is not None)

    def _link(self) -> None:
        """Tell the engine what the cloud would, as of the first row."""
        market = self._market
        self._clock.now_ns = market.clock[0] if market.clock else 0
        self.engine.start()
        now = self._clock.now()
        for data in make_messages(self._config):
            event_id = derived_id("backtest", type(data).__name__)
            self.engine.handle(
                Envelope.wrap(data, tenant_id=TENANT_ID, now=now, event_id=event_id)
            )  # fmt: skip

    def _step(self, waiting: PlannedSignal | None) -> None:
        """Play up to the end of the next row's minute, or to what comes before it."""
        market, position = self._market, self._position
        clock, total = market.clock, len(market.clock)
        if self._jumps and self._is_idle():
            self._jump(waiting)
            return
        next_ns = clock[position]
        until_ns = next_ns - next_ns % MINUTE_NS + MINUTE_NS
        due_ns = self.engine.next_due_ns()
        cuts = self._clock_ns < due_ns < until_ns
        if cuts and (market.divisible or due_ns <= next_ns):
            until_ns = due_ns
        stop = bisect_left(clock, until_ns, position, min(total, position + STEP_TICKS))
        partial = stop == total or clock[stop] < until_ns
        if waiting is not None and waiting.place <= stop:
            # Behind the last row of a run that was cut by its size, the minute is not over yet.
            latest_ns = clock[stop] if partial and stop < total else until_ns
            if waiting.clock_ns <= latest_ns:
                stop, until_ns, partial = max(waiting.place, position), waiting.clock_ns, False
        market.play(self._floor.simulated, position, stop, self._held())
        self._position = stop
        if partial:
            self._pass_time(clock[stop - 1] if stop else 0)
        else:
            self._pass_time(until_ns)

    def _is_idle(self) -> bool:
        """Whether the engine waits for nothing but signals."""
        engine = self.engine
        return (
            engine.next_due_ns() == NEVER_NS
            and not engine.count_positions()
            and not engine.pending()
        )

    def _jump(self, waiting: PlannedSignal | None) -> None:
        """Play up to the next signal, or to the end."""
        clock = self._market.clock
        stop = len(clock) if waiting is None else min(waiting.place, len(clock))
        stop = max(stop, self._position)
        self._market.play(self._floor.simulated, self._position, stop, ())
        self._position = stop
        comes = waiting is not None and waiting.place <= stop
        self._pass_time(waiting.clock_ns if waiting and comes else clock[-1])

    def _has_come(self, waiting: PlannedSignal) -> bool:
        return waiting.place <= self._position and waiting.clock_ns <= self._clock_ns

    def _give(self, planned: PlannedSignal) -> None:
        """Hand a signal to the engine."""
        envelope = Envelope.wrap(
            planned.signal, tenant_id=None, now=self._clock.now(), event_id=planned.signal.bar_id
        )
        self.engine.handle(envelope)

    def _pass_time(self, clock_ns: int) -> None:
        """Move the market clock and let the engine look."""
        self._clock_ns = max(self._clock_ns, clock_ns)
        self._clock.now_ns = self._clock_ns
        quote = self._market.last
        self.engine.advance(self._clock_ns, () if quote is None else (quote,))
        self._sample()

    def _held(self) -> tuple[Position, ...]:
        desk = self.engine.state.desks.get(ACCOUNT_ID)
        return () if desk is None else tuple(desk.positions)

    def _sample(self) -> None:
        """Note the account as the engine has just read it."""
        desk = self.engine.state.desks.get(ACCOUNT_ID)
        if desk is None or desk.state is None:
            return
        state = desk.state
        self._samples.append(
            Sample(
                self._clock_ns, state.balance, state.equity, state.margin, len(desk.positions)
            )
        )  # fmt: skip


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Look for cyclic garbage less often: a run makes millions of small values and few cycles, and
    every search would go through all that the run keeps."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def make_messages(config: BacktestConfig) -> list[Message]:
    """The plan, the limits and the account, as the cloud would tell the edge."""
    account, limits = config.account, config.limits
    plan = EntitlementsChanged(
        version=1, tier="enterprise", symbols=(ALL_SYMBOLS,), predictions_per_day=None,
        prediction_delay_s=0, live_accounts=0, paper_accounts=1, time_zone="UTC",
    )  # fmt: skip
    linked = AccountLinked(
        account_id=ACCOUNT_ID, mode="paper", login=LOGIN, server=SERVER,
        currency=account.currency, leverage=account.leverage,
        initial_balance_cents=int(account.balance * 100),
        risk_per_trade_bp=limits.sizing.risk_bp,
        max_open_positions=min(POSITIONS_MAX, limits.positions_max or POSITIONS_MAX),
        max_daily_loss_bp=_find_daily_loss(limits), version=1,
    )  # fmt: skip
    return [plan, TradingLimitsChanged(account_id=None, version=1, limits=limits), linked]


def _find_daily_loss(limits: TradingLimits) -> int:
    daily = [each.max_bp for each in limits.losses if each.period == "day"]
    return min(daily, default=RISK_MAX_BP)
