"""``make demo``: sets the stack up, plays a day through it, closes the month, balances the books.

Exit code 0 only when every equation of the books holds.
"""

import json
import os
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from iac.local.demo.billing import close_month
from iac.local.demo.books import (
    Books,
    check_flow,
    check_isolation,
    check_money,
    check_queues,
    take_counts,
)
from iac.local.demo.client import DemoFailed
from iac.local.demo.display import DemoDisplay, Step
from iac.local.demo.ledger import Ledger
from iac.local.demo.market import Market, build_bars
from iac.local.demo.queues import read_depths, wait_until_quiet
from iac.local.demo.replay import EdgeRun, follow_edge, start_edge
from iac.local.demo.report import write_report
from iac.local.demo.tenants import BALANCE_CENTS, PLANS, Tenant, sign_up
from iac.local.demo.training import request_views, train_model, wait_for_view
from iac.local.stack import ROOT, Stack
from iac.local.up import open_stack

OUT = ROOT / "var" / "demo"


def main() -> int:
    """Run the demo; returns the exit code."""
    console, began = Console(), time.monotonic()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with DemoDisplay(console) as display:
            summary, books = play(display, Market(), OUT, began)
    except DemoFailed as error:
        console.print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        console.print(f"Logs: {ROOT / 'var/local/logs'}", highlight=False, soft_wrap=True)
        return 1
    show_summary(console, summary, books)
    return 0 if books.balanced else 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def play(
    display: DemoDisplay, market: Market, out: Path, began: float
) -> tuple[dict[str, Any], Books]:
    """All steps in order; returns the summary and the books."""
    parts: dict[str, float] = {}
    with ExitStack() as opened:
        with display.step("stack", "local stack") as step:
            stack = opened.enter_context(open_stack(progress=_part_noter(step, parts)))
        summary, books = _play_on(stack, display, market, out)
    summary["seconds"] = _seconds(display, parts, began)
    (out / "summary.json").write_text(json.dumps(summary, indent=2, default=str) + "\n")
    return summary, books


def _part_noter(step: Step, parts: dict[str, float]) -> Any:
    def note(part: str, state: str, seconds: float) -> None:
        if state == "ready":
            parts[part] = seconds
        step.note(", ".join(sorted(parts)) or "starting")

    return note


def _play_on(
    stack: Stack, display: DemoDisplay, market: Market, out: Path
) -> tuple[dict[str, Any], Books]:
    tenants = []
    with display.step("tenants", "three tenants") as step:
        for number, plan in enumerate(PLANS, start=1):
            step.show(number - 1, len(PLANS), plan)
            tenants.append(sign_up(stack, plan, number))
        step.show(len(PLANS), len(PLANS), ", ".join(PLANS))
    with display.step("training", "direction model") as step:
        request_views(stack, market)
        model = train_model(stack, market, tenants[-1].client, step.note)
        wait_for_view(stack)
        step.note(describe_model(model))
    with display.step("replay", f"{market.start:%d %B %Y}") as step:
        run = EdgeRun(out / "edge")
        process = start_edge(stack, market, run, len(tenants))
        edge = follow_edge(process, run, lambda progress: _show_replay(step, progress))
    with display.step("drain", "queues run dry") as step:
        wait_until_quiet(stack, step.note)
    with display.step("billing", "month's end") as step:
        close_month(stack, tenants, step.note)
    with display.step("books", "the books") as step:
        wait_until_quiet(stack, step.note)
        ledger = Ledger(stack)
        summary, books = _balance(stack, ledger, tenants, edge, model)
        write_report(out / "report.html", summary, _collect(ledger, market, tenants, books))
        ledger.close()
    return summary, books


def _show_replay(step: Step, progress: dict[str, Any]) -> None:
    if progress:
        text = (
            f"{progress.get('market_time', '')[11:16]} UTC, {progress['signals']:,} signals,"
            f" {progress['orders']:,} orders, {progress['bars']:,} bars"
        )
        step.show(progress["ticks"], progress["total"], text)


def describe_model(model: dict[str, Any]) -> str:
    """The model's honest figures in a line."""
    figures = model["figures"]
    return (
        f"out of sample: AUC {figures['auc']:.4f}, log loss {figures['log_loss']:.4f}"
        f" (baseline {figures['baseline_log_loss']:.4f}),"
        f" {figures['value_after_spread_points']:+.1f} points a trade after the spread"
    )


def list_figures(model: dict[str, Any]) -> dict[str, Any]:
    """The model's figures as the summary names them; all out of sample."""
    figures = model["figures"]
    baseline = {name: figures[f"baseline_{name}"] for name in ("brier", "log_loss")}
    names = ("brier", "log_loss", "accuracy", "coverage", "accuracy_at_coverage",
             "value_before_spread_points", "value_after_spread_points", "rows")  # fmt: skip
    return {
        "version": model["version"],
        "auc_out_of_sample": figures["auc"],
        **{name: figures[name] for name in names},
        "baseline": {**baseline, "base_rate": figures["base_rate"]},
    }


def _balance(
    stack: Stack,
    ledger: Ledger,
    tenants: list[Tenant],
    edge: dict[str, Any],
    model: dict[str, Any],
) -> tuple[dict[str, Any], Books]:
    counts = take_counts(stack, ledger)
    depths = read_depths(stack)
    checks = [
        *check_flow(counts, edge, len(tenants)),
        *check_money(counts, len(tenants)),
        *check_queues(depths),
        *check_isolation(ledger, tenants, counts["telegram"]["by_chat"]),
    ]
    books = Books(counts, checks)
    summary = {
        "balanced": books.balanced,
        "ticks": {**counts["ticks"], "read": edge["ticks"]["read"]},
        "bars": edge["bars"],
        **{key: value for key, value in counts.items() if key != "ticks"},
        "queues": {depth.name: depth.total for depth in depths},
        "latency_us": {
            "decision": _percentiles(ledger, "ai_orchestration.decisions", "latency_us"),
            "order_path": _percentiles(
                ledger, "trading_engine.orders", "order_path_us", "order_path_us IS NOT NULL"
            ),
        },
        "model": list_figures(model),
        "checks": [
            {"name": c.name, "left": c.left, "right": c.right, "holds": c.holds} for c in checks
        ],
        "edge": edge,
    }
    return summary, books


def _percentiles(
    ledger: Ledger, table: str, column: str, condition: str = "true"
) -> dict[str, float]:
    (row,) = ledger.rows(
        f"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {column}) AS p50,"
        f" percentile_cont(0.99) WITHIN GROUP (ORDER BY {column}) AS p99, max({column}) AS max"
        f" FROM {table} WHERE {condition}"
    )
    return {name: round(float(value or 0), 1) for name, value in row.items()}


def _seconds(display: DemoDisplay, parts: dict[str, float], began: float) -> dict[str, float]:
    setup = int(os.environ.get("SINYAL_SETUP_MS", "0")) / 1_000
    deploy = sum(parts.get(name, 0.0) for name in ("migrations", "secrets", "deployment"))
    return {
        "setup": round(setup, 3),
        "deploy": round(deploy, 3),
        **{name: value for name, value in display.seconds.items() if name != "stack"},
        "stack": round(display.seconds["stack"] - deploy, 3),
        "total": round(setup + time.monotonic() - began, 3),
    }


def _collect(ledger: Ledger, market: Market, tenants: list[Tenant], books: Books) -> dict[str, Any]:
    """What the charts show, from the stores."""
    plans = {tenant.tenant_id: tenant.plan for tenant in tenants}
    trades = ledger.rows(
        "SELECT tenant_id::text AS tenant_id, opened_at, closed_at, price_open, price_close,"
        " profit_cents, balance_cents FROM trading_engine.positions WHERE closed_at IS NOT NULL"
    )
    decisions = ledger.rows("SELECT latency_us FROM ai_orchestration.decisions")
    orders = ledger.rows(
        "SELECT order_path_us FROM trading_engine.orders WHERE order_path_us IS NOT NULL"
    )
    return {
        "day": f"{market.start:%A %d %B %Y}",
        "start": market.start,
        "end": market.end,
        "balance_cents": BALANCE_CENTS,
        "bars": build_bars(market, market.start, market.end),
        "signals": ledger.rows(
            "SELECT as_of, direction FROM ai_orchestration.decisions WHERE signal_id IS NOT NULL"
        ),
        "trades": [{**trade, "plan": plans[trade["tenant_id"]]} for trade in trades],
        "latencies": {
            "decision": [row["latency_us"] for row in decisions],
            "order path": [row["order_path_us"] for row in orders],
            **ledger.hops(),
        },
        "checks": books.checks,
    }


def show_summary(console: Console, summary: dict[str, Any], books: Books) -> None:
    """The summary on the terminal."""
    table = Table(box=None, padding=(0, 2), show_header=False)
    for check in books.checks:
        mark = "[green]✓[/]" if check.holds else "[red]✗[/]"
        table.add_row(mark, check.name, str(check.left), str(check.right))
    console.print(table)
    latency, model = summary["latency_us"], summary["model"]
    console.print(
        f"model, out of sample: AUC {model['auc_out_of_sample']:.4f}, log loss"
        f" {model['log_loss']:.4f} (baseline {model['baseline']['log_loss']:.4f}),"
        f" {model['value_after_spread_points']:+.1f} points a signal after the spread",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"decision p50/p99 {latency['decision']['p50']:.0f}/{latency['decision']['p99']:.0f} µs, "
        f"order path {latency['order_path']['p50']:.0f}/{latency['order_path']['p99']:.0f} µs, "
        f"total {summary['seconds']['total']:.0f} s",
        highlight=False,
    )
    console.print(
        f"{OUT.relative_to(ROOT)}/report.html, {OUT.relative_to(ROOT)}/summary.json",
        highlight=False,
    )
    verdict = (
        "[green]the books balance[/]" if books.balanced else "[red]the books do NOT balance[/]"
    )
    console.print(verdict)
