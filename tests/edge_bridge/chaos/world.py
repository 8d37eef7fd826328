"""One seeded story: twenty accounts on one host, whatever can go wrong, then rest and judgment.

`World(seed, folder).play()` raises Broken, or what the edge raised, when a claim fails; the same
seed gives the same story again.
"""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from contracts.envelope import Envelope
from edge_bridge.adapters.paper import AccountSpec, SimulatedTerminal, SymbolSpec
from edge_bridge.adapters.paper.faults import FaultPlan
from edge_bridge.ports import Quote
from edge_bridge.times import instant
from tests.edge_bridge.chaos import claims
from tests.edge_bridge.chaos.cloud import Outage, SimQueue, SimSender
from tests.edge_bridge.chaos.host import Host, HostCrashed, SteppedClock
from tests.edge_bridge.chaos.messages import Cast
from tests.edge_bridge.chaos.terminal import Link

SECOND_NS = 1_000_000_000
START_NS = 1_400_054_400_000_000_000  # Wednesday 2014-05-14 08:00 UTC
STEPS = 70
REST_STEPS = 160
TICKS_A_STEP = 4
BROKER_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pipe_dies", {"when": "before"}),
    ("pipe_dies", {"when": "after"}),
    ("partial_fill", {"fraction": 0.5}),
    ("requote", {}),
    ("busy", {}),
    ("market_closed", {}),
    ("reject", {"retcode": 10_006}),
)


class World:
    """A host, its brokers, its cloud, and a clock that only this story moves."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = rng = Random(seed)
        self.folder = folder
        self.clock = SteppedClock(datetime(2026, 3, 2, 8, tzinfo=UTC))
        self.now_ns, self.mono_ns = START_NS, 0
        self.mid, self.tick = 137_000, 0
        self.quote: Quote | None = None
        self.cast = Cast(rng)
        self.oracle = claims.KillOracle()
        self.outage = Outage()
        self.queue = SimQueue(self.outage, rng)
        self.bus, self.market = SimSender(self.outage, rng), SimSender(self.outage, rng)
        self.links = {account: self._make_link(n) for n, account in enumerate(self.cast.accounts)}
        self.crashes = self.steps = 0
        self.full_until, self.full_wholly = 0, False
        self._feed()
        for each in self.cast.tenants:
            self.queue.put(self.cast.entitle(each, self.clock.now()))
        for each in self.cast.accounts:
            self.queue.put(self.cast.link(each, self.clock.now()))
        self.host = self._boot()

    def _make_link(self, number: int) -> Link:
        account = AccountSpec(login=5_000_001 + number, password="pw", server="Chaos")
        symbol = SymbolSpec(name="EURUSD", digits=5, trade_stops_level=10)
        broker = SimulatedTerminal(account=account, symbols=[symbol])
        return Link(broker, self.rng, ("EURUSD",), depart=self._judge_departure)

    def _judge_departure(self, link: Link, action: object) -> None:
        account = next(key for key, each in self.links.items() if each is link)
        stopped = self.oracle.is_stopped(self.cast.accounts[account])
        claims.judge_departure(link, action, stopped=stopped)

    def _boot(self) -> Host:
        for link in self.links.values():
            link.boot(self.mono_ns)
        while True:
            try:
                return Host(
                    self.folder, self.rng, self.clock, self.links, self.queue,
                    {"bus": self.bus, "market": self.market}, self._note, self.now_ns,
                    lambda: self.mono_ns / SECOND_NS,
                )  # fmt: skip
            except HostCrashed:
                self.crashes += 1

    def _note(self, envelope: Envelope) -> None:
        self.oracle.note(envelope, self.clock.now())

    def play(self) -> dict[str, int]:
        """Play, come to rest, judge; return what happened, as counts."""
        try:
            for _ in range(STEPS):
                self._step(self._misbehave)
            self._calm()
            for _ in range(REST_STEPS):
                self._step(self._do_nothing)
                if self._is_at_rest():
                    break
            return self._judge()
        finally:
            self.host.die()

    def _step(self, stir: Callable[[], None]) -> None:
        self.steps += 1
        span_ns = self.rng.randrange(SECOND_NS // 2, 6 * SECOND_NS)
        self.now_ns += span_ns
        self.mono_ns += span_ns
        self.clock.moment += timedelta(microseconds=span_ns // 1_000)
        self.outage.now_ns = self.mono_ns
        stir()
        for link in self.links.values():
            link.advance(self.mono_ns)
        full = self.full_until > self.mono_ns
        disk = self.host.full_disk(wholly=self.full_wholly) if full else nullcontext()
        try:
            with disk:
                self._feed_host()
        except HostCrashed:
            self._crash()

    def _feed_host(self) -> None:
        columns = self._make_ticks()
        places = self.host.take_ticks(*columns)
        self._feed(columns, places)
        self.host.step(self.now_ns, self.quote, self.tick)

    def _make_ticks(self) -> tuple[list[int], list[int], list[int]]:
        bids = []
        for _ in range(TICKS_A_STEP):
            self.mid += self.rng.randrange(-12, 13)
            bids.append(self.mid)
        times = [self.now_ns - (TICKS_A_STEP - n) * 1_000_000 for n in range(TICKS_A_STEP)]
        return times, bids, [bid + 8 for bid in bids]

    def _feed(
        self,
        columns: tuple[list[int], list[int], list[int]] | None = None,
        places: list[int] | None = None,
    ) -> None:
        times, bids, asks = columns or self._make_ticks()
        for place in range(len(times)) if places is None else places:
            self.tick += 1
            for link in self.links.values():
                link.broker.feed_tick(self.tick, times[place], bids[place], asks[place], "EURUSD")
            self.quote = Quote("EURUSD", bids[place], asks[place], times[place])

    def _misbehave(self) -> None:
        rng, cast, now = self.rng, self.cast, self.clock.now()
        link = rng.choice(list(self.links.values()))
        account = rng.choice(list(cast.accounts))
        chances: tuple[tuple[float, Callable[[], object]], ...] = (
            (0.35, lambda: self.queue.put(cast.signal(self.now_ns, now))),
            (0.08, lambda: link.die("killed by chance")),
            (0.05, lambda: setattr(link, "hung", link.alive)),
            (0.15, lambda: self._break_broker(link)),
            (0.03, self._cut_cloud),
            (0.03, self._fill_disk),
            (0.03, self._step_clock),
            (0.04, self._plan_crash),
            (0.05, lambda: self.queue.put(cast.engage(now))),
            (0.12, self._release),
            (0.05, lambda: self.queue.put(cast.change_limits(now))),
            (0.03, lambda: self.queue.put(cast.entitle(cast.accounts[account], now))),
            (0.02, lambda: self.queue.put(cast.unlink(account, now))),
            (0.05, lambda: self.queue.put(cast.link(account, now))),
        )
        for chance, act in chances:
            if rng.random() < chance:
                act()

    def _do_nothing(self) -> None:
        return

    def _break_broker(self, link: Link) -> None:
        kind, how = self.rng.choice(BROKER_FAULTS)
        link.broker.fail_next(kind, **how)

    def _cut_cloud(self) -> None:
        self.outage.until_ns = self.mono_ns + self.rng.randrange(20, 240) * SECOND_NS

    def _step_clock(self) -> None:
        self.clock.moment += timedelta(seconds=self.rng.choice((-3_600, -5, 5, 900)))

    def _release(self) -> None:
        stopped = [scope for scope, (_, engaged) in self.oracle.states.items() if engaged]
        if stopped:
            self.queue.put(self.cast.release(self.rng.choice(stopped), self.clock.now()))

    def _fill_disk(self) -> None:
        self.full_until = self.mono_ns + self.rng.randrange(5, 60) * SECOND_NS
        self.full_wholly = self.rng.random() < 0.5

    def _plan_crash(self) -> None:
        self.host.journal.dies_at = self.rng.randrange(1, 12)
        self.host.journal.before = self.rng.random() < 0.5

    def _crash(self) -> None:
        """The host's process dies, and its workers see the pipe's end; then it starts again."""
        self.crashes += 1
        self.oracle.forget_unstored(self.host.list_unstored_stops())
        self.host.die()
        for link in self.links.values():
            link.die("the host died", host_too=True)
        self.host = self._boot()

    def _calm(self) -> None:
        self.host.journal.dies_at = None
        self.full_until = 0
        self.outage.until_ns = 0
        self.bus.calm = self.market.calm = True
        for link in self.links.values():
            link.broker.faults = FaultPlan()
        for scope in [None, *self.cast.tenants]:
            engage = self.cast.engage(self.clock.now())
            data = engage.data.model_copy(
                update={"flatten": True, "version": self.cast.next_version(("kill", scope))}
            )
            meta = engage.meta.model_copy(update={"tenant_id": scope})
            self.queue.put(Envelope(meta=meta, data=data))

    def _is_at_rest(self) -> bool:
        host = self.host
        flat = not any(link.broker_positions() for link in self.links.values())
        idle = host.engine.pending() == 0 and host.journal.depth() == 0
        return flat and idle and self.queue.count() == 0 and host.engine.count_positions() == 0

    def _judge(self) -> dict[str, int]:
        host = self.host
        host.bridge.flush()
        host.bridge.commit({"next": self.tick})
        for _ in range(200):
            if not host.publisher.drain_once():
                break
        claims.claim(self._is_at_rest(), f"not at rest: {self.describe()}")
        before = host.engine.digest()
        counts = claims.judge_story(self.cast, self.links, self.bus, self.market, host.journal)
        host.die()
        self.host = self._boot()
        claims.claim(self.host.engine.digest() == before, "the journal gives another state")
        return counts | {"crashes": self.crashes, "steps": self.steps}

    def describe(self) -> str:
        """What keeps the story from its end."""
        host = self.host
        open_ = {str(key): len(each.broker_positions()) for key, each in self.links.items()}
        return (
            f"pending {host.engine.pending()}, outbox {host.journal.depth()}, queue"
            f" {self.queue.count()}, ours {host.engine.count_positions()}, at brokers"
            f" {sum(open_.values())}, now {instant(self.now_ns)}"
        )


def shrink_note(seed: int) -> str:
    """How to see a failing story again."""
    return f"again: make chaos SEED={seed}"
