"""The trades of a run: what the broker's books say of each position, and how it went meanwhile."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from contracts.trading_engine import OrderDenied, OrderFilled, OrderRejected, PositionClosed
from edge_bridge.backtest.config import BacktestConfig
from edge_bridge.backtest.run import Played
from edge_bridge.bridge.ticks import Int64s
from edge_bridge.ports import Deal

MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Trade:
    """One closed position. Prices and distances in points, money in cents, costs not negative
    but for swap, which can be earned."""

    order_id: UUID
    position: int
    direction: str
    volume: int
    opened_ns: int
    closed_ns: int
    price_open: int
    price_close: int
    stop_loss: int
    take_profit: int
    reason: str
    profit: int
    """Net: with commission and swap; the spread is in the prices."""
    commission: int
    swap: int
    spread_cost: int
    """Half the spread at the opening and half at the close."""
    adverse: int
    """Maximum adverse excursion: the worst price it could have been closed at, from the opening
    price; the spread paid at the opening is part of it."""
    favourable: int
    """Maximum favourable excursion."""


def collect_trades(played: Played, config: BacktestConfig) -> list[Trade]:
    """Every closed position, in the order of closing.

    Excursions look at all ticks from the opening's millisecond to the close's, both included:
    that is how finely a broker's books tell time.
    """
    fills = {e.data.order_id: e.data for e in played.events if isinstance(e.data, OrderFilled)}
    closes = [e.data for e in played.events if isinstance(e.data, PositionClosed)]
    deals: dict[int, list[Deal]] = defaultdict(list)
    for deal in played.deals:
        deals[deal.position].append(deal)
    quotes = played.market.quotes()
    found: list[Trade] = []
    for close in closes:
        own = deals[close.position_ticket]
        found.append(_read_trade(fills[close.order_id], close, own, quotes, config))
    return found


def _read_trade(
    fill: OrderFilled,
    close: PositionClosed,
    deals: Sequence[Deal],
    quotes: tuple[Int64s, Int64s, Int64s],
    config: BacktestConfig,
) -> Trade:
    opened_ns = min(deal.time_ns for deal in deals)
    closed_ns = max(deal.time_ns for deal in deals)
    ts_ns, bid, ask = quotes
    first = int(np.searchsorted(ts_ns, opened_ns, side="left"))
    last = int(np.searchsorted(ts_ns, closed_ns + MILLISECOND_NS, side="left"))
    buy = fill.direction == "buy"
    exits = bid[first:last] if buy else ask[first:last]
    low, high = int(exits.min()), int(exits.max())
    at_open = int(np.searchsorted(ts_ns, opened_ns + MILLISECOND_NS, side="left")) - 1
    spreads = [int(ask[at] - bid[at]) for at in (at_open, last - 1)]
    volume = sum(deal.volume for deal in deals if deal.entry == "in")
    return Trade(
        order_id=fill.order_id,
        position=fill.position_ticket,
        direction=fill.direction,
        volume=volume,
        opened_ns=opened_ns,
        closed_ns=closed_ns,
        price_open=fill.price,
        price_close=close.price_close,
        stop_loss=fill.stop_loss,
        take_profit=fill.take_profit,
        reason=close.reason,
        profit=sum(deal.profit + deal.commission + deal.swap for deal in deals),
        commission=-sum(deal.commission for deal in deals),
        swap=sum(deal.swap for deal in deals),
        spread_cost=_value(sum(spreads) / 2, volume, close.price_close, fill.digits, config),
        adverse=max(0, fill.price - low if buy else high - fill.price),
        favourable=max(0, high - fill.price if buy else fill.price - low),
    )


def _value(points: float, volume: int, price: int, digits: int, config: BacktestConfig) -> int:
    """What so many points on a volume are worth in cents, converted at a price."""
    symbol = config.symbol
    cents = points * volume * symbol.contract_size / float(10**digits)
    rate = 1.0 if symbol.name[3:6] == config.account.currency else float(10**digits) / price
    return round(cents * rate)


def count_denials(played: Played) -> dict[str, int]:
    """Signals that our own checks refused, by reason, the most frequent first."""
    return _count([e.data.reason for e in played.events if isinstance(e.data, OrderDenied)])


def count_rejections(played: Played) -> dict[str, int]:
    """Orders that the broker refused, by reason."""
    return _count([e.data.reason for e in played.events if isinstance(e.data, OrderRejected)])


def _count(reasons: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for reason in reasons:
        counts[reason] += 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
