"""Checks before an order leaves: each has one typed reason, and not knowing is a reason to deny.

Pure: a picture of the account at one instant in, a ticket or a denial out. Checks run in the order
written here and the first that fails decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.ai_orchestration import SignalIssued
from contracts.trading_engine import AccountLinked
from contracts.trading_reasons import DenialReason
from edge_bridge.engine.sizing import Contractual, measure_margin, measure_notional, size_position
from edge_bridge.ports import AccountState, Position, Quote

_BP = 10_000


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of the platform; an account's own (risk, positions, daily loss) come with it."""

    quote_age_max_ns: int = 60_000_000_000
    view_age_max_ns: int = 180_000_000_000
    """An account not read for so long is not known well enough to trade."""
    spread_share_max_bp: int = 5_000
    """Spread over stop distance: beyond half, the cost eats the trade."""
    collar_bp: int = 20
    """How far the account's quote may be from the market data."""
    symbol_exposure_max_bp: int = 300_000
    """Notional in one symbol over equity: 30 times."""
    currency_exposure_max_bp: int = 400_000
    """Net notional in one currency over equity: 40 times."""
    free_margin_share_max_bp: int = 8_000
    """Margin of an order over the free margin."""
    drawdown_max_bp: int = 2_000
    """Fall of equity from its peak that stops the account until a human resumes it."""
    orders_per_minute_max: int = 10
    cooldown_ns: int = 60_000_000_000
    """Pause in a symbol after a stop loss."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of an account when a signal comes. None means not known."""

    now_ns: int
    signal: SignalIssued
    account: AccountLinked | None
    within_plan: bool = False
    settled: bool = False
    """No order of unknown outcome and no position that is not ours."""
    killed: bool = True
    drawn_down: bool = False
    """The drawdown limit was hit before and nobody has resumed the account."""
    state: AccountState | None = None
    state_ns: int = 0
    contracts: dict[str, Contractual] = field(default_factory=dict)
    quote: Quote | None = None
    reference: Quote | None = None
    """The market data's own last quote."""
    positions: Sequence[Position] = ()
    day_equity: int | None = None
    """Equity when the tenant's market day began."""
    day_halted: bool = False
    peak_equity: int | None = None
    orders_in_minute: int = 0
    stopped_ns: int | None = None
    """When the last stop loss in this symbol was hit."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order that may leave."""

    volume: int
    price: int
    stop_loss: int
    take_profit: int


def judge(picture: Picture, limits: RiskLimits) -> Ticket | DenialReason:
    """Judge a signal for one account."""
    for check in _CHECKS:
        reason = check(picture, limits)
        if reason is not None:
            return reason
    return _size(picture, limits)


def _check_account(p: Picture, limits: RiskLimits) -> DenialReason | None:
    if p.account is None:
        return "account_unknown"
    state = p.state
    if state is None or p.now_ns - p.state_ns > limits.view_age_max_ns:
        return "account_not_tradable"
    tradable = state.trade_allowed and state.hedging and state.equity > 0
    if not p.within_plan or not tradable or state.currency != p.account.currency:
        return "account_not_tradable"
    if not p.settled:
        return "reconciliation_pending"
    return "kill_switch" if p.killed else None


def _check_signal(p: Picture, _: RiskLimits) -> DenialReason | None:
    contract = p.contracts.get(p.signal.symbol)
    if contract is None:
        return "instrument_unknown"
    if not contract.instrument.trade_allowed:
        return "account_not_tradable"
    return "signal_invalid" if contract.instrument.digits != p.signal.digits else None


def _check_quote(p: Picture, limits: RiskLimits) -> DenialReason | None:
    quote, reference = p.quote, p.reference
    if quote is None or reference is None or not 0 < quote.bid <= quote.ask:
        return "quote_missing"
    if p.now_ns - min(quote.time_ns, reference.time_ns) > limits.quote_age_max_ns:
        return "quote_stale"
    spread = quote.ask - quote.bid
    if spread * _BP > p.signal.stop_distance * limits.spread_share_max_bp:
        return "spread_too_wide"
    mid2, reference2 = quote.bid + quote.ask, reference.bid + reference.ask
    if abs(mid2 - reference2) * _BP > reference2 * limits.collar_bp:
        return "price_collar"
    level = p.contracts[p.signal.symbol].instrument.stops_level
    # A terminal measures the stop from the side that closes: the spread is already gone.
    if p.signal.stop_distance - spread < level or p.signal.target_distance < level:
        return "stop_too_close"
    return None


def _check_losses(p: Picture, limits: RiskLimits) -> DenialReason | None:
    assert p.state is not None and p.account is not None  # _check_account ran first
    if p.peak_equity is None or p.day_equity is None:
        return "reconciliation_pending"
    if p.drawn_down or is_drawn_down(p.peak_equity, p.state.equity, limits):
        return "drawdown_limit"
    lost = (p.day_equity - p.state.equity) * _BP
    if p.day_halted or lost >= p.day_equity * p.account.max_daily_loss_bp:
        return "daily_loss_limit"
    return None


def is_drawn_down(peak: int, equity: int, limits: RiskLimits) -> bool:
    """Tell whether equity has fallen too far from its peak."""
    return (peak - equity) * _BP >= peak * limits.drawdown_max_bp


def _check_pace(p: Picture, limits: RiskLimits) -> DenialReason | None:
    assert p.account is not None
    if p.orders_in_minute >= limits.orders_per_minute_max:
        return "order_rate_limit"
    if p.stopped_ns is not None and p.now_ns - p.stopped_ns < limits.cooldown_ns:
        return "cooldown"
    return "position_limit" if len(p.positions) >= p.account.max_open_positions else None


_CHECKS = (_check_account, _check_signal, _check_quote, _check_losses, _check_pace)


def _size(p: Picture, limits: RiskLimits) -> Ticket | DenialReason:
    assert p.state is not None and p.account is not None and p.quote is not None
    signal, contract = p.signal, p.contracts[p.signal.symbol]
    volume = size_position(
        p.state.equity,
        p.account.risk_per_trade_bp,
        signal.size_factor,
        signal.stop_distance,
        contract,
    )
    if volume == 0:
        return "volume_below_minimum"
    reason = _check_exposure(p, limits, volume)
    if reason is not None:
        return reason
    margin = measure_margin(volume, contract)
    if margin * _BP > p.state.margin_free * limits.free_margin_share_max_bp:
        return "margin_insufficient"
    if signal.direction == "buy":
        price = p.quote.ask
        stop, target = price - signal.stop_distance, price + signal.target_distance
    else:
        price = p.quote.bid
        stop, target = price + signal.stop_distance, price - signal.target_distance
    if stop <= 0 or target <= 0:
        return "signal_invalid"
    return Ticket(volume, price, stop, target)


def _check_exposure(p: Picture, limits: RiskLimits, volume: int) -> DenialReason | None:
    """Gross notional in the symbol and net notional in each foreign currency, over equity."""
    assert p.state is not None
    signed = volume if p.signal.direction == "buy" else -volume
    held = [(p.signal.symbol, signed)]
    for each in p.positions:
        held.append((each.symbol, each.volume if each.side == "buy" else -each.volume))
    gross = 0
    net: dict[str, int] = {}
    for symbol, amount in held:
        contract = p.contracts.get(symbol)
        if contract is None:
            return "currency_exposure_limit"
        notional = measure_notional(abs(amount), p.state.leverage, contract)
        gross += notional if symbol == p.signal.symbol else 0
        sign = 1 if amount > 0 else -1
        base, quoted = contract.instrument.currency_base, contract.instrument.currency_profit
        net[base] = net.get(base, 0) + sign * notional
        net[quoted] = net.get(quoted, 0) - sign * notional
    if gross * _BP > p.state.equity * limits.symbol_exposure_max_bp:
        return "exposure_limit"
    net.pop(p.state.currency, None)
    largest = max((abs(amount) for amount in net.values()), default=0)
    if largest * _BP > p.state.equity * limits.currency_exposure_max_bp:
        return "currency_exposure_limit"
    return None
