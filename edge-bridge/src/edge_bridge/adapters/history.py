"""Price history of the module, its numpy tables, as the port's values."""

from typing import Any

from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.ports import Bar, TickColumns


def read_bar(row: Any, scale: int, clock: BrokerClock) -> Bar:
    """Read one row of the module's rates."""
    opened, high, low, close = (
        round(float(row[name]) * scale) for name in ("open", "high", "low", "close")
    )
    time_ns = clock.to_utc_ns(int(row["time"]) * 1000)
    return Bar(time_ns, opened, high, low, close, int(row["tick_volume"]), int(row["spread"]))


def read_ticks(rows: Any, scale: int, clock: BrokerClock, from_ns: int, to_ns: int) -> TickColumns:
    """Read a table of ticks, cut to ``from_ns <= time < to_ns``."""
    ts_ns = [clock.to_utc_ns(ms) for ms in rows["time_msc"].tolist()]
    kept = [place for place, each in enumerate(ts_ns) if from_ns <= each < to_ns]
    bid, ask = (rows[name].tolist() for name in ("bid", "ask"))
    return TickColumns(
        [ts_ns[place] for place in kept],
        [round(bid[place] * scale) for place in kept],
        [round(ask[place] * scale) for place in kept],
    )
