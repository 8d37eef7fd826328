"""What binds an account: the platform's bounds, narrowed by the owner's settings and the link.

Worked out once when one of the three changes, into integers and nanoseconds, so that a signal
compares numbers and nothing else. Settings can only narrow: of two maxima the smaller holds, of
two pauses the longer. An account has its own settings, else its tenant's, else the platform's.
"""

from dataclasses import dataclass
from uuid import UUID

from contracts.trading_engine import AccountLinked, TradingLimitsChanged
from contracts.trading_limits import LossBasis, LossPeriod, SessionWindow, TradingLimits
from edge_bridge.engine.directory import Account
from edge_bridge.engine.sizing import SizeRule

_S = 1_000_000_000
_MS = 1_000_000
DEFAULTS = TradingLimits()
LIMITS_KEPT = 100_000
"""So many settings are kept; those of a tenant beyond are not taken."""


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Bounds of the platform, for every account."""

    quote_age_max_ns: int = 60 * _S
    view_age_max_ns: int = 180 * _S
    """An account not read for so long is not known well enough to trade."""
    spread_share_max_bp: int = 5_000
    """Spread over stop distance: beyond half, the cost eats the trade."""
    collar_bp: int = 20
    """How far the account's quote may be from the market data."""
    symbol_exposure_max_bp: int = 300_000
    """Notional in one symbol over equity: 30 times."""
    currency_exposure_max_bp: int = 400_000
    """Net notional in one currency over equity: 40 times."""
    correlated_exposure_max_bp: int = 500_000
    leverage_max_bp: int = 1_000_000
    free_margin_share_max_bp: int = 8_000
    """Margin of an order over the free margin."""
    margin_level_min_bp: int = 20_000
    """Equity over margin after the fill."""
    drawdown_max_bp: int = 2_000
    """Fall of equity from its peak that stops the account until a human resumes it."""
    orders_per_minute_max: int = 10
    cooldown_ns: int = 60 * _S
    """Pause in a symbol after a stop loss."""
    defaults: TradingLimits | None = None
    """For accounts whose owner set nothing. None: the bounds above as they are, the account's own
    risk at the stop, and for the rest what a contract without settings says."""


@dataclass(frozen=True, slots=True)
class LossRule:
    """A loss that stops entries for the rest of a period."""

    period: LossPeriod
    basis: LossBasis
    max_bp: int
    close: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one account, ready to compare. None: no such limit."""

    trades: bool
    symbols: frozenset[str] | None
    session_bounds: tuple[int, ...] | None
    """Minutes of the UTC week, ascending: open from the first to the second, and so on."""
    news_before_ns: int
    news_after_ns: int
    rollover_before_ns: int
    rollover_after_ns: int
    broker_clock: tuple[str, int]
    """Zone of the broker's clock and hours it is ahead."""
    weekend_before_ns: int
    signal_age_max_ns: int
    view_age_max_ns: int
    quote_age_max_ns: int
    spread_max: int | None
    spread_share_max_bp: int
    collar_bp: int
    orders_per_minute_max: int
    orders_per_day_max: int | None
    pending_orders_max: int
    positions_max: int
    size: SizeRule
    volume_max: int | None
    volume_total_max: int | None
    symbol_exposure_max_bp: int
    currency_exposure_max_bp: int
    correlated_exposure_max_bp: int
    correlation_min_bp: int
    leverage_max_bp: int
    free_margin_share_max_bp: int
    margin_level_min_bp: int
    losses: tuple[LossRule, ...]
    drawdown_max_bp: int
    cooldown_ns: int
    losses_in_row_max: int | None
    losses_cooldown_ns: int


def narrow_limits(bounds: RiskLimits, own: TradingLimits | None, linked: AccountLinked) -> Limits:
    """Work out what binds an account from the platform's bounds, its settings and its link."""
    told = own or bounds.defaults
    wish = told or TradingLimits()

    def least(bound: int, value: int) -> int:
        return min(bound, value) if told else bound

    def most(bound: int, value: int) -> int:
        return max(bound, value) if told else bound

    return Limits(
        trades=wish.execution == "trade",
        symbols=None if wish.symbols is None else frozenset(wish.symbols),
        session_bounds=join_sessions(wish.sessions),
        news_before_ns=wish.news_before_s * _S,
        news_after_ns=wish.news_after_s * _S,
        rollover_before_ns=wish.rollover_before_s * _S,
        rollover_after_ns=wish.rollover_after_s * _S,
        broker_clock=(linked.broker_zone, linked.broker_ahead_hours),
        weekend_before_ns=wish.weekend_before_s * _S,
        signal_age_max_ns=wish.signal_age_max_s * _S,
        view_age_max_ns=bounds.view_age_max_ns,
        quote_age_max_ns=least(bounds.quote_age_max_ns, wish.quote_age_max_ms * _MS),
        spread_max=wish.spread_max,
        spread_share_max_bp=least(bounds.spread_share_max_bp, wish.spread_share_max_bp),
        collar_bp=least(bounds.collar_bp, wish.collar_bp),
        orders_per_minute_max=least(bounds.orders_per_minute_max, wish.orders_per_minute_max),
        orders_per_day_max=wish.orders_per_day_max,
        pending_orders_max=wish.pending_orders_max,
        positions_max=min(linked.max_open_positions, wish.positions_max or 500),
        size=_read_size(told, linked),
        volume_max=wish.volume_max,
        volume_total_max=wish.volume_total_max,
        symbol_exposure_max_bp=least(bounds.symbol_exposure_max_bp, wish.symbol_exposure_max_bp),
        currency_exposure_max_bp=least(
            bounds.currency_exposure_max_bp, wish.currency_exposure_max_bp
        ),
        correlated_exposure_max_bp=least(
            bounds.correlated_exposure_max_bp, wish.correlated_exposure_max_bp
        ),
        correlation_min_bp=wish.correlation_min_bp,
        leverage_max_bp=least(bounds.leverage_max_bp, wish.leverage_max_bp),
        free_margin_share_max_bp=least(
            bounds.free_margin_share_max_bp, wish.free_margin_share_max_bp
        ),
        margin_level_min_bp=most(bounds.margin_level_min_bp, wish.margin_level_min_bp),
        losses=_read_losses(wish, linked),
        drawdown_max_bp=least(bounds.drawdown_max_bp, wish.drawdown_max_bp),
        cooldown_ns=most(bounds.cooldown_ns, wish.cooldown_s * _S),
        losses_in_row_max=wish.losses_in_row_max,
        losses_cooldown_ns=wish.losses_cooldown_s * _S,
    )


def _read_size(told: TradingLimits | None, linked: AccountLinked) -> SizeRule:
    cap = linked.risk_per_trade_bp
    if told is None:
        return SizeRule(cap_bp=cap, risk_bp=cap)
    sizing = told.sizing
    return SizeRule(
        method=sizing.method,
        cap_bp=cap,
        risk_bp=min(cap, sizing.risk_bp),
        lot=sizing.fixed_lot,
        volatility_bp=sizing.target_volatility_bp,
        kelly_bp=sizing.kelly_fraction_bp,
        kelly_cap_bp=min(cap, sizing.kelly_cap_bp),
        ratio_ppm=sizing.account_ratio_ppm,
    )


def _read_losses(wish: TradingLimits, linked: AccountLinked) -> tuple[LossRule, ...]:
    """The link's daily loss beside the owner's rules: each is measured, each may close."""
    linked_rule = LossRule("day", "equity", linked.max_daily_loss_bp, close=False)
    own = (LossRule(e.period, e.basis, e.max_bp, e.close_positions) for e in wish.losses)
    return (linked_rule, *own)


def join_sessions(sessions: tuple[SessionWindow, ...]) -> tuple[int, ...] | None:
    """The windows' bounds in minutes of the week, overlaps joined; None when it is always open."""
    if not sessions:
        return None
    spans = sorted((e.weekday * 1_440 + e.from_minute, e.weekday * 1_440 + e.to_minute)
                   for e in sessions)  # fmt: skip
    bounds: list[int] = []
    for start, end in spans:
        if bounds and start <= bounds[-1]:
            bounds[-1] = max(bounds[-1], end)
        else:
            bounds += (start, end)
    return tuple(bounds)


class LimitBook:
    """Settings of tenants and accounts, newest version each, and the limits they lead to."""

    def __init__(self, bounds: RiskLimits) -> None:
        self._bounds = bounds
        self._told: dict[tuple[UUID, UUID | None], TradingLimitsChanged] = {}
        self._wishes: dict[UUID, tuple[Account, TradingLimits]] = {}
        self._worked_out: dict[UUID, tuple[Account, Limits]] = {}

    def take(
        self, tenant_id: UUID | None, message: TradingLimitsChanged
    ) -> tuple[str, str, str] | None:
        """Take settings; return the record to keep when they are newer than those known."""
        if tenant_id is None:
            return None
        key = (tenant_id, message.account_id)
        known = self._told.get(key)
        if known is not None and known.version >= message.version:
            return None
        if known is None and len(self._told) >= LIMITS_KEPT:
            return None
        self._told[key] = message
        for account_id, (account, _) in list(self._worked_out.items()):
            if account.tenant_id == tenant_id:
                del self._worked_out[account_id]
        for account_id, (account, _) in list(self._wishes.items()):
            if account.tenant_id == tenant_id:
                del self._wishes[account_id]
        name = f"{tenant_id}/{message.account_id or ''}"
        return "limits", name, message.model_dump_json()

    def load(self, records: dict[str, str]) -> None:
        """Take back what `take` gave to keep."""
        for name, text in records.items():
            tenant_id = UUID(name.partition("/")[0])
            self.take(tenant_id, TradingLimitsChanged.model_validate_json(text))

    def of(self, account: Account) -> TradingLimits:
        """What the owner of an account said: for the account, else for all, else nothing."""
        known = self._wishes.get(account.account_id)
        if known is not None and known[0] is account:
            return known[1]
        told = self._told.get((account.tenant_id, account.account_id))
        told = told or self._told.get((account.tenant_id, None))
        wish = told.limits if told else self._bounds.defaults or DEFAULTS
        self._wishes[account.account_id] = account, wish
        return wish

    def describe(self) -> dict[str, object]:
        """Everything known, for the digest."""
        return {
            f"{tenant_id}/{account_id or ''}": each.model_dump(mode="json")
            for (tenant_id, account_id), each in self._told.items()
        }

    def find(self, account: Account) -> Limits | None:
        """The limits of an account; None when only its end is known. Worked out once a change."""
        known = self._worked_out.get(account.account_id)
        if known is not None and known[0] is account:
            return known[1]
        if account.linked is None:
            return None
        told = self._told.get((account.tenant_id, account.account_id))
        told = told or self._told.get((account.tenant_id, None))
        limits = narrow_limits(self._bounds, told.limits if told else None, account.linked)
        self._worked_out[account.account_id] = account, limits
        return limits
