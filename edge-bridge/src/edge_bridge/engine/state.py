"""Everything the engine knows, in one place that its parts share; read back at the start."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.subscription_service import EntitlementsChanged, QuotaExhausted
from contracts.trading_limits import TradingLimits
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.differences import Differences
from edge_bridge.engine.directory import Account, Directory
from edge_bridge.engine.flights import Acts, OrderFlight
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.journal import BusinessClock, Record
from edge_bridge.engine.limits import LimitBook, RiskLimits
from edge_bridge.engine.market_watch import MarketWatch
from edge_bridge.engine.memory import PAIRS_KEPT, EndedOrders, Outcome, Pairs
from edge_bridge.engine.models import Delivery, Order, read_value
from edge_bridge.engine.pen import Pen
from edge_bridge.engine.quota import DailyQuota
from edge_bridge.engine.sla import Promises
from edge_bridge.engine.switches import Switches
from edge_bridge.engine.timing import Timing
from edge_bridge.ports import Quote

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OVER = frozenset({"closed", "rejected", "denied"})
_NOT_ACTED = frozenset({"duplicate_signal", "signal_invalid", "symbol_not_entitled"})
"""Denials before it is asked whether the bar was acted on."""


def to_instant(time_ns: int) -> datetime:
    """A market time as an instant."""
    return _EPOCH + timedelta(microseconds=time_ns // 1_000)


def to_ns(moment: datetime) -> int:
    """An instant as nanoseconds since the epoch."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000


@dataclass(slots=True)
class EngineState:
    """Shared by the engine's parts."""

    journal: Pen
    clock: BusinessClock
    limits: RiskLimits
    timing: Timing = field(default_factory=Timing)
    now_ns: int = 0
    """Market time."""
    limit_book: LimitBook = field(init=False)
    market: MarketWatch = field(default_factory=MarketWatch)
    directory: Directory = field(default_factory=Directory)
    quota: DailyQuota = field(default_factory=DailyQuota)
    desks: dict[UUID, Desk] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    references: dict[str, Quote] = field(default_factory=dict)
    handled: Pairs[Outcome] = field(default_factory=Pairs)
    """(signal, account) with an outcome."""
    delivered: Pairs[str] = field(default_factory=Pairs)
    """(signal, tenant) -> the day the prediction counts for."""
    bars: Pairs[UUID] = field(default_factory=Pairs)
    """(bar, tenant) -> the signal that was acted on."""
    ended: EndedOrders = field(default_factory=EndedOrders)
    """Orders told not to be executed, should one of them show up at the broker."""
    orders: dict[UUID, dict[str, Order]] = field(default_factory=dict)
    """Orders that are not over, by account: handed to the desk when it opens."""
    sent: dict[UUID, list[int]] = field(default_factory=dict)
    guards: dict[UUID, Guard] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)
    differences: Differences = field(default_factory=Differences)
    in_flight: dict[str, OrderFlight] = field(default_factory=dict)
    """Orders that were handed over and have not answered, by key."""
    told_killed: dict[UUID, str] = field(default_factory=dict)
    """Accounts whose own latch was reported, and its reason."""
    market_over: bool = False
    """The data is over: what still opens is closed."""
    refused: Counter[str] = field(default_factory=Counter)
    """Messages that changed nothing because they cannot be true, by type."""
    orders_made: int = 0
    _started: datetime | None = None
    acts: Acts = field(init=False)
    promises: Promises = field(init=False)

    def __post_init__(self) -> None:
        self.limit_book = LimitBook(self.limits)
        self.acts = Acts(self.timing.answer_wait, self._is_market_open)
        self.promises = Promises(self.timing.sla_limits, self.timing.sla_window_s)

    def _is_market_open(self, now_ns: int) -> bool | None:
        return self.market.calendar.find_market_week(now_ns).open

    def steady(self) -> datetime:
        """Now, for measuring waits: the wall clock of the start and what has passed since."""
        monotonic = self.timing.monotonic
        if monotonic is None:
            return self.clock.now()
        if self._started is None:
            self._started = self.clock.now() - timedelta(seconds=monotonic())
        return self._started + timedelta(seconds=monotonic())

    def limits_of(self, account: Account) -> TradingLimits:
        """The limits that hold for an account."""
        return self.limit_book.of(account)

    def remember(self, order: Order) -> None:
        """Keep what an order says about later signals."""
        outcome = Outcome(order.decided_at, order.bar_id, order.tenant_id, bool(order.magic))
        self.handled.add(order.signal_id, order.account_id, outcome)
        if order.denial not in _NOT_ACTED:
            self.bars.add(order.bar_id, order.tenant_id, order.signal_id)

    def note_delivered(self, signal_id: UUID, tenant_id: UUID, day: str) -> None:
        """Count a prediction, once a signal and tenant."""
        if self.delivered.add(signal_id, tenant_id, day):
            self.quota.count(tenant_id, day)

    def load(self) -> None:
        """Read everything back from the journal."""
        load = self.journal.load
        for text in load("account").values():
            account = Account.model_validate_json(text)
            self.directory.accounts[account.account_id] = account
        for key, text in load("entitlements").items():
            self.directory.entitlements[UUID(key)] = EntitlementsChanged.model_validate_json(text)
        for key, text in load("exhausted").items():
            self.quota.latch(UUID(key), QuotaExhausted.model_validate_json(text))
        for key, text in load("guard").items():
            self.guards[UUID(key)] = Guard.model_validate_json(text)
        self.limit_book.load(load("limits"))
        self.market.calendar.load(load("news"))
        for key, text in load("delivery").items():
            self.deliveries[key] = read_value(Delivery, text)
        self.told_killed = {UUID(key): text for key, text in load("told_killed").items()}
        self.switches.load(load)
        self.differences.load(load)
        self._load_orders(load)

    def _load_orders(self, load: Callable[[str], dict[str, str]]) -> None:
        orders = [read_value(Order, text) for text in load("order").values()]
        orders.sort(key=lambda order: (order.decided_at, order.key))
        surplus = len(orders) - PAIRS_KEPT
        forgotten: list[Record] = []
        for place, order in enumerate(orders):
            if place < surplus and order.state in _OVER:
                forgotten.append(("order", order.key, None))
                continue
            self.remember(order)
            if order.delivered_day is not None:
                self.note_delivered(order.signal_id, order.tenant_id, order.delivered_day)
            if order.state == "rejected":
                self.ended.note(order)
            if order.state not in _OVER:
                self.orders.setdefault(order.account_id, {})[order.key] = order
            if order.magic:
                self.orders_made += 1
                self.sent.setdefault(order.account_id, []).append(order.decided_ns)
        if forgotten:
            self.journal.write(records=forgotten)

    def each_open(self) -> Iterator[tuple[Desk, Order]]:
        """Every order that is not over, with its desk; safe to change them meanwhile."""
        for desk in list(self.desks.values()):
            for order in list(desk.orders.values()):
                yield desk, order
