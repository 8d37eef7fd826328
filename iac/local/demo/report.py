"""``var/demo/report.html``: the day in charts, in one file that needs no network."""

import base64
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, select_autoescape

from contracts.data_bridge import Bar

TEMPLATE = Path(__file__).with_suffix(".html.j2")

_BLUE, _GREEN, _RED, _GREY, _ORANGE = "#2a6fbb", "#12805c", "#c22f2f", "#8796a5", "#d9822b"


def write_report(path: Path, summary: dict[str, Any], parts: dict[str, Any]) -> None:
    """Write the page. ``parts``: bars, signals, orders, trades, tenants, histograms, checks."""
    from contracts.money import format_rupiah

    environment = Environment(autoescape=select_autoescape(default=True))
    environment.filters["rupiah"] = format_rupiah
    orders, decisions = summary["orders"], summary["decisions"]
    cards = [
        ("ticks", f"{summary['ticks']['read']:,}"),
        ("bars", f"{summary['bars']:,}"),
        ("signals", decisions["signals"]),
        ("fills", orders["filled"]),
        ("denials", sum(orders["denied"].values())),
        ("Telegram", summary["telegram"]["sent"]),
        ("decision p99", f"{summary['latency_us']['decision']['p99']:,.0f} µs"),
        ("order path p99", f"{summary['latency_us']['order_path']['p99']:,.0f} µs"),
    ]
    charts = [
        (
            "Price, signals and trades",
            "Bid closes of M1 bars; triangles are signals, lines are the enterprise tenant's trades"
            " (green won, red lost).",
            _encode(_draw_price(parts)),
        ),
        (
            "Equity of each tenant",
            "Balance of the paper account after each closed trade, in dollars.",
            _encode(_draw_equity(parts)),
        ),
        (
            "Latency of each hop",
            "Every decision, order and message of the day, in microseconds (logarithmic). The first"
            " two are measured inside the process; the others lead through the bus, the queues and"
            " the functions of the local stack, on this machine's clock.",
            _encode(_draw_latency(parts["latencies"])),
        ),
        ("Counts along the pipe", "Logarithmic.", _encode(_draw_pipe(summary))),
    ]
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        day=parts["day"],
        cards=cards,
        charts=charts,
        model=[(k, v) for k, v in summary["model"].items() if not isinstance(v, dict | list)],
        invoices=summary["invoices"],
        checks=parts["checks"],
    )
    path.write_text(page, encoding="utf-8")


def _figure(height: float = 3.4, columns: int = 1, rows: int = 1) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(11, height), layout="constrained")
    for axis in axes.flat if rows * columns > 1 else [axes]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return figure, axes


def _encode(figure: Any) -> str:
    from matplotlib import pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


def _draw_price(parts: dict[str, Any]) -> Any:
    from matplotlib.dates import DateFormatter

    figure, axis = _figure(4.2)
    bars: list[Bar] = parts["bars"]
    times = [_from_ns(bar.open_ns) + timedelta(minutes=1) for bar in bars]
    closes = [bar.close / 1e5 for bar in bars]
    axis.plot(times, closes, color=_GREY, linewidth=0.8)
    at = dict(zip(times, closes, strict=True))
    for direction, marker, color in (("buy", "^", _GREEN), ("sell", "v", _RED)):
        points = [s["as_of"] for s in parts["signals"] if s["direction"] == direction]
        axis.scatter(
            points, [at.get(t, closes[-1]) for t in points], s=14, marker=marker, color=color,
            alpha=0.6, label=f"{direction} signal", zorder=3,
        )  # fmt: skip
    for trade in parts["trades"]:
        if trade["plan"] != "enterprise":
            continue
        axis.plot(
            [trade["opened_at"], trade["closed_at"]],
            [trade["price_open"] / 1e5, trade["price_close"] / 1e5],
            color=_GREEN if trade["profit_cents"] > 0 else _RED, linewidth=1.6, alpha=0.8,
        )  # fmt: skip
    axis.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=UTC))  # type: ignore[no-untyped-call]
    axis.set_xlabel("UTC")
    axis.legend(loc="upper right", frameon=False)
    return figure


def _draw_equity(parts: dict[str, Any]) -> Any:
    from matplotlib.dates import DateFormatter

    figure, axis = _figure()
    for plan, color in (("free", _GREY), ("pro", _BLUE), ("enterprise", _ORANGE)):
        trades = sorted(
            (t for t in parts["trades"] if t["plan"] == plan), key=lambda t: t["closed_at"]
        )
        times = [parts["start"], *(t["closed_at"] for t in trades), parts["end"]]
        money = [parts["balance_cents"] / 100, *(t["balance_cents"] / 100 for t in trades)]
        axis.step(times, [*money, money[-1]], where="post", color=color, label=plan)
    axis.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=UTC))  # type: ignore[no-untyped-call]
    axis.set_xlabel("UTC")
    axis.set_ylabel("USD")
    axis.legend(frameon=False)
    return figure


def _draw_latency(latencies: dict[str, list[float]]) -> Any:
    import numpy as np
    from matplotlib.ticker import NullFormatter

    figure, grid = _figure(5.4, 3, rows=2)
    axes = list(grid.flat)
    for axis, (name, values) in zip(axes, latencies.items(), strict=False):
        data = np.asarray(values or [0.0])
        low, high = max(data.min(), 1.0), max(data.max(), data.min() + 1, 2.0)
        axis.hist(data, bins=np.geomspace(low, high * 1.01, 40).tolist(), color=_BLUE)
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        p50, p99 = np.percentile(data, [50, 99])
        axis.set_title(f"{name}\np50 {_show_us(p50)}, p99 {_show_us(p99)}", fontsize=10)
    for axis in axes[len(latencies) :]:
        axis.set_visible(False)
    return figure


def _show_us(value: float) -> str:
    return f"{value:,.0f} µs" if value < 10_000 else f"{value / 1_000:,.0f} ms"


def _draw_pipe(summary: dict[str, Any]) -> Any:
    figure, axis = _figure(3.2)
    orders = summary["orders"]
    steps = {
        "ticks read": summary["ticks"]["read"],
        "ticks stored": summary["ticks"]["stored"],
        "bars": summary["bars"],
        "signals": summary["decisions"]["signals"],
        "orders + denials": orders["sent"] + sum(orders["denied"].values()),
        "fills": orders["filled"],
        "Telegram": summary["telegram"]["sent"],
        "usage invoiced": sum(summary["usage"]["invoiced"].values()),
        "invoices": len(summary["invoices"]),
    }
    names, values = list(steps), [max(value, 0.5) for value in steps.values()]
    axis.barh(names[::-1], values[::-1], color=_BLUE)
    axis.set_xscale("log")
    for place, value in enumerate(list(steps.values())[::-1]):
        axis.text(max(value, 0.5) * 1.05, place, f"{value:,}", va="center", fontsize=9)
    return figure


def _from_ns(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)
