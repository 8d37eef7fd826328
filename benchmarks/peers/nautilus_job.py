"""The race's job in nautilus_trader: EMA 50/200 cross on the mid, a fixed market order a cross.

Runs in an environment of its own (`make bench-peers`), knows nothing of this project, and prints
one line of JSON. The clock runs over the engine's run alone, as on our side: reading the file and
making the peer's own tick objects are left out. Its risk engine is on.
"""

import argparse
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import nautilus_trader
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, PriceType, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId, TraderId, Venue
from nautilus_trader.model.objects import Money, Quantity
from nautilus_trader.persistence.wranglers import QuoteTickDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

FAST, SLOW, UNITS = 50, 200, 10_000


class CrossConfig(StrategyConfig, frozen=True):
    """What to trade."""

    instrument_id: InstrumentId


class Cross(Strategy):
    """Buy when the fast average rises through the slow one, sell when it falls through."""

    def __init__(self, config: CrossConfig) -> None:
        super().__init__(config)
        self.fast = ExponentialMovingAverage(FAST, PriceType.MID)
        self.slow = ExponentialMovingAverage(SLOW, PriceType.MID)
        self.above: bool | None = None
        self.submitted: dict[Any, int] = {}
        self.calls: list[int] = []
        self.accepted: list[int] = []
        self.filled: list[int] = []

    def on_start(self) -> None:
        """Ask for the ticks and for both averages to be fed before us."""
        self.register_indicator_for_quote_ticks(self.config.instrument_id, self.fast)
        self.register_indicator_for_quote_ticks(self.config.instrument_id, self.slow)
        self.subscribe_quote_ticks(self.config.instrument_id)

    def on_quote_tick(self, tick: QuoteTick) -> None:  # noqa: ARG002 - the averages have it
        """Look for a cross."""
        if not self.slow.initialized:
            return
        above = self.fast.value > self.slow.value
        if self.above is not None and above is not self.above:
            self.trade(OrderSide.BUY if above else OrderSide.SELL)
        self.above = above

    def trade(self, side: OrderSide) -> None:
        """Submit the fixed market order."""
        order = self.order_factory.market(
            self.config.instrument_id, side, Quantity.from_int(UNITS), TimeInForce.FOK
        )
        started = time.perf_counter_ns()
        self.submitted[order.client_order_id] = started
        self.submit_order(order)
        self.calls.append(time.perf_counter_ns() - started)

    def on_order_accepted(self, event: Any) -> None:
        """Note how long the acceptance took."""
        self.accepted.append(time.perf_counter_ns() - self.submitted[event.client_order_id])

    def on_order_filled(self, event: Any) -> None:
        """Note how long the fill took."""
        self.filled.append(time.perf_counter_ns() - self.submitted[event.client_order_id])


def read_ticks(path: Path) -> tuple[Any, list[QuoteTick]]:
    """The recording as the peer's own objects."""
    table = pq.read_table(path, columns=["ts_ns", "bid", "ask"])
    digits = int((table.schema.metadata or {})[b"digits"])
    instrument = TestInstrumentProvider.default_fx_ccy("EUR/USD", Venue("SIM"))
    scale = 10.0**digits
    frame = pd.DataFrame(
        {
            "bid_price": table["bid"].to_numpy() / scale,
            "ask_price": table["ask"].to_numpy() / scale,
        },
        index=pd.to_datetime(table["ts_ns"].to_numpy(), unit="ns", utc=True),
    )
    return instrument, QuoteTickDataWrangler(instrument).process(frame)


def make_engine(instrument: Any, ticks: list[QuoteTick], *, analyse: bool) -> tuple[Any, Cross]:
    """A backtest with one venue, one strategy and the risk engine on."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("RACE-001"),
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=False),
            run_analysis=analyse,
        )
    )
    engine.add_venue(
        venue=Venue("SIM"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(1_000_000, USD)],
        default_leverage=Decimal(100),
    )
    engine.add_instrument(instrument)
    engine.add_data(ticks)
    strategy = Cross(CrossConfig(instrument_id=instrument.id))
    engine.add_strategy(strategy)
    return engine, strategy


def measure(path: Path, *, analyse: bool) -> dict[str, Any]:
    """Run once."""
    instrument, ticks = read_ticks(path)
    engine, strategy = make_engine(instrument, ticks, analyse=analyse)
    started, began = time.perf_counter(), time.process_time()
    engine.run()
    seconds, busy = time.perf_counter() - started, time.process_time() - began
    result = {
        "peer": f"nautilus_trader {nautilus_trader.__version__}",
        "ticks": len(ticks),
        "seconds": round(seconds, 4),
        "ticks_per_s": round(len(ticks) / seconds),
        "cpu_s": round(busy, 4),
        "orders": len(strategy.submitted),
        "fills": len(strategy.filled),
        "submit_to_fill_us": describe(strategy.filled),
        "submit_to_accepted_us": describe(strategy.accepted),
        "submit_call_us": describe(strategy.calls),
    }
    engine.dispose()
    return result


def describe(times_ns: list[int]) -> dict[str, float | None]:
    """Median and 99th percentile in microseconds."""
    if not times_ns:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(np.array(times_ns) / 1_000, (50, 99), method="inverted_cdf")
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=Path, required=True)
    parser.add_argument("--analyse", action="store_true", help="with the peer's own analyser")
    given = parser.parse_args()
    print(json.dumps(measure(given.ticks, analyse=given.analyse)))


if __name__ == "__main__":
    main()
