"""The live edge: market, workers, engine, link and stream of one host, tied together.

Three threads matter: the market's, the supervisor's and the engine's, which is `run`'s own. They
meet in the journal, in what workers told last, and in the newest quotes; none waits for another.
"""

import logging
import queue
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from contracts.data_bridge import Bar
from contracts.envelope import Envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import AccountHealthChanged, AccountLinked, AccountUnlinked
from contracts.user_management import TenantClosed, TenantReinstated, TenantSuspended
from contracts.user_service import AccessRevoked
from edge_bridge.bridge.market import BAR_KIND
from edge_bridge.host.accounts import AccountDesk
from edge_bridge.host.channels import PrivateChannels, ToldJournal
from edge_bridge.host.config import HostConfig
from edge_bridge.host.measures import Measures
from edge_bridge.host.wiring import (
    find_digits,
    make_drift_watch,
    make_engine,
    make_market,
    make_server,
    make_source,
    make_supervisor,
)
from edge_bridge.link.aws import EdgeQueue, EventBus, MarketQueue
from edge_bridge.link.inbox import Inbox
from edge_bridge.link.journal import Journal
from edge_bridge.link.publisher import Publisher
from edge_bridge.metrics import EdgeMetrics, Registry
from edge_bridge.ports import Terminal
from edge_bridge.stream.hub import Hub
from edge_bridge.times import SystemClock

ADVANCE_S = 0.1
"""Accounts are read, closed and told of this often; signals do not wait for it."""
WAIT_S = 0.005
MESSAGES_A_TURN = 100
HEALTH_KEPT = 10_000
STOPPED: Final = "stopped"

_log = logging.getLogger(__name__)


class LiveEdge:
    """One host. `run` returns when it is told to stop; whatever ends by itself ends it too."""

    def __init__(self, config: HostConfig) -> None:
        self._config = config
        state = config.state
        for folder in (state, state / "paper"):
            folder.mkdir(parents=True, exist_ok=True)
        self._clock, self._drift = SystemClock(), make_drift_watch(config)
        self._journal = Journal(state / "edge.db")
        registry = Registry()
        self.hub = Hub(config.name, registry, self._clock)
        self._metrics = EdgeMetrics(registry)
        self._channels = PrivateChannels(self.hub)
        self._told: queue.Queue[tuple[UUID, AccountHealthChanged]] = queue.Queue(HEALTH_KEPT)
        self.supervisor = make_supervisor(config, self._note_health, self._clock)
        source = make_source(config, self.supervisor, self._clock, self._drift)
        self._digits = find_digits(config, source)
        self.market = make_market(
            config, source, self._journal, (self.hub, self._metrics), self.supervisor
        )
        terminals = config.workers.terminals or state / "terminals"
        symbols = tuple(self._digits.items())
        self._accounts = AccountDesk(
            self.supervisor, state / "paper", terminals, symbols, self._find_owner
        )
        told = ToldJournal(self._journal, self._channels.tell)
        self.engine = make_engine(config, told, self._clock, self._accounts.open)
        cloud = config.cloud
        self._inbox = Inbox(self._journal, EdgeQueue(cloud.edge_queue), cloud.eager_poll_ms)
        self._publisher = Publisher(
            self._journal,
            {"bus": EventBus(cloud.event_bus), "market": MarketQueue(cloud.market_queue)},
        )
        self.server = make_server(config, self.hub)
        self._measures = Measures(self._metrics, self.engine, self.supervisor, self._journal)

    def _find_owner(self, account_id: UUID) -> UUID | None:
        account = self.engine.state.directory.accounts.get(account_id)
        return None if account is None else account.tenant_id

    def _note_health(self, tenant_id: UUID, changed: AccountHealthChanged) -> None:
        """On the supervisor's thread: only hand over."""
        try:
            self._told.put_nowait((tenant_id, changed))
        except queue.Full:
            _log.error("health of %s is not told: too much of it", changed.account_id)

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Work until told to stop. Raises what ended one of the parts."""
        self._start()
        next_advance = 0.0
        try:
            while not should_stop():
                self._handle_messages()
                self.engine.collect_answers()
                if time.monotonic() >= next_advance:
                    next_advance = time.monotonic() + ADVANCE_S
                    self._advance()
        finally:
            self._stop()
        return STOPPED

    def _start(self) -> None:
        self._drift.start()
        self.supervisor.start()
        self._seed_returns()
        self.engine.start(self.market.now_ns())
        for tenant_id, plan in self.engine.state.directory.entitlements.items():
            self.hub.set_entitlements(tenant_id, plan)
        self.hub.health(lambda: self._measures.describe_health(self.market.age_s()))
        self._publisher.start()
        self.market.start()
        self._inbox.start()
        self._inbox.expect(True)
        self.server.start()
        _log.info("edge %s is up; stream on port %d", self._config.name, self.server.port)

    def _seed_returns(self) -> None:
        """Volatility and correlation need the last minutes; an earlier process kept them."""
        for symbol in self._digits:
            for text in self._journal.load(f"{BAR_KIND}/{symbol}").values():
                bar = Bar.model_validate_json(text)
                self.engine.state.market.note_bar(symbol, bar.open_ns, bar.close, bar.spread)

    def _stop(self) -> None:
        """Stop taking, then stop working, then tell what is left; the journal keeps the rest."""
        self._inbox.stop(1.0)
        self.market.stop()
        self.server.stop()
        self._keep(self.hub.take_usage(self._clock.now(), final=True))
        self.supervisor.stop()
        self._publisher.stop()
        self._drift.stop()
        self._journal.close()

    def _handle_messages(self) -> None:
        envelope = self._inbox.take(WAIT_S)
        for _ in range(MESSAGES_A_TURN):
            if envelope is None:
                return
            self._show_stream(envelope)
            self.engine.handle(envelope)
            self._follow_accounts(envelope)
            self._inbox.note_handled()
            envelope = self._inbox.take(0)

    def _show_stream(self, envelope: Envelope) -> None:
        """What the stream must know of a message: plans, and who must go."""
        tenant_id, data = envelope.meta.tenant_id, envelope.data
        match data:
            case EntitlementsChanged() if tenant_id is not None:
                self.hub.set_entitlements(tenant_id, data)
            case TenantSuspended() | TenantClosed() if tenant_id is not None:
                self.hub.revoke(tenant_id)
            case TenantReinstated() if tenant_id is not None:
                self.hub.reinstate(tenant_id)
            case AccessRevoked(kind="session"):
                self.hub.revoke(tenant_id, session_id=data.subject_id)
            case AccessRevoked(kind="user"):
                self.hub.revoke(tenant_id, user_id=data.subject_id, before=data.before)

    def _follow_accounts(self, envelope: Envelope) -> None:
        if isinstance(envelope.data, AccountLinked | AccountUnlinked):
            self._follow()

    def _follow(self) -> None:
        state = self.engine.state

        def is_busy(account_id: UUID) -> bool:
            desk = state.desks.get(account_id)
            return desk is not None and bool(desk.orders)

        def replace(account_id: UUID, terminal: Terminal) -> None:
            if account_id in state.desks:
                state.desks[account_id].terminal = terminal

        self._accounts.follow(list(state.directory.accounts.values()), is_busy, replace)

    def _advance(self) -> None:
        self.supervisor.check()
        if self.market.failure is not None:
            raise self.market.failure
        quotes = list(self.market.quotes.values())
        if self._drift.verdict == "wrong":
            quotes = []
            self.engine.state.references.clear()  # without references no entry is made
        self.engine.advance(self.market.now_ns(), quotes)
        self._channels.show(self.engine.state.desks.values())
        self._keep(self._take_health())
        self._keep(self.hub.take_usage(self._clock.now()))
        self._follow()
        self._measures.measure()

    def _take_health(self) -> list[Envelope]:
        found: list[Envelope] = []
        while len(found) < MESSAGES_A_TURN:
            try:
                tenant_id, changed = self._told.get_nowait()
            except queue.Empty:
                break
            if tenant_id in self.engine.state.directory.entitlements or self._is_tenant(tenant_id):
                found.append(Envelope.wrap(changed, tenant_id=tenant_id, now=self._clock.now()))
        return found

    def _is_tenant(self, tenant_id: UUID) -> bool:
        accounts = self.engine.state.directory.accounts.values()
        return any(each.tenant_id == tenant_id for each in accounts)

    def _keep(self, events: list[Envelope]) -> None:
        """Put the host's own events into the outbox; the pen keeps them while the disk is full."""
        if events:
            self.engine.state.journal.write(events=events)
