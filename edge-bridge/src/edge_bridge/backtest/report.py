"""The report as one HTML page that needs no network, in Indonesian or English."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from edge_bridge.backtest.charts import draw_drawdown, draw_equity
from edge_bridge.backtest.config import BacktestConfig
from edge_bridge.backtest.figures import Day, Figures, Metrics
from edge_bridge.backtest.run import Played
from edge_bridge.backtest.trades import Trade
from edge_bridge.times import instant

Language = Literal["id", "en"]
FOLDER = Path(__file__).parent
TRADES_SHOWN = 500
DAYS_ENOUGH = 60
"""Below so many trading days the page warns that its ratios say little."""
MONEY = frozenset({
    "balance_start", "balance_end", "net_profit", "drawdown_amount", "expectancy", "average_win",
    "average_loss", "best_trade", "worst_trade", "commission", "swap", "spread_cost",
})  # fmt: skip
SHARES = frozenset({
    "total_return", "yearly_growth", "probabilistic_sharpe", "value_at_risk",
    "conditional_value_at_risk", "drawdown_share", "win_rate", "exposure",
})  # fmt: skip
COUNTS = frozenset({"trades", "days"})
SIGNED = frozenset({"net_profit", "total_return", "yearly_growth", "sharpe", "expectancy"})
CARDS = (
    "net_profit", "total_return", "drawdown_share", "sharpe", "profit_factor", "win_rate", "trades",
)  # fmt: skip
SWAPPED = str.maketrans(",.", ".,")
SEPARATORS: dict[str, Callable[[str], str]] = {
    "en": str,
    "id": lambda text: text.translate(SWAPPED),
}
"""How a number is written: Indonesian groups with points and has a decimal comma."""
EMPTY = "–"  # noqa: RUF001 - an en dash stands for no value in both languages


def render_report(
    played: Played, figures: Figures, config: BacktestConfig, lang: Language, file_name: str
) -> str:
    """Write the page."""
    from jinja2 import Environment
    from markupsafe import Markup

    words = tomllib.loads((FOLDER / f"texts.{lang}.toml").read_text(encoding="utf-8"))
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    local = SEPARATORS[lang]
    environment.filters["local"] = local
    template = environment.from_string((FOLDER / "report.html.j2").read_text(encoding="utf-8"))
    rows = list_metrics(figures.metrics, words["metrics"])
    count = played.market.count
    return template.render(
        lang=lang,
        t=words,
        symbol=played.market.symbol,
        source=played.source,
        currency=config.account.currency,
        period=_show_period(played),
        cards=[row for key in CARDS for row in rows if row["key"] == key],
        notices=list_notices(played, figures, words),
        equity_chart=Markup(draw_equity(figures.curve, local)),  # noqa: S704 - made of numbers only
        drawdown_chart=Markup(draw_drawdown(figures.curve, local)),  # noqa: S704
        metrics=rows,
        closed_for=figures.closed_for,
        denials=figures.denials,
        rejections=figures.rejections,
        periods=[
            {"title": words["months"], "column": words["month"], "rows": _list_months(figures)},
            {"title": words["days"], "column": words["date"], "rows": _list_days(figures.days)},
        ],
        trades=[_show_trade(each, played, words) for each in figures.trades[-TRADES_SHOWN:]],
        trades_note=words["trades_shown"].format(
            shown=local(f"{min(TRADES_SHOWN, len(figures.trades)):,}"),
            all=local(f"{len(figures.trades):,}"),
        ),
        data=[
            (words["file"], file_name),
            (words["source"], played.source),
            (words["period"], _show_period(played)),
            (words["rows"], local(f"{count.read:,} / {count.accepted:,}")),
            (words["rejected_rows"], local(_show_counts(count.rejected)) or words["none"]),
            (words["signals"], local(f"{played.signals:,}")),
        ],
        config=config.model_dump_json(indent=2),
    )


def list_notices(played: Played, figures: Figures, words: dict[str, Any]) -> list[str]:
    """What the reader must know before any figure."""
    notices = [words["risk"], words["sample"], words["costs"]]
    if not played.market.divisible:
        notices.append(words["bars"])
    if figures.metrics.days < DAYS_ENOUGH:
        notices.append(words["short"].format(days=figures.metrics.days))
    if played.unplayed:
        notices.append(words["unplayed"].format(count=played.unplayed))
    return notices


def list_metrics(metrics: Metrics, words: dict[str, list[str]]) -> list[dict[str, str]]:
    """Name, value and meaning of every figure."""
    return [
        {
            "key": key,
            "name": words[key][0],
            "value": show_figure(key, value),
            "meaning": words[key][1],
            "tone": _find_tone(value) if key in SIGNED else "",
        }
        for key, value in asdict(metrics).items()
    ]


def show_figure(key: str, value: float | None) -> str:
    """A figure for a reader; a dash where there is none."""
    if value is None:
        return EMPTY
    if key in MONEY:
        return show_money(value)
    if key in SHARES:
        return f"{value * 100:,.2f}%"
    return f"{value:,}" if key in COUNTS else f"{value:,.2f}"


def show_money(cents: float) -> str:
    """An amount in units of the currency."""
    return f"{cents / 100:,.2f}"


def _find_tone(value: float | None) -> str:
    if not value:
        return ""
    return "good" if value > 0 else "bad"


def _show_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items())


def _show_period(played: Played) -> str:
    return f"{_show_time(played.first_ns)[:16]} … {_show_time(played.last_ns)[:16]}"


def _show_time(time_ns: int) -> str:
    return instant(time_ns).strftime("%Y-%m-%d %H:%M:%S")


def _list_days(days: Sequence[Day]) -> list[dict[str, str]]:
    return [_show_row(day.date, day.profit, day.equity, day.trades) for day in days]


def _list_months(figures: Figures) -> list[dict[str, str]]:
    months: dict[str, list[Day]] = {}
    for day in figures.days:
        months.setdefault(day.date[:7], []).append(day)
    return [
        _show_row(
            month, sum(d.profit for d in days), days[-1].equity, sum(d.trades for d in days)
        )
        for month, days in months.items()
    ]  # fmt: skip


def _show_row(name: str, profit: int, equity: int, trades: int) -> dict[str, str]:
    return {
        "name": name, "profit": show_money(profit), "equity": show_money(equity),
        "trades": f"{trades:,}", "tone": _find_tone(profit),
    }  # fmt: skip


def _show_trade(trade: Trade, played: Played, words: dict[str, Any]) -> dict[str, str]:
    digits = played.market.digits
    return {
        "opened": _show_time(trade.opened_ns),
        "closed": _show_time(trade.closed_ns),
        "side": words[trade.direction],
        "lots": f"{trade.volume / 100:.2f}",
        "price_open": f"{trade.price_open / 10**digits:.{digits}f}",
        "price_close": f"{trade.price_close / 10**digits:.{digits}f}",
        "reason": trade.reason,
        "adverse": f"{trade.adverse:,}",
        "favourable": f"{trade.favourable:,}",
        "profit": show_money(trade.profit),
        "tone": _find_tone(trade.profit),
    }
