"""The edge's own parts as one host runs them, without threads: journal, bridge, engine, link.

A crash throws all of it away at the instant a step is written, before or after; the next boot has
only what is on disk.
"""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from contracts.trading_engine import AccountLinked
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.ticks import make_chunk
from edge_bridge.engine.engine import Engine
from edge_bridge.engine.journal import StorageFull
from edge_bridge.engine.timing import Timing
from edge_bridge.link.aws import ERRORS
from edge_bridge.link.intake import Intake
from edge_bridge.link.journal import Journal
from edge_bridge.link.publisher import Publisher
from edge_bridge.ports import Quote, Terminal
from edge_bridge.reconcile import Reconciler
from tests.edge_bridge.chaos.cloud import SimQueue, SimSender
from tests.edge_bridge.chaos.terminal import ChaosTerminal, Link

GRACE = timedelta(seconds=20)
"""Longer than the slowest request of a living worker: what is absent then never was."""
PUBLISHED_A_STEP = 60


class HostCrashed(Exception):
    """The process died here."""


class SteppedClock:
    """The wall clock, which steps now and then."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def now(self) -> datetime:
        return self.moment


@dataclass
class MortalJournal:
    """The journal, and the moments at which the process dies over it."""

    inner: Journal
    dies_at: int | None = None
    """So many writes from now."""
    before: bool = True

    def write(self, **step: Any) -> None:
        if self.dies_at is None:
            self.inner.write(**step)
            return
        self.dies_at -= 1
        if self.dies_at > 0:
            self.inner.write(**step)
            return
        if not self.before:
            self.inner.write(**step)
        raise HostCrashed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Host:
    """One boot of the edge."""

    folder: Path
    rng: Random
    clock: SteppedClock
    links: dict[UUID, Link]
    queue: SimQueue
    senders: dict[str, SimSender]
    on_handled: Callable[[Envelope], None]
    now_ns: int
    monotonic: Callable[[], float]
    handled: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = MortalJournal(Journal(self.folder / "edge.db"))
        journal: Any = self.journal
        self.bridge = MarketBridge("chaos", {"EURUSD": 5}, journal, self.clock)
        timing = Timing(monotonic=self.monotonic, sla_limits={})
        self.engine = Engine(
            journal, self.clock, self.open_terminal, Reconciler(GRACE), timing=timing
        )
        self.intake = Intake(journal, self.queue)
        senders: Any = self.senders
        self.publisher = Publisher(journal, senders)
        self.engine.start(self.now_ns)
        for envelope in self.intake.restore():
            self.handle(envelope)

    def open_terminal(self, account: AccountLinked) -> Terminal | None:
        link = self.links.get(account.account_id)
        return None if link is None else ChaosTerminal(link)

    def handle(self, envelope: Envelope) -> None:
        self.on_handled(envelope)
        self.engine.handle(envelope)
        self.handled += 1

    def take_ticks(self, ts_ns: list[int], bid: list[int], ask: list[int]) -> list[int]:
        """Let ticks through the bridge; where the accepted ones are."""
        self.bridge.ingest(make_chunk("EURUSD", ts_ns, bid, ask))
        return [int(place) for place in self.bridge.find_accepted("EURUSD")]

    def step(self, now_ns: int, quote: Quote | None, cursor: int) -> None:
        """One turn of the loop."""
        self.now_ns = now_ns
        self.bridge.advance(now_ns)
        try:
            self.bridge.commit({"next": cursor})
        except StorageFull:
            self.log.append("bridge waits for the disk")
        self._receive()
        self.engine.advance(now_ns, [] if quote is None else [quote])
        for _ in range(PUBLISHED_A_STEP):
            if not self.publisher.drain_once():
                break

    def _receive(self) -> None:
        try:
            stored = self.intake.receive(0)
        except ERRORS:
            return
        for envelope in stored.envelopes:
            self.handle(envelope)
        try:
            self.intake.confirm(stored.handles)
        except ERRORS:
            return

    @contextmanager
    def full_disk(self, *, wholly: bool) -> Iterator[None]:
        """The disk takes no more: nothing at all, or nothing beyond the database's own log."""
        log = self.folder / "edge.db-wal"
        limit = 0 if wholly or not log.exists() else log.stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def list_unstored_stops(self) -> list[tuple[UUID | None, int]]:
        """Kill switch commands in the queue that are not on this disk: scope and version."""
        found: list[tuple[UUID | None, int]] = []
        for body in self.queue.list_bodies():
            if body["detail-type"] == "EngageKillSwitch":
                meta, data = body["detail"]["meta"], body["detail"]["data"]
                tenant = UUID(meta["tenant_id"]) if meta["tenant_id"] else None
                if not self._has_stored(meta["event_id"]):
                    found.append((tenant, data["version"]))
        return found

    def _has_stored(self, event_id: str) -> bool:
        reader = self.journal.inner._reader
        found = reader.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event_id,)).fetchone()
        return found is not None

    def die(self) -> None:
        """Let go of the files as a dead process does; nothing is flushed or said."""
        self.journal.inner.close()
