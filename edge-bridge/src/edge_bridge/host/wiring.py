"""How the live edge's parts are made from its configuration; `live.py` ties them together."""

import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from contracts.trading_engine import AccountHealthChanged
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.bridge.feed import LiveFeed
from edge_bridge.bridge.market import MarketBridge
from edge_bridge.bridge.symbols import SymbolMap
from edge_bridge.engine.engine import Engine
from edge_bridge.engine.journal import EngineJournal, OpenTerminal
from edge_bridge.engine.timing import Timing
from edge_bridge.host.config import HostConfig
from edge_bridge.host.drift import DriftRules, DriftWatch
from edge_bridge.host.market import MarketLoop
from edge_bridge.host.secrets import open_passwords
from edge_bridge.host.sources import MarketSource, RecordingSource, TerminalSource
from edge_bridge.link.journal import Journal
from edge_bridge.link.outbox import OutboxBounds, OutboxGuard
from edge_bridge.metrics import EdgeMetrics
from edge_bridge.reconcile import Reconciler
from edge_bridge.stream.hub import Hub
from edge_bridge.stream.issuer import fetch_from
from edge_bridge.stream.server import StreamServer
from edge_bridge.stream.settings import StreamSettings
from edge_bridge.stream.tokens import KeyRing, TokenVerifier
from edge_bridge.times import WallClock
from edge_bridge.workers.policy import SECOND_NS, WatchSettings
from edge_bridge.workers.secrets import PasswordVault
from edge_bridge.workers.supervisor import Supervisor, SupervisorSettings

DIGITS_USUAL = 5
"""Of a symbol whose digits the configuration does not tell."""


def make_drift_watch(config: HostConfig) -> DriftWatch:
    """The clock's watch."""
    clock = config.clock
    return DriftWatch(clock.servers, DriftRules(clock.warn_ms, clock.hold_ms), clock.every_s)


def make_supervisor(
    config: HostConfig, tell: Callable[[UUID, AccountHealthChanged], None], clock: WallClock
) -> Supervisor:
    """The workers' supervisor; one worker more than accounts, for the market's own."""
    workers = config.workers
    watch = WatchSettings(
        start_max_ns=int(workers.start_max_s * SECOND_NS),
        silence_max_ns=int(workers.heartbeat_max_s * SECOND_NS),
    )
    settings = SupervisorSettings(watch=watch, workers_max=workers.accounts_max + 1)
    vault = open_passwords(PasswordVault().open, config.market.password)
    return Supervisor(tell, vault, settings, clock=clock)


def make_source(
    config: HostConfig, supervisor: Supervisor, clock: WallClock, drift: DriftWatch
) -> MarketSource:
    """Where prices come from. Raises ConfigurationUnusable or RecordingUnusable."""
    market = config.market
    if market.source == "recording":
        return RecordingSource(market)
    terminals = config.workers.terminals or config.state / "terminals"
    return TerminalSource(supervisor, market, terminals, clock, lambda: drift.verdict != "wrong")


def find_digits(config: HostConfig, source: MarketSource) -> dict[str, int]:
    """Every symbol with its digits; a recording knows its own."""
    market = config.market
    if isinstance(source, RecordingSource):
        return {market.symbols[0]: source.recording.digits}
    return {symbol: market.digits.get(symbol, DIGITS_USUAL) for symbol in market.symbols}


def make_market(
    config: HostConfig,
    source: MarketSource,
    journal: Journal,
    outlets: tuple[Hub, EdgeMetrics],
    supervisor: Supervisor,
) -> MarketLoop:
    """The market's loop over bridge and feed."""
    market, storage = config.market, config.storage
    clock, digits = outlets[0].clock, find_digits(config, source)
    broker_time = BrokerClock(market.zone, market.ahead_hours)
    name = f"live-{config.name}"
    bridge = MarketBridge(name, digits, journal, clock, broker_time=broker_time)
    guard = OutboxGuard(journal.outbox, OutboxBounds(storage.rows_max, storage.bytes_max))
    symbols = SymbolMap(market.names, market.symbol_suffix)
    feed = LiveFeed(bridge, source, guard, symbols=symbols)
    return MarketLoop(source, (bridge, feed), digits, outlets, supervisor.feed_market)


def make_engine(
    config: HostConfig,
    journal: EngineJournal,
    clock: WallClock,
    open_terminal: OpenTerminal,
) -> Engine:
    """The engine, with waits that no step of the wall clock shortens."""
    promises, grace = config.promises, timedelta(seconds=config.unknown_grace_s)
    timing = Timing(
        answer_wait=timedelta(seconds=config.answer_wait_s),
        reconcile_every=timedelta(seconds=config.reconcile_every_s),
        missing_grace=grace,
        monotonic=time.monotonic,
        sla_limits={
            "tick_age_ms": promises.tick_age_ms,
            "decision_to_order_us": promises.decision_to_order_us,
            "order_round_trip_us": promises.order_round_trip_us,
        },
    )
    return Engine(journal, clock, open_terminal, Reconciler(grace), timing=timing)


def make_server(config: HostConfig, hub: Hub) -> StreamServer:
    """The WebSocket server; tokens are checked with the API's public keys."""
    stream = config.stream
    settings = StreamSettings(
        host=stream.host,
        port=stream.port,
        tls_certificate=stream.certificate,
        tls_key=stream.key,
        connections_max=stream.connections_max,
    )
    tokens = TokenVerifier(stream.issuer, KeyRing(fetch_from(stream.jwks_url, stream.jwks_host)))
    return StreamServer(settings, tokens, hub)
