"""Checks before an order leaves, in one order; not knowing is a reason to deny.

Pure: a picture of the account at one instant in, a ticket or a denial out. The first check that
fails decides. `duplicate_signal`, `symbol_not_entitled` and `quota_exhausted` belong to the
delivery of a signal and are judged before any account of the tenant is.

====  =================  =========================================================================
No.   Check              Denies with
====  =================  =========================================================================
1     check_account      account_unknown, account_not_tradable
2     check_execution    signal_only
3     check_kill_switch  kill_switch
4     check_plan         account_not_tradable
5     check_symbol       symbol_not_allowed
6     check_session      session_closed
7     check_blackouts    news_blackout, rollover_blackout, weekend_blackout
8     check_signal       signal_invalid, signal_expired
9     check_instrument   instrument_unknown, account_not_tradable, signal_invalid
10    check_market       market_closed
11    check_quote        quote_missing, quote_stale
12    check_spread       spread_too_wide
13    check_collar       price_collar
14    check_stop         stop_too_close, signal_invalid
15    check_pace         order_rate_limit, daily_order_limit
16    check_pending      pending_order_limit
17    check_positions    position_limit
18    size_entry         quote_missing, volume_below_minimum
19    check_volume       volume_limit, total_volume_limit
20    check_exposure     exposure_limit, currency_exposure_limit, correlated_exposure_limit,
..    ..                 leverage_limit
21    check_margin       margin_insufficient, margin_level_limit
22    check_losses       reconciliation_pending, daily_loss_limit, weekly_loss_limit,
..    ..                 monthly_loss_limit
23    check_drawdown     drawdown_limit, reconciliation_pending
24    check_pauses       cooldown, losses_in_row
25    check_settled      reconciliation_pending
====  =================  =========================================================================

What is not known: a volatility that sizing needs denies (`quote_missing`); a correlation counts as
full, so that the other symbol's whole notional is added; a held symbol without a price denies
(`currency_exposure_limit`); a news calendar that was never published has no events.
"""

from collections.abc import Callable

from contracts.trading_reasons import DenialReason
from edge_bridge.engine import checks
from edge_bridge.engine.guard import is_drawn_down
from edge_bridge.engine.limits import Limits, RiskLimits
from edge_bridge.engine.picture import Picture, Scene, Ticket
from edge_bridge.engine.sizing import (
    Stake,
    measure_margin,
    measure_notional,
    size_position,
)

__all__ = [
    "CHECKS",
    "Picture",
    "RiskLimits",
    "Scene",
    "Ticket",
    "is_drawn_down",
    "judge",
    "refuse_close",
]

_BP = 10_000
Check = Callable[[Picture, Limits], DenialReason | None]
SizedCheck = Callable[[Picture, Limits, int], DenialReason | None]


def judge(picture: Picture, limits: Limits) -> Ticket | DenialReason:
    """Judge a signal for one account."""
    for check in BEFORE_SIZE:
        reason = check(picture, limits)
        if reason is not None:
            return reason
    volume = size_entry(picture, limits)
    if isinstance(volume, str):
        return volume
    for sized in WITH_SIZE:
        reason = sized(picture, limits, volume)
        if reason is not None:
            return reason
    for check in AFTER_SIZE:
        reason = check(picture, limits)
        if reason is not None:
            return reason
    return _write_ticket(picture, volume)


def refuse_close(market_open: bool | None) -> DenialReason | None:
    """Why a position may not be closed or reduced now: only because the market is known to be
    closed. No limit, latch or missing figure ever holds an exit back."""
    return "market_closed" if market_open is False else None


def size_entry(p: Picture, limits: Limits) -> int | DenialReason:
    """The volume of the entry by the account's method."""
    assert p.state is not None and p.quote is not None and p.contract is not None
    scene = p.scene
    signal, quote = scene.signal, p.quote
    stake = Stake(
        p.state.equity,
        quote.ask if signal.direction == "buy" else quote.bid,
        signal.stop_distance,
        signal.target_distance,
        scene.factor_ppm,
        scene.win_ppm,
        scene.volatility_ppm,
        p.state.leverage,
    )
    volume = size_position(limits.size, stake, p.contract)
    if volume is None:
        return "quote_missing"
    return volume or "volume_below_minimum"


def check_volume(p: Picture, limits: Limits, volume: int) -> DenialReason | None:
    """The order, and all that is held with it, is not too large."""
    assert p.holdings is not None  # check_positions ran first
    if limits.volume_max is not None and volume > limits.volume_max:
        return "volume_limit"
    most = limits.volume_total_max
    return "total_volume_limit" if most is not None and p.holdings.volume + volume > most else None


def check_exposure(p: Picture, limits: Limits, volume: int) -> DenialReason | None:
    """Notional over equity: of the symbol, net of each currency, of what moves together, of all."""
    state, contract, held, quote = p.state, p.contract, p.holdings, p.quote
    assert state is not None and contract is not None and held is not None and quote is not None
    signal, equity = p.scene.signal, state.equity
    notional = measure_notional(volume, quote.ask, state.leverage, contract)
    own = held.gross.get(signal.symbol, 0) + notional
    if own * _BP > equity * limits.symbol_exposure_max_bp:
        return "exposure_limit"
    if held.unpriced:
        return "currency_exposure_limit"
    net, signed = held.net.copy(), notional if signal.direction == "buy" else -notional
    rules = contract.instrument
    net[rules.currency_base] = net.get(rules.currency_base, 0) + signed
    net[rules.currency_profit] = net.get(rules.currency_profit, 0) - signed
    net.pop(state.currency, None)
    if max(map(abs, net.values()), default=0) * _BP > equity * limits.currency_exposure_max_bp:
        return "currency_exposure_limit"
    together, least = own, limits.correlation_min_bp
    for symbol, gross in held.gross.items():
        if symbol != signal.symbol:
            known = p.scene.correlate(symbol)
            together += gross if known is None or known >= least else 0
    if together * _BP > equity * limits.correlated_exposure_max_bp:
        return "correlated_exposure_limit"
    over = (held.total + notional) * _BP > equity * limits.leverage_max_bp
    return "leverage_limit" if over else None


def check_margin(p: Picture, limits: Limits, volume: int) -> DenialReason | None:
    """The account can pay the margin and stays far from a stop-out after the fill."""
    assert p.state is not None and p.contract is not None  # checked before
    state, margin = p.state, measure_margin(volume, p.contract)
    if margin * _BP > state.margin_free * limits.free_margin_share_max_bp:
        return "margin_insufficient"
    least = (state.margin + margin) * limits.margin_level_min_bp
    return "margin_level_limit" if state.equity * _BP < least else None


BEFORE_SIZE: tuple[Check, ...] = (
    checks.check_account, checks.check_execution, checks.check_kill_switch, checks.check_plan,
    checks.check_symbol, checks.check_session, checks.check_blackouts, checks.check_signal,
    checks.check_instrument, checks.check_market, checks.check_quote, checks.check_spread,
    checks.check_collar, checks.check_stop, checks.check_pace, checks.check_pending,
    checks.check_positions,
)  # fmt: skip
WITH_SIZE: tuple[SizedCheck, ...] = (check_volume, check_exposure, check_margin)
AFTER_SIZE: tuple[Check, ...] = (
    checks.check_losses, checks.check_drawdown, checks.check_pauses, checks.check_settled,
)  # fmt: skip
CHECKS: tuple[str, ...] = tuple(
    each.__name__ for each in (*BEFORE_SIZE, size_entry, *WITH_SIZE, *AFTER_SIZE)
)
"""The names of the checks in the order in which they run."""


def _write_ticket(p: Picture, volume: int) -> Ticket:
    assert p.quote is not None  # check_quote ran first
    signal = p.scene.signal
    if signal.direction == "buy":
        price = p.quote.ask
        return Ticket(volume, price, price - signal.stop_distance, price + signal.target_distance)
    price = p.quote.bid
    return Ticket(volume, price, price + signal.stop_distance, price - signal.target_distance)
