"""What the host tells of itself: Prometheus' numbers and the answer of /health."""

from collections import Counter
from uuid import UUID

from contracts.trading_reasons import SlaMetric
from edge_bridge.engine.engine import Engine
from edge_bridge.link.journal import Journal
from edge_bridge.metrics import EdgeMetrics
from edge_bridge.stream.health import HostHealth
from edge_bridge.workers.supervisor import Supervisor

TICK_AGE_MAX_S = 300.0
"""Older prices, and the host is not ready; a closed market is told as such by its age."""


class Measures:
    """Reads the parts, sets the gauges."""

    def __init__(
        self, metrics: EdgeMetrics, engine: Engine, supervisor: Supervisor, journal: Journal
    ) -> None:
        self._metrics, self._engine = metrics, engine
        self._supervisor, self._journal = supervisor, journal
        self._health: Counter[str] = Counter()
        engine.state.promises.on_observed = self._note

    def _note(self, account_id: UUID, metric: SlaMetric, value: float) -> None:
        """A promise of speed was measured; it is told by tenant."""
        desk = self._engine.state.desks.get(account_id)
        if desk is None:
            return
        if metric == "decision_to_order_us":
            self._metrics.decision_to_order.observe(value / 1e6, desk.account.tenant_id)
        elif metric == "order_round_trip_us":
            self._metrics.order_round_trip.observe(value / 1e6, desk.account.tenant_id)

    def measure(self) -> None:
        """Set every gauge anew."""
        health = Counter(str(each.health) for each in self._supervisor.report())
        for gone in self._health.keys() - health.keys():
            self._metrics.accounts.set(0, gone)
        for name, count in health.items():
            self._metrics.accounts.set(count, name)
        self._health = health
        outbox = self._journal.outbox
        self._metrics.outbox_rows.set(sum(outbox.rows.values()))
        self._metrics.outbox_bytes.set(sum(outbox.bytes.values()))
        self._measure_tick_ages()

    def _measure_tick_ages(self) -> None:
        """The age of what each tenant would trade on: the worst of its accounts."""
        state = self._engine.state
        ages: dict[UUID, float] = {}
        for desk in state.desks.values():
            for symbol in state.references:
                quote = desk.read_quote(symbol)
                if quote is not None:
                    age = max(0.0, (state.now_ns - quote.time_ns) / 1e9)
                    tenant = desk.account.tenant_id
                    ages[tenant] = max(age, ages.get(tenant, 0.0))
        for tenant, age in ages.items():
            self._metrics.tick_age.set(age, tenant)

    def describe_health(self, tick_age_s: float | None) -> HostHealth:
        """What /health answers; called from the stream's thread."""
        outbox = self._journal.outbox
        fresh = tick_age_s is not None and tick_age_s <= TICK_AGE_MAX_S
        return HostHealth(
            ready=fresh and self._journal.is_writable(),
            accounts=dict(self._health),
            outbox_rows=sum(outbox.rows.values()),
            outbox_bytes=sum(outbox.bytes.values()),
            tick_age_s=tick_age_s,
        )
