"""What tenants, plans and models send to the edge, drawn from one seed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Command, Envelope, Event, Meta
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import (
    AccountLinked,
    AccountUnlinked,
    EngageKillSwitch,
    ReleaseKillSwitch,
    TradingLimitsChanged,
)
from contracts.trading_limits import ExitPlan, Sizing, TradingLimits
from edge_bridge.times import instant

ACCOUNTS = 20
TENANTS = 8
POSITIONS_MAX = 2


def draw_id(rng: Random) -> UUID:
    """An id of a story's own."""
    return UUID(int=rng.getrandbits(128), version=4)


@dataclass
class Cast:
    """Tenants and their accounts."""

    rng: Random
    tenants: list[UUID] = field(default_factory=list)
    accounts: dict[UUID, UUID] = field(default_factory=dict)
    """Account -> tenant."""
    versions: dict[object, int] = field(default_factory=dict)
    forged: set[UUID] = field(default_factory=set)
    """Signals that no model issued."""

    def __post_init__(self) -> None:
        self.tenants = [draw_id(self.rng) for _ in range(TENANTS)]
        for number in range(ACCOUNTS):
            self.accounts[draw_id(self.rng)] = self.tenants[number % TENANTS]

    def next_version(self, subject: object) -> int:
        """One more than the last of this subject."""
        self.versions[subject] = self.versions.get(subject, 0) + 1
        return self.versions[subject]

    def wrap(self, data: Event | Command, tenant_id: UUID | None, now: datetime) -> Envelope:
        """Put a message in an envelope whose ids the seed decides."""
        event_id = draw_id(self.rng)
        return Envelope(
            meta=Meta(
                event_id=event_id, tenant_id=tenant_id, occurred_at=now, correlation_id=event_id,
                schema_version=1,
            ),
            data=data,
        )  # fmt: skip

    def entitle(self, tenant_id: UUID, now: datetime) -> Envelope:
        """A plan: some with a delay, some with a day's quota."""
        rng = self.rng
        quota = rng.choice((None, None, 3, 8))
        data = EntitlementsChanged(
            version=self.next_version(("plan", tenant_id)), tier="enterprise",
            symbols=("*",), predictions_per_day=quota,
            prediction_delay_s=rng.choice((0, 0, 0, 30)), live_accounts=10, paper_accounts=10,
        )  # fmt: skip
        return self.wrap(data, tenant_id, now)

    def link(self, account_id: UUID, now: datetime) -> Envelope:
        """An account, linked or linked again under a higher version."""
        data = AccountLinked(
            account_id=account_id, mode="paper",
            login=5_000_001 + list(self.accounts).index(account_id), server="Chaos", leverage=100,
            initial_balance_cents=1_000_000, risk_per_trade_bp=20,
            max_open_positions=POSITIONS_MAX, max_daily_loss_bp=2_000,
            version=self.next_version(("account", account_id)),
        )  # fmt: skip
        return self.wrap(data, self.accounts[account_id], now)

    def unlink(self, account_id: UUID, now: datetime) -> Envelope:
        """The end of a link."""
        version = self.next_version(("account", account_id))
        data = AccountUnlinked(account_id=account_id, version=version)
        return self.wrap(data, self.accounts[account_id], now)

    def signal(self, now_ns: int, now: datetime) -> Envelope:
        """A decision to trade."""
        rng = self.rng
        data = SignalIssued(
            signal_id=draw_id(rng), decision_id=draw_id(rng), bar_id=draw_id(rng),
            symbol="EURUSD", digits=5, timeframe="M1", direction=rng.choice(("buy", "sell")),
            probability=0.6, size_factor=rng.choice((0.3, 1.0)),
            stop_distance=rng.choice((60, 200)), target_distance=rng.choice((60, 300)),
            horizon_s=rng.choice((20, 120, 600)),
            as_of=instant(now_ns), expires_at=instant(now_ns) + timedelta(seconds=60),
            model_version="chaos",
        )  # fmt: skip
        return self.wrap(data, None, now)

    def impersonate(self, known: list[UUID], now_ns: int, now: datetime) -> Envelope:
        """A tenant speaks of another's account, or as if it were the platform."""
        rng = self.rng
        account_id = rng.choice(known)
        stranger = rng.choice([t for t in self.tenants if t != self.accounts[account_id]])
        if rng.random() < 0.3:
            signal = self.signal(now_ns, now)
            self.forged.add(signal.data.signal_id)  # type: ignore[attr-defined]
            return self.wrap(signal.data, stranger, now)  # type: ignore[arg-type]
        version = 1_000_000 + rng.randrange(1_000_000)
        linked = self.link(account_id, now).data
        forged: list[Command | Event] = [
            linked.model_copy(update={"version": version, "max_open_positions": 50}),  # type: ignore[list-item]
            AccountUnlinked(account_id=account_id, version=version),
            TradingLimitsChanged(account_id=account_id, version=version, limits=TradingLimits()),
        ]
        return self.wrap(rng.choice(forged), stranger, now)

    def change_limits(self, now: datetime) -> Envelope:
        """New limits of a tenant or of one account."""
        rng = self.rng
        account_id = rng.choice(list(self.accounts))
        tenant_id = self.accounts[account_id]
        owner = rng.choice((account_id, None))
        limits = TradingLimits(
            execution=rng.choice(("trade", "trade", "trade", "signal_only")),
            sizing=Sizing(method=rng.choice(("fixed_risk", "fixed_lot")), fixed_lot=2),
            exits=ExitPlan(
                trailing_start=rng.choice((0, 20)), trailing_distance=30,
                break_even_at=rng.choice((0, 15)), partial_close_at=rng.choice((0, 10)),
            ),
            positions_max=rng.choice((None, 1)), signal_age_max_s=120, cooldown_s=0,
        )  # fmt: skip
        version = self.next_version(("limits", tenant_id, owner))
        data = TradingLimitsChanged(account_id=owner, version=version, limits=limits)
        return self.wrap(data, tenant_id, now)

    def engage(self, now: datetime) -> Envelope:
        """Stop a tenant, now and then the whole host."""
        tenant_id = self.rng.choice([*self.tenants, None])
        data = EngageKillSwitch(
            command_id=draw_id(self.rng), version=self.next_version(("kill", tenant_id)),
            flatten=self.rng.random() < 0.4, reason="chaos",
        )  # fmt: skip
        return self.wrap(data, tenant_id, now)

    def release(self, tenant_id: UUID | None, now: datetime) -> Envelope:
        """Arm a scope again, within five minutes."""
        data = ReleaseKillSwitch(
            command_id=draw_id(self.rng), version=self.next_version(("kill", tenant_id)),
            expires_at=now + timedelta(seconds=self.rng.choice((1, 300))),
        )  # fmt: skip
        return self.wrap(data, tenant_id, now)
