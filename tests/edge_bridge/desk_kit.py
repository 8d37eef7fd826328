"""An engine over real parts for the tests: journal on disk, simulated terminals, a held clock."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Message
from contracts.ids import uuid7
from contracts.registry import parse_envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import AccountConfirmed, AccountLinked
from edge_bridge.bridge.ticks import make_chunk
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.engine import Engine
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.engine.timing import Timing
from edge_bridge.floor import PaperFloor
from edge_bridge.link.journal import Journal
from edge_bridge.ports import Quote, Terminal
from edge_bridge.reconcile import Reconciler
from edge_bridge.times import instant
from tests.edge_bridge.cloud import entitle, link_account
from tests.support.builders import FixedClock

START_NS = 1_400_054_400_000_000_000
SECOND_NS = 1_000_000_000
BID, ASK = 137_000, 137_010


@dataclass
class Edge:
    """One engine; `reopen` is what a restart after a kill does."""

    folder: Path
    limits: RiskLimits = field(default_factory=RiskLimits)
    grace: timedelta = timedelta(0)
    clock: FixedClock = field(default_factory=FixedClock)
    timing: Timing = field(default_factory=Timing)
    wrap_terminal: Callable[[Terminal], Terminal] = lambda terminal: terminal
    """What stands between the engine and each simulated terminal."""

    def __post_init__(self) -> None:
        self.now_ns, self.ticks = START_NS, 0
        self.bid, self.ask = BID, ASK
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder / "edge.db")
        last = (self.ticks, self.now_ns, self.bid, self.ask)
        self.floor = PaperFloor(self.folder / "paper", "EURUSD", 5, last)
        self.engine = Engine(
            self.journal, self.clock, self.open_terminal, Reconciler(self.grace), self.limits,
            timing=self.timing,
        )  # fmt: skip
        self.engine.start(self.now_ns)
        for row in self.journal.read_inbox():
            self.engine.handle(parse_envelope(row.detail_type, json.loads(row.body)))
        self.engine.advance(self.now_ns, [self.reference()])

    def open_terminal(self, account: AccountLinked) -> Terminal | None:
        terminal = self.floor.open(account)
        return None if terminal is None else self.wrap_terminal(terminal)

    def reopen(self) -> None:
        self.floor.close()
        self.journal.close()
        self.open()

    def close(self) -> None:
        self.floor.close()
        self.journal.close()

    def reference(self) -> Quote:
        return Quote("EURUSD", self.bid, self.ask, self.now_ns)

    def tick(self, bid: int = BID, ask: int | None = None, *, after_s: float = 1.0) -> None:
        """A tick for everybody, and the engine's look at it."""
        self.now_ns += int(after_s * SECOND_NS)
        self.ticks += 1
        self.bid, self.ask = bid, ask or bid + ASK - BID
        chunk = make_chunk("EURUSD", [self.now_ns], [self.bid], [self.ask])
        self.floor.feed(self.ticks, chunk, [0])
        self.engine.advance(self.now_ns, [self.reference()])

    def give(self, message: Message, tenant_id: UUID | None = None) -> Envelope:
        """A message as the inbox hands it over: stored, then handled."""
        envelope = Envelope.wrap(message, tenant_id=tenant_id, now=self.clock.now())
        return self.give_envelope(envelope)

    def give_envelope(self, envelope: Envelope) -> Envelope:
        from edge_bridge.link.journal import InboxRow

        row = InboxRow(str(envelope.meta.event_id), envelope.detail_type, envelope.to_json())
        if self.journal.store_message(row):
            self.engine.handle(envelope)
        return envelope

    def add_tenant(
        self,
        number: int = 1,
        *,
        plan: EntitlementsChanged | None = None,
        account: AccountLinked | None = None,
        tenant_id: UUID | None = None,
    ) -> UUID:
        tenant = tenant_id or uuid7()
        self.give(plan or entitle(), tenant)
        self.give(account or link_account(number), tenant)
        self.engine.advance(self.now_ns, [self.reference()])
        return tenant

    def signal(self, **overrides: Any) -> SignalIssued:
        values: dict[str, Any] = {
            "signal_id": uuid7(), "decision_id": uuid7(), "bar_id": uuid7(), "symbol": "EURUSD",
            "digits": 5, "timeframe": "M1", "direction": "buy", "probability": 0.6,
            "size_factor": 1.0, "stop_distance": 200, "target_distance": 300, "horizon_s": 900,
            "as_of": instant(self.now_ns), "expires_at": instant(self.now_ns + 120 * SECOND_NS),
            "model_version": "test", **overrides,
        }  # fmt: skip
        return SignalIssued(**values)

    def said(self, kind: type[Message] | None = None) -> list[Any]:
        """What the edge put out so far, in order; confirmed accounts only when asked for."""
        data = [envelope.data for envelope in self._envelopes()]
        if kind is None:
            return [each for each in data if not isinstance(each, AccountConfirmed)]
        return [each for each in data if isinstance(each, kind)]

    def envelopes(self, kind: type[Message] | None = None) -> list[Envelope]:
        """The same, with their envelopes."""
        said = self._envelopes()
        if kind is None:
            return [each for each in said if not isinstance(each.data, AccountConfirmed)]
        return [each for each in said if isinstance(each.data, kind)]

    def _envelopes(self) -> list[Envelope]:
        rows = self.journal.read_outbox("bus", 10_000)
        return [parse_envelope(row.detail_type, json.loads(row.body)) for row in rows]

    def simulated(self, number: int = 0) -> Any:
        """A tenant's simulated terminal, to break it."""
        return self.floor.terminals[number]

    def desk(self, number: int = 0) -> Desk:
        """A tenant's desk, in the order they were linked."""
        return list(self.engine.state.desks.values())[number]

    def reload(self) -> Engine:
        """Another engine that has read this journal as it is now, and opened nothing."""
        journal = Journal(copy_state(self.folder) / "edge.db")
        engine = Engine(journal, self.clock, lambda _: None, Reconciler(self.grace), self.limits)
        engine.start(self.now_ns)
        journal.close()
        return engine


def copy_state(folder: Path) -> Path:
    """What a killed process would leave: the journal's files as they are now."""
    target = Path(tempfile.mkdtemp(dir=folder))
    for path in folder.glob("edge.*"):
        shutil.copy(path, target / path.name)
    return target
