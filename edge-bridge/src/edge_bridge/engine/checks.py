"""The checks that need no volume: account, calendar, signal, prices, pace.

Each looks at one thing and answers with the reason to deny, or None. Their order is `risk.CHECKS`.
"""

from bisect import bisect_right

from contracts.trading_reasons import DenialReason
from edge_bridge.engine.guard import find_loss, find_pause, is_drawn_down
from edge_bridge.engine.limits import Limits
from edge_bridge.engine.picture import Picture

BP = 10_000
FUTURE_MAX_NS = 5_000_000_000
"""Clocks of market data, broker and edge may differ so much."""


def check_account(p: Picture, limits: Limits) -> DenialReason | None:
    """The account is linked, was read lately, and its broker lets it trade."""
    account, state = p.account, p.state
    if account is None:
        return "account_unknown"
    if state is None or p.scene.now_ns - p.state_ns > limits.view_age_max_ns:
        return "account_not_tradable"
    tradable = state.trade_allowed and state.hedging and state.equity > 0
    return None if tradable and state.currency == account.currency else "account_not_tradable"


def check_execution(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """The owner wants signals traded, not only shown."""
    return None if limits.trades else "signal_only"


def check_kill_switch(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """No kill switch is latched."""
    return "kill_switch" if p.killed else None


def check_plan(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """The plan has room for the account."""
    return None if p.within_plan else "account_not_tradable"


def check_symbol(p: Picture, limits: Limits) -> DenialReason | None:
    """The owner trades the symbol."""
    allowed = limits.symbols
    return None if allowed is None or p.scene.signal.symbol in allowed else "symbol_not_allowed"


def check_session(p: Picture, limits: Limits) -> DenialReason | None:
    """Now is within the owner's hours."""
    bounds = limits.session_bounds
    if bounds is None:
        return None
    minute = p.scene.week_minute
    return None if minute is not None and bisect_right(bounds, minute) & 1 else "session_closed"


def check_blackouts(p: Picture, limits: Limits) -> DenialReason | None:
    """Now is not around news, the broker's midnight, or just before the weekend."""
    scene = p.scene
    now_ns = scene.now_ns
    before, after = limits.news_before_ns, limits.news_after_ns
    if (before or after) and p.contract is not None:
        rules = p.contract.instrument
        around = scene.find_news(rules.currency_base, rules.currency_profit)
        if around is None or now_ns < around[0] + after or now_ns >= around[1] - before:
            return "news_blackout"
    before, after = limits.rollover_before_ns, limits.rollover_after_ns
    if before or after:
        around = scene.find_rollovers(limits.broker_clock)
        if around is None or now_ns < around[0] + after or now_ns >= around[1] - before:
            return "rollover_blackout"
    before, ends_ns = limits.weekend_before_ns, scene.week_ends_ns
    if (
        before
        and scene.market_open is not False
        and (ends_ns is None or now_ns >= ends_ns - before)
    ):
        return "weekend_blackout"
    return None


def check_signal(p: Picture, limits: Limits) -> DenialReason | None:
    """The signal is of now."""
    scene = p.scene
    now_ns, as_of_ns, expires_ns = scene.now_ns, scene.as_of_ns, scene.expires_ns
    if as_of_ns > now_ns + FUTURE_MAX_NS or expires_ns <= as_of_ns:
        return "signal_invalid"
    if now_ns >= expires_ns or now_ns - max(as_of_ns, p.due_ns) > limits.signal_age_max_ns:
        return "signal_expired"
    return None


def check_instrument(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """The broker lists the symbol, lets it be traded, and counts its prices as the signal does."""
    contract = p.contract
    if contract is None:
        return "instrument_unknown"
    if not contract.instrument.trade_allowed:
        return "account_not_tradable"
    return None if contract.instrument.digits == p.scene.signal.digits else "signal_invalid"


def check_market(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """The market's week is open."""
    return None if p.scene.market_open is True else "market_closed"


def check_quote(p: Picture, limits: Limits) -> DenialReason | None:
    """Both prices are known and of now."""
    quote, reference, now_ns = p.quote, p.scene.reference, p.scene.now_ns
    if quote is None or reference is None:
        return "quote_missing"
    if not 0 < quote.bid <= quote.ask or not 0 < reference.bid <= reference.ask:
        return "quote_missing"
    oldest, newest = quote.time_ns, reference.time_ns
    if oldest > newest:
        oldest, newest = newest, oldest
    if now_ns - oldest > limits.quote_age_max_ns or newest > now_ns + FUTURE_MAX_NS:
        return "quote_stale"
    return None


def check_spread(p: Picture, limits: Limits) -> DenialReason | None:
    """The spread is small, in points and beside the stop."""
    assert p.quote is not None  # check_quote ran first
    spread, most = p.quote.ask - p.quote.bid, limits.spread_max
    if most is not None and spread > most:
        return "spread_too_wide"
    share = p.scene.signal.stop_distance * limits.spread_share_max_bp
    return "spread_too_wide" if spread * BP > share else None


def check_collar(p: Picture, limits: Limits) -> DenialReason | None:
    """The account's price is near the market data's."""
    quote, reference = p.quote, p.scene.reference
    assert quote is not None and reference is not None  # check_quote ran first
    twice = reference.bid + reference.ask
    away = abs(quote.bid + quote.ask - twice)
    return "price_collar" if away * BP > twice * limits.collar_bp else None


def check_stop(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """Stop and target are as far away as the broker wants, and are prices."""
    assert p.quote is not None and p.contract is not None  # checked before
    signal, quote = p.scene.signal, p.quote
    level = p.contract.instrument.stops_level
    # A terminal measures the stop from the side that closes: the spread is already gone.
    if signal.stop_distance - (quote.ask - quote.bid) < level or signal.target_distance < level:
        return "stop_too_close"
    if signal.direction == "buy":
        return None if quote.ask > signal.stop_distance else "signal_invalid"
    return None if quote.bid > signal.target_distance else "signal_invalid"


def check_pace(p: Picture, limits: Limits) -> DenialReason | None:
    """Not too many orders in a minute, nor on a day."""
    minute = p.orders_in_minute
    if minute is None or minute >= limits.orders_per_minute_max:
        return "order_rate_limit"
    most = limits.orders_per_day_max
    if most is not None and (p.orders_today is None or p.orders_today >= most):
        return "daily_order_limit"
    return None


def check_pending(p: Picture, limits: Limits) -> DenialReason | None:
    """Not too many orders wait for their price."""
    held = p.holdings
    over = held is None or held.pending > limits.pending_orders_max
    return "pending_order_limit" if over else None


def check_positions(p: Picture, limits: Limits) -> DenialReason | None:
    """There is room for one more position."""
    held = p.holdings
    return "position_limit" if held is None or held.positions >= limits.positions_max else None


def check_losses(p: Picture, limits: Limits) -> DenialReason | None:
    """No loss limit of day, week or month is reached or latched."""
    assert p.state is not None  # check_account ran first
    if p.guard is None or p.periods is None:
        return "reconciliation_pending"
    return find_loss(p.guard, p.state, limits, p.periods)


def check_drawdown(p: Picture, limits: Limits) -> DenialReason | None:
    """Equity is near its peak, and no drawdown is latched."""
    assert p.state is not None and p.guard is not None  # checked before
    if p.guard.killed == "drawdown":
        return "drawdown_limit"
    if p.guard.peak_equity is None:
        return "reconciliation_pending"
    fallen = is_drawn_down(p.guard.peak_equity, p.state.equity, limits.drawdown_max_bp)
    return "drawdown_limit" if fallen else None


def check_pauses(p: Picture, limits: Limits) -> DenialReason | None:
    """Neither the symbol nor the account rests after losses."""
    assert p.guard is not None  # check_losses ran first
    return find_pause(p.guard, p.scene.signal.symbol, limits, p.scene.now_ns)


def check_settled(p: Picture, limits: Limits) -> DenialReason | None:  # noqa: ARG001
    """The broker's books and ours agree."""
    return None if p.settled else "reconciliation_pending"
