"""Whatever the picture and the settings: a ticket keeps every limit, and tighter never lets in.

The limits are worked out a second time here, from the settings as they are written, with fractions
and the standard library's calendar; nothing of the engine's arithmetic is used.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.trading_engine import AccountLinked
from contracts.trading_limits import LossLimit, SessionWindow, TradingLimits
from edge_bridge.engine.calendar import TradingCalendar, find_market_week, find_week_minute
from edge_bridge.engine.holdings import sum_holdings
from edge_bridge.engine.limits import RiskLimits, narrow_limits
from edge_bridge.engine.picture import Picture
from edge_bridge.engine.risk import Ticket, judge
from edge_bridge.ports import PendingOrder, Position, Quote
from edge_bridge.times import instant
from tests.edge_bridge.cloud import link_account
from tests.edge_bridge.risk_kit import (
    CONTRACTS,
    NOW,
    S,
    make_guard,
    make_mark,
    make_pending,
    make_picture,
    make_position,
    make_signal,
    make_state,
)

BP = 10_000
NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = ("EURUSD", "GBPUSD", "EURJPY")


@dataclass
class Case:
    """A picture with all it was drawn from."""

    picture: Picture
    positions: list[Position]
    pending: list[PendingOrder]
    correlations: dict[str, int | None]
    news: tuple[int, ...]


class Vary:
    """Draws a few of many values, so that most drawn pictures are of accounts that may trade."""

    def __init__(self, draw: Any, most: int) -> None:
        self._draw, self._left = draw, most

    def __call__(self, usual: Any, strategy: Any) -> Any:
        if self._left and self._draw(st.integers(0, 3)) == 0:
            self._left -= 1
            return self._draw(strategy)
        return usual


held = st.builds(make_position, st.integers(1, 60), st.sampled_from(SYMBOLS),
                 st.sampled_from(("buy", "sell")))  # fmt: skip
waiting = st.builds(make_pending, st.integers(1, 30), st.sampled_from(SYMBOLS))
known_or_not = st.one_of(st.none(), st.integers(0, 10_000))


@st.composite
def cases(draw: Any) -> Case:
    vary = Vary(draw, 6)
    now_ns = NOW + vary(0, st.integers(0, 14 * 24 * 12)) * 300 * S
    equity = draw(st.integers(500_000, 3_000_000))
    margin = vary(0, st.integers(0, 300_000))
    state = make_state(
        equity=equity, balance=equity, margin=margin, margin_free=equity - margin,
        leverage=vary(100, st.sampled_from((30, 500))),
    )  # fmt: skip
    positions = vary([], st.lists(held, max_size=5))
    pending = vary([], st.lists(waiting, max_size=3))
    correlations: dict[str, int | None] = {symbol: draw(known_or_not) for symbol in SYMBOLS}
    news = tuple(
        now_ns + each * S
        for each in vary((), st.tuples(st.sampled_from((-9_000, -1_800, -60, 60, 1_800))))
    )
    bid = 137_000 + vary(0, st.integers(-150, 150))
    quote = Quote("EURUSD", bid, bid + draw(st.integers(0, 30)), now_ns)
    marks = {name: make_mark("2100-01-01", equity=equity + vary(0, st.integers(-9_000, 90_000)),
                             balance=equity + vary(0, st.integers(-9_000, 90_000)))
             for name in ("day", "week", "month")}  # fmt: skip
    calendar, week = TradingCalendar(), find_market_week(now_ns)
    picture = make_picture(
        now_ns=now_ns,
        signal=make_signal(
            stop_distance=draw(st.integers(100, 900)), target_distance=draw(st.integers(100, 900)),
            direction=draw(st.sampled_from(("buy", "sell"))),
        ),
        as_of_ns=now_ns - vary(0, st.integers(0, 60)) * S, expires_ns=now_ns + 100 * S,
        factor_ppm=draw(st.integers(100_000, 1_000_000)), win_ppm=draw(st.integers(0, 1_000_000)),
        volatility_ppm=draw(st.one_of(st.none(), st.integers(20_000, 300_000))),
        reference=Quote("EURUSD", 137_000, 137_010, now_ns), market_open=week.open,
        week_ends_ns=week.ends_ns if week.open else None,
        week_minute=find_week_minute(now_ns),
        find_rollovers=lambda clock: calendar.find_rollovers(clock, now_ns),
        find_news=lambda base, quoted: (
            max((each for each in news if each <= now_ns), default=0),
            min((each for each in news if each > now_ns), default=2**62),
        ), correlate=correlations.__getitem__,
        state=state, state_ns=now_ns, quote=quote, orders_in_minute=vary(0, st.integers(0, 12)),
        orders_today=vary(0, st.integers(0, 70)),
        holdings=sum_holdings(positions, pending, CONTRACTS, state),
        guard=make_guard(
            peak_equity=equity + vary(0, st.integers(0, 300_000)),
            losses_in_row=vary(0, st.integers(0, 7)),
            lost_ns=now_ns - draw(st.integers(0, 9_000)) * S,
            stopped_ns={"EURUSD": now_ns - vary(10_000, st.integers(30, 900)) * S},
        ).model_copy(update={"periods": marks}),
    )  # fmt: skip
    return Case(picture, positions, pending, correlations, news)


loss_limits = st.lists(
    st.builds(LossLimit, period=st.sampled_from(("day", "week", "month")),
              basis=st.sampled_from(("equity", "balance")), max_bp=st.integers(50, 2_000)),
    unique_by=lambda each: (each.period, each.basis), max_size=3,
)  # fmt: skip
whole_days = st.lists(
    st.builds(SessionWindow, weekday=st.integers(0, 4), from_minute=st.integers(0, 600),
              to_minute=st.integers(601, 1_440)), max_size=5,
)  # fmt: skip
WISHES: dict[str, Any] = {
    "symbols": st.sampled_from((("EURUSD",), ("EURUSD", "GBPUSD"))),
    "sessions": whole_days.map(tuple), "losses": loss_limits.map(tuple),
    "news_before_s": st.integers(0, 3_600), "news_after_s": st.integers(0, 3_600),
    "rollover_before_s": st.integers(0, 7_200), "rollover_after_s": st.integers(0, 7_200),
    "weekend_before_s": st.integers(0, 172_800), "spread_max": st.integers(10, 40),
    "spread_share_max_bp": st.integers(100, 9_000), "collar_bp": st.integers(1, 40),
    "signal_age_max_s": st.integers(10, 60), "orders_per_minute_max": st.integers(1, 20),
    "orders_per_day_max": st.integers(1, 60), "pending_orders_max": st.integers(0, 3),
    "positions_max": st.integers(1, 9), "volume_max": st.integers(5, 80),
    "volume_total_max": st.integers(10, 200), "symbol_exposure_max_bp": st.integers(5_000, 400_000),
    "currency_exposure_max_bp": st.integers(5_000, 500_000),
    "correlated_exposure_max_bp": st.integers(5_000, 600_000),
    "correlation_min_bp": st.integers(1_000, 9_000),
    "leverage_max_bp": st.integers(5_000, 1_200_000),
    "margin_level_min_bp": st.integers(0, 200_000),
    "free_margin_share_max_bp": st.integers(100, 10_000),
    "drawdown_max_bp": st.integers(100, 3_000), "cooldown_s": st.integers(0, 600),
    "losses_in_row_max": st.integers(1, 6), "losses_cooldown_s": st.integers(0, 7_200),
}  # fmt: skip
sizings = st.fixed_dictionaries({
    "method": st.sampled_from(
        ("fixed_lot", "fixed_risk", "volatility_target", "kelly", "account_ratio")
    ),
    "fixed_lot": st.integers(1, 60), "risk_bp": st.integers(10, 100),
    "account_ratio_ppm": st.integers(1, 60),
})  # fmt: skip


@st.composite
def owners(draw: Any) -> TradingLimits:
    names = draw(st.sets(st.sampled_from(sorted(WISHES)), max_size=8))
    wishes = {name: draw(WISHES[name]) for name in sorted(names)}
    return TradingLimits(sizing=draw(sizings), **wishes)


def worth(volume: int, symbol: str, price: int, leverage: int) -> Fraction:
    rules = CONTRACTS[symbol].instrument
    unit = max(price * Fraction(rules.tick_value), Fraction(rules.margin_per_lot) * leverage)
    return volume * unit


def find_broken(case: Case, own: TradingLimits, linked: AccountLinked, ticket: Ticket) -> list[str]:
    """The limits that an order of this ticket would not keep."""
    p, bounds = case.picture, RiskLimits()
    scene, state, quote, guard = p.scene, p.state, p.quote, p.guard
    assert state and quote and guard and p.orders_in_minute is not None and scene.reference
    signal, now = scene.signal, instant(scene.now_ns)
    local = now.astimezone(NEW_YORK)
    leverage, equity, broken = state.leverage, state.equity, dict[str, bool]()
    buys = signal.direction == "buy"

    minute = now.hour * 60 + now.minute
    broken["session"] = bool(own.sessions) and not any(
        each.weekday == now.weekday() and each.from_minute <= minute < each.to_minute
        for each in own.sessions
    )
    broken["symbol"] = own.symbols is not None and signal.symbol not in own.symbols
    before, after = timedelta(seconds=own.news_before_s), timedelta(seconds=own.news_after_s)
    broken["news"] = any(instant(at) - before <= now < instant(at) + after for at in case.news)
    for days in (-1, 0, 1):
        day = local.date() + timedelta(days=days)
        midnight = datetime(day.year, day.month, day.day, 17, tzinfo=NEW_YORK)
        least = timedelta(seconds=own.rollover_before_s)
        since = now.timestamp() - midnight.timestamp()
        broken["rollover"] = broken.get("rollover", False) or (
            -least.total_seconds() <= since < 0 or 0 <= since < own.rollover_after_s
        )
    friday = local.date() + timedelta(days=4 - local.weekday())
    close = datetime(friday.year, friday.month, friday.day, 17, tzinfo=NEW_YORK).timestamp()
    opens = close + 2 * 86_400
    broken["weekend"] = close - own.weekend_before_s <= now.timestamp() < opens

    spread = quote.ask - quote.bid
    broken["age"] = scene.now_ns - scene.as_of_ns > own.signal_age_max_s * S
    broken["spread"] = own.spread_max is not None and spread > own.spread_max
    share = min(own.spread_share_max_bp, bounds.spread_share_max_bp)
    broken["share"] = Fraction(spread, signal.stop_distance) > Fraction(share, BP)
    away = abs(Fraction(quote.bid + quote.ask, scene.reference.bid + scene.reference.ask) - 1)
    broken["collar"] = away > Fraction(min(own.collar_bp, bounds.collar_bp), BP)
    broken["minute"] = p.orders_in_minute >= min(own.orders_per_minute_max, 10)
    broken["today"] = own.orders_per_day_max is not None and (
        p.orders_today is None or p.orders_today >= own.orders_per_day_max
    )
    broken["pending"] = len(case.pending) > own.pending_orders_max
    broken["positions"] = len(case.positions) + 1 > min(own.positions_max or 500, 5)

    held: list[Position | PendingOrder] = [*case.positions, *case.pending]
    volume = sum(each.volume for each in held) + ticket.volume
    broken["volume"] = own.volume_max is not None and ticket.volume > own.volume_max
    broken["total"] = own.volume_total_max is not None and volume > own.volume_total_max
    gross: dict[str, Fraction] = defaultdict(Fraction)
    net: dict[str, Fraction] = defaultdict(Fraction)
    for each in held:
        price = each.price_open if isinstance(each, Position) else each.price
        value = worth(each.volume, each.symbol, price, leverage)
        gross[each.symbol] += value
        if isinstance(each, Position):
            net[each.symbol[:3]] += value if each.side == "buy" else -value
            net[each.symbol[3:]] -= value if each.side == "buy" else -value
    value = worth(ticket.volume, signal.symbol, quote.bid, leverage)
    gross[signal.symbol] += value
    net["EUR"] += value if buys else -value
    net.pop("USD", None)

    def over(amount: Fraction, bound: int, wish: int) -> bool:
        return amount / equity > Fraction(min(bound, wish), BP)

    broken["exposure"] = over(gross[signal.symbol], 300_000, own.symbol_exposure_max_bp)
    broken["currency"] = any(
        over(abs(each), 400_000, own.currency_exposure_max_bp) for each in net.values()
    )
    together = Fraction(0)
    for symbol, each_gross in gross.items():
        known = 10_000 if symbol == signal.symbol else case.correlations[symbol]
        together += each_gross if known is None or known >= own.correlation_min_bp else 0
    broken["together"] = over(together, 500_000, own.correlated_exposure_max_bp)
    broken["leverage"] = over(sum(gross.values(), Fraction(0)), 1_000_000, own.leverage_max_bp)
    margin = ticket.volume * Fraction("1370.05")
    broken["margin"] = margin > state.margin_free * Fraction(
        min(8_000, own.free_margin_share_max_bp), BP
    )
    level = Fraction(max(20_000, own.margin_level_min_bp), BP)
    broken["level"] = equity < level * (state.margin + margin)

    rules = [(each.period, each.basis, each.max_bp) for each in own.losses]
    for period, basis, most in [*rules, ("day", "equity", linked.max_daily_loss_bp)]:
        began = getattr(guard.periods[period], basis)
        broken[f"{period} {basis} {most}"] = Fraction(
            began - getattr(state, basis), began
        ) >= Fraction(most, BP)
    peak = guard.peak_equity or 0
    broken["drawdown"] = Fraction(peak - equity, peak) >= Fraction(
        min(2_000, own.drawdown_max_bp), BP
    )
    rested = scene.now_ns - guard.stopped_ns["EURUSD"]
    broken["cooldown"] = rested < max(60, own.cooldown_s) * S
    broken["row"] = (
        own.losses_in_row_max is not None
        and guard.losses_in_row >= own.losses_in_row_max
        and scene.now_ns - (guard.lost_ns or 0) < own.losses_cooldown_s * S
    )
    loss = ticket.volume * signal.stop_distance
    broken["risk"] = Fraction(loss, equity) > Fraction(linked.risk_per_trade_bp, BP)
    low, high = sorted((ticket.stop_loss, ticket.take_profit))
    broken["prices"] = not 0 < low < ticket.price < high
    broken["price"] = ticket.price != (quote.ask if buys else quote.bid)
    return [name for name, is_broken in broken.items() if is_broken]


@settings(max_examples=600, deadline=None)
@given(case=cases(), own=owners())
def test_a_ticket_keeps_every_limit_whatever_the_picture_and_the_settings(
    case: Case, own: TradingLimits
) -> None:
    linked = link_account(1)
    verdict = judge(case.picture, narrow_limits(RiskLimits(), own, linked))
    if isinstance(verdict, Ticket):
        assert find_broken(case, own, linked, verdict) == []


def _add_loss(losses: tuple[LossLimit, ...]) -> tuple[LossLimit, ...]:
    return tuple(
        each.model_copy(update={"max_bp": max(1, each.max_bp // 2)}) for each in losses
    ) or (LossLimit(period="week", basis="balance", max_bp=100),)


def _smaller(value: int | None) -> int:
    return 20 if value is None else max(1, value * 2 // 3)


TIGHTER: dict[str, Any] = {
    "execution": lambda _: "signal_only", "symbols": lambda _: ("GBPUSD",),
    "sessions": lambda known: known[:-1] or (SessionWindow(weekday=0, from_minute=0, to_minute=9),),
    **dict.fromkeys(("news_before_s", "news_after_s", "rollover_before_s", "rollover_after_s",
                     "weekend_before_s", "margin_level_min_bp", "cooldown_s", "losses_cooldown_s"),
                    lambda known: 2 * known + 600),
    **dict.fromkeys(("signal_age_max_s", "quote_age_max_ms", "spread_max", "spread_share_max_bp",
                     "collar_bp", "orders_per_minute_max", "orders_per_day_max", "positions_max",
                     "volume_max", "volume_total_max", "symbol_exposure_max_bp",
                     "currency_exposure_max_bp", "correlated_exposure_max_bp", "correlation_min_bp",
                     "leverage_max_bp", "free_margin_share_max_bp", "drawdown_max_bp",
                     "losses_in_row_max"), _smaller),
    "pending_orders_max": lambda known: known // 2, "losses": _add_loss,
}  # fmt: skip


def test_every_setting_that_limits_has_a_tighter_value_here() -> None:
    assert set(TIGHTER) | {"sizing", "exits"} == set(TradingLimits.model_fields)


@settings(max_examples=400, deadline=None)
@given(case=cases(), own=owners(), names=st.sets(st.sampled_from(sorted(TIGHTER)), min_size=1))
def test_a_tighter_limit_never_turns_a_denial_into_a_ticket(
    case: Case, own: TradingLimits, names: set[str]
) -> None:
    tighter = own.model_copy(update={name: TIGHTER[name](getattr(own, name)) for name in names})
    linked, bounds = link_account(1), RiskLimits()
    verdict = judge(case.picture, narrow_limits(bounds, tighter, linked))
    if isinstance(verdict, Ticket):
        assert judge(case.picture, narrow_limits(bounds, own, linked)) == verdict


@settings(max_examples=100, deadline=None)
@given(case=cases(), own=owners())
def test_settings_never_allow_what_the_platform_and_the_link_do_not(
    case: Case, own: TradingLimits
) -> None:
    strict = RiskLimits(orders_per_minute_max=2, leverage_max_bp=90_000, collar_bp=3)
    linked = link_account(1, max_open_positions=2, max_daily_loss_bp=100, risk_per_trade_bp=20)
    verdict = judge(case.picture, narrow_limits(strict, own, linked))
    if isinstance(verdict, Ticket):
        p = case.picture
        assert p.orders_in_minute is not None and p.orders_in_minute < 2
        assert len(case.positions) < 2
        assert p.state is not None and p.guard is not None
        assert verdict.volume * p.scene.signal.stop_distance * BP <= p.state.equity * 20
        assert (p.guard.periods["day"].equity - p.state.equity) * BP < (
            p.guard.periods["day"].equity * 100
        )
