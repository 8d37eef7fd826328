"""What judging a signal costs: one account with every check on, and 500 accounts one after another.

The picture is real: a scene with calendar, news and correlations, an account that holds 20
positions in five symbols, settings in which every limit applies, and a ticket at the end, so that
no check is left out. The terminal is a stand-in that answers at once: what a quote costs is the
terminal's, not the judge's.
"""

import gc
import random
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "edge-bridge" / "src"), str(ROOT / "layers" / "contracts" / "src")]

from contracts.ai_orchestration import SignalIssued  # noqa: E402 - after the import roots
from contracts.ids import derived_id, uuid7  # noqa: E402
from contracts.trading_engine import AccountLinked, NewsCalendarPublished  # noqa: E402
from contracts.trading_limits import (  # noqa: E402
    LossLimit,
    NewsWindow,
    SessionWindow,
    Sizing,
    TradingLimits,
)
from edge_bridge.engine.calendar import MINUTE_NS  # noqa: E402
from edge_bridge.engine.desk import Desk  # noqa: E402
from edge_bridge.engine.directory import Account  # noqa: E402
from edge_bridge.engine.guard import Guard, measure_guard  # noqa: E402
from edge_bridge.engine.limits import Limits, RiskLimits, narrow_limits  # noqa: E402
from edge_bridge.engine.market_watch import MarketWatch  # noqa: E402
from edge_bridge.engine.risk import Ticket, judge  # noqa: E402
from edge_bridge.engine.sizing import read_contract  # noqa: E402
from edge_bridge.ports import AccountState, Instrument, Position, Quote  # noqa: E402
from edge_bridge.times import instant  # noqa: E402

JUDGED = 20_000
WARM_UP = 2_000
ACCOUNTS = 500
ROUNDS = 40
NOW = 1_400_054_400_000_000_000
ZONE = "Asia/Jakarta"
SYMBOLS = ("EURUSD", "GBPUSD", "EURJPY", "AUDNZD", "USDCAD")
QUOTE = Quote("EURUSD", 137_000, 137_008, NOW)
PERIODS_AND_BASES = [(p, b) for p in ("day", "week", "month") for b in ("balance", "equity")]
EVERYTHING = TradingLimits(
    sizing=Sizing(method="kelly"), symbols=SYMBOLS, spread_max=50, orders_per_day_max=500,
    positions_max=30, volume_max=9_000, volume_total_max=9_000, losses_in_row_max=5,
    sessions=tuple(SessionWindow(weekday=day, from_minute=60, to_minute=1_380) for day in range(5)),
    losses=tuple(
        LossLimit.model_validate({"period": p, "basis": b, "max_bp": 900})
        for p, b in PERIODS_AND_BASES
    ),
)  # fmt: skip


@dataclass
class Standing:
    """A terminal whose quote stands."""

    read: Quote = QUOTE

    def quote(self, symbol: str) -> Quote | None:
        """The one quote there is."""
        return self.read if symbol == self.read.symbol else None


def open_market() -> MarketWatch:
    """Two hours of minutes in all symbols, and a calendar with news every few hours."""
    market, source = MarketWatch(), random.Random(7)
    for symbol in SYMBOLS:
        price = 137_000
        for minute in range(150):
            price += source.randrange(-9, 10)
            open_ns = NOW - (150 - minute) * MINUTE_NS
            market.note_bar(symbol, open_ns, price, 8)
    windows = tuple(
        NewsWindow(currency=currency, at=instant(NOW) + timedelta(hours=hour + 1), title="news")
        for hour in range(-48, 48, 3) for currency in ("EUR", "USD", "JPY")
    )  # fmt: skip
    market.calendar.take_news(NewsCalendarPublished(version=1, windows=windows))
    return market


def open_desk(number: int, market: MarketWatch) -> tuple[Desk, Limits]:
    """An account that holds 20 positions."""
    linked = AccountLinked(
        account_id=derived_id("bench-account", number), mode="paper", login=1 + number,
        server="Paper", leverage=100, initial_balance_cents=100_000_000, risk_per_trade_bp=50,
        max_open_positions=100, max_daily_loss_bp=1_000, version=1,
    )  # fmt: skip
    account = Account(
        account_id=linked.account_id, tenant_id=derived_id("bench-tenant", number), version=1,
        active=True, linked=linked,
    )  # fmt: skip
    limits = narrow_limits(RiskLimits(), EVERYTHING, linked)
    terminal: Any = Standing()
    desk = Desk(account, terminal, connected=True, reconciled=True, state_ns=NOW)
    desk.state = AccountState(
        1, "Paper", "USD", 2, 100_000_000, 100_000_000, 1_000_000, 99_000_000, 100, True, True
    )
    for symbol in SYMBOLS:
        instrument = Instrument(
            symbol, 5, Decimal(100_000), 1, Decimal(1), Decimal("1370.05"), 1, 10_000, 1, 10,
            symbol[:3], symbol[3:], symbol[:3], True,
        )  # fmt: skip
        desk.contracts[symbol] = read_contract(instrument, 2)
    desk.positions = tuple(
        Position(
            n, n, SYMBOLS[n % 5], "buy" if n % 2 else "sell", 5, 137_000, 0, 0, NOW, 7, "", 0, 0
        )
        for n in range(20)
    )  # fmt: skip
    periods = market.calendar.find_periods(ZONE, NOW)
    desk.guard = measure_guard(Guard(), desk.state, limits, periods)
    desk.sum_holdings()
    return desk, limits


def make_signal() -> SignalIssued:
    """A signal with an edge."""
    return SignalIssued(
        signal_id=uuid7(), decision_id=uuid7(), bar_id=uuid7(), symbol="EURUSD", digits=5,
        timeframe="M1", direction="buy", probability=0.6, size_factor=0.8, stop_distance=200,
        target_distance=300, horizon_s=900, as_of=instant(NOW),
        expires_at=instant(NOW) + timedelta(seconds=120), model_version="bench",
    )  # fmt: skip


def judge_desk(desk: Desk, limits: Limits, market: MarketWatch, signal: SignalIssued) -> object:
    """What the engine does for one account: the shared scene, its picture, the verdict."""
    scene = market.draw_scene(signal, NOW, QUOTE)
    periods = market.calendar.find_periods(ZONE, NOW)
    return judge(desk.draw_picture(scene, periods, within_plan=True), limits)


def run() -> dict[str, Any]:
    """Microseconds of one judgement, milliseconds of a signal to all accounts."""
    market = open_market()
    desks = [open_desk(number, market) for number in range(ACCOUNTS)]
    desk, limits = desks[0]
    scene = market.draw_scene(make_signal(), NOW, QUOTE)
    picture = desk.draw_picture(scene, market.calendar.find_periods(ZONE, NOW), within_plan=True)
    verdict = judge(picture, limits)
    assert isinstance(verdict, Ticket), verdict
    gc.collect()
    alone: list[int] = []
    for _ in range(JUDGED + WARM_UP):
        started = perf_counter_ns()
        judge(picture, limits)
        alone.append(perf_counter_ns() - started)
    rounds: list[int] = []
    busy: list[int] = []
    for _ in range(ROUNDS):
        signal = make_signal()
        started, worked = perf_counter_ns(), thread_time_ns()
        for each, its_limits in desks:
            judge_desk(each, its_limits, market, signal)
        rounds.append(perf_counter_ns() - started)
        busy.append(thread_time_ns() - worked)
    return {
        "judge_us": _spread(alone[WARM_UP:], 1_000),
        "accounts": ACCOUNTS,
        "fan_out_ms": _spread(rounds, 1_000_000),
        "fan_out_core_ms": _spread(busy, 1_000_000),
    }


def _spread(measured: list[int], unit: int) -> dict[str, float]:
    ordered = sorted(measured)
    return {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / unit, 2)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


def describe(result: dict[str, Any]) -> str:
    """The figures in a sentence."""
    one, all_of_them = result["judge_us"], result["fan_out_ms"]
    return (
        f"risk, every check on, 20 positions held: p50 {one['p50']}, p99 {one['p99']} us"
        f" (aim < 50); {result['accounts']} accounts judged on one signal:"
        f" p50 {all_of_them['p50']}, p99 {all_of_them['p99']} ms (aim 15),"
        f" of the core p50 {result['fan_out_core_ms']['p50']} ms"
    )


if __name__ == "__main__":
    print(describe(run()))
