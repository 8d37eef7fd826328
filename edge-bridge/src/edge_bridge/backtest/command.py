"""`python -m edge_bridge backtest`: read, run, show, and write what was asked for."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_bridge.backtest.bars import open_bars
from edge_bridge.backtest.config import BacktestConfig, ConfigUnusable, read_config
from edge_bridge.backtest.figures import Figures, find_figures
from edge_bridge.backtest.market import Market, TickMarket
from edge_bridge.backtest.progress import show_progress
from edge_bridge.backtest.report import list_metrics, render_report
from edge_bridge.backtest.run import Backtest, Played
from edge_bridge.backtest.trades import Trade
from edge_bridge.bridge.recording import open_recording
from edge_bridge.errors import EdgeError, RecordingUnusable
from edge_bridge.times import nanoseconds

EXIT_OK = 0
EXIT_FAILED = 2


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="edge_bridge backtest", description="Play recorded prices through the engine."
    )
    prices = parser.add_mutually_exclusive_group(required=True)
    prices.add_argument("--ticks", type=Path, metavar="FILE.parquet")
    prices.add_argument("--bars", type=Path, metavar="FILE.parquet", help="bars of one minute")
    parser.add_argument("--config", type=Path, required=True, metavar="CONFIG.toml")
    parser.add_argument("--out", type=Path, metavar="DIR", help="report.html, result.json, ...")
    parser.add_argument("--from", dest="start", type=_read_instant, metavar="TIME")
    parser.add_argument("--to", dest="end", type=_read_instant, metavar="TIME")
    parser.add_argument("--lang", choices=("id", "en"), default="en", help="of the report")
    return parser.parse_args(arguments)


def _read_instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: not a time such as 2014-05-14T08:00Z") from error
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text}: say the time zone, such as Z")
    return nanoseconds(moment)


def run_command(arguments: Sequence[str]) -> int:
    """Run a backtest; return the exit code: 0, or 2 when stderr says what is wrong."""
    given = read_arguments(arguments)
    try:
        config = read_config(given.config)
        market = open_market(given, config)
        started = time.perf_counter()
        with show_progress(market.symbol) as report:
            backtest = Backtest(market, config)
            backtest.report = report
            played = backtest.run(given.end)
        seconds = time.perf_counter() - started
    except EdgeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_FAILED
    figures = find_figures(played, config)
    sys.stdout.write(describe(played, figures, seconds))
    if given.out is not None:
        write_results(given, config, played, figures)
        sys.stdout.write(f"written to {given.out / 'report.html'}\n")
    return EXIT_OK


def open_market(given: argparse.Namespace, config: BacktestConfig) -> Market:
    """Read the prices. Raises RecordingUnusable, also when none are left."""
    name, market = config.symbol.name, config.market
    opened: Market
    if given.bars is not None:
        opened = open_bars(given.bars, name, market.bar_spread, given.start, given.end)
    else:
        opened = TickMarket(open_recording(given.ticks, name, given.start, given.end))
    if not opened.count.accepted:
        raise RecordingUnusable(
            f"{given.bars or given.ticks}: none of {opened.count.read} rows in the period is usable"
        )
    return opened


def describe(played: Played, figures: Figures, seconds: float) -> str:
    """The figures as text."""
    import tomllib

    from edge_bridge.backtest.report import FOLDER

    words = tomllib.loads((FOLDER / "texts.en.toml").read_text(encoding="utf-8"))
    count = played.market.count
    lines = [
        f"{played.market.symbol}, {played.source}: {count.accepted:,} of {count.read:,} rows,"
        f" {played.signals:,} signals, {seconds:.2f} s ({count.read / seconds:,.0f} rows/s)"
    ]
    for row in list_metrics(figures.metrics, words["metrics"]):
        lines.append(f"  {row['name']:<34}{row['value']:>18}")
    for title, counts in (("closed", figures.closed_for), ("denied", figures.denials),
                          ("rejected", figures.rejections)):  # fmt: skip
        told = ", ".join(f"{reason} {number}" for reason, number in counts.items())
        lines.append(f"  {title}: {told or 'none'}")
    lines.append(words["sample"])
    return "\n".join(lines) + "\n"


def write_results(
    given: argparse.Namespace, config: BacktestConfig, played: Played, figures: Figures
) -> None:
    """Write report.html, result.json, trades.csv and equity.csv."""
    folder: Path = given.out
    folder.mkdir(parents=True, exist_ok=True)
    name = (given.bars or given.ticks).name
    page = render_report(played, figures, config, given.lang, name)
    (folder / "report.html").write_text(page, encoding="utf-8")
    result: dict[str, Any] = {
        "file": name,
        "symbol": played.market.symbol,
        "source": played.source,
        "rows": asdict(played.market.count),
        "signals": played.signals,
        "unplayed_signals": played.unplayed,
        **figures.as_plain(),
        "config": config.model_dump(mode="json"),
    }
    text = json.dumps(result, indent=2) + "\n"
    (folder / "result.json").write_text(text, encoding="utf-8")
    trades = [field.name for field in fields(Trade)]
    with _open_csv(folder / "trades.csv") as rows:
        rows.writerow(trades)
        rows.writerows([getattr(each, key) for key in trades] for each in figures.trades)
    with _open_csv(folder / "equity.csv") as rows:
        rows.writerow(("time_ns", "balance", "equity", "margin", "positions"))
        rows.writerows(
            (each.time_ns, each.balance, each.equity, each.margin, each.positions)
            for each in figures.curve
        )


@contextmanager
def _open_csv(path: Path) -> Any:
    with path.open("w", newline="", encoding="utf-8") as file:
        yield csv.writer(file)


__all__ = ["ConfigUnusable", "run_command"]
