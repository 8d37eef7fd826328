"""The command: what it writes, what it refuses and how it says so, and a page a person can read."""

import csv
import json
import re
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edge_bridge.__main__ import main
from edge_bridge.backtest.charts import COLUMNS, Line, thin_out
from edge_bridge.backtest.config import BacktestConfig, ConfigUnusable, parse_config, read_config
from edge_bridge.backtest.figures import Metrics
from edge_bridge.backtest.progress import show_progress
from edge_bridge.backtest.report import FOLDER, show_figure

ROOT = Path(__file__).parents[3]
TICKS = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
EXAMPLE = ROOT / "edge-bridge" / "examples" / "backtest.toml"
CONFIG = """
[account]
balance = 5000
commission_per_lot = 4.00
[symbol]
name = "EURUSD"
[limits]
cooldown_s = 0
[signals]
kind = "ema_cross"
fast = 20
slow = 80
stop = 60
target = 90
"""
PERIOD = ("--from", "2014-05-14T08:00Z", "--to", "2014-05-14T09:00Z")


class Page(HTMLParser):
    """Tags that do not nest, and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "polyline", "polygon"):
            self.open.append(tag)
        self.fetched += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def run(tmp_path: Path, *more: str, config: str = CONFIG) -> int:
    path = tmp_path / "config.toml"
    path.write_text(config, encoding="utf-8")
    return main(["backtest", "--ticks", str(TICKS), "--config", str(path), *PERIOD, *more])


def read_result(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def test_a_run_writes_page_figures_trades_and_equity_that_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--out", str(tmp_path / "out")) == 0
    result = read_result(tmp_path / "out")
    metrics, trades = result["metrics"], result["trades"]
    assert metrics["trades"] == len(trades) > 5
    assert metrics["net_profit"] == sum(trade["profit"] for trade in trades)
    assert metrics["balance_end"] == 500_000 + metrics["net_profit"]
    assert sum(day["profit"] for day in result["days"]) == metrics["net_profit"]
    assert metrics["commission"] == sum(8 * trade["volume"] for trade in trades)
    assert sum(result["closed_for"].values()) == len(trades)
    assert result["signals"] == len(trades) + sum(result["denials"].values())
    with (tmp_path / "out" / "trades.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(trades)
    last = (tmp_path / "out" / "equity.csv").read_text(encoding="utf-8").splitlines()[-1]
    assert int(last.split(",")[2]) == metrics["balance_end"]
    assert "in-sample" in capsys.readouterr().out


@pytest.mark.parametrize(("lang", "said"), [("en", "do not predict"), ("id", "tidak meramalkan")])
def test_the_page_stands_alone_and_warns(lang: str, said: str, tmp_path: Path) -> None:
    assert run(tmp_path, "--out", str(tmp_path / "out"), "--lang", lang) == 0
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert page.open == []
    assert page.fetched == []
    assert "url(" not in html and "@import" not in html and "<script" not in html
    text = " ".join(page.text)
    assert said in text
    assert "in-sample" in text
    assert "{" not in re.sub(r"(?s)<style>.*?</style>|<pre>.*?</pre>", "", html)
    assert html.count("<svg") == 2


def test_both_languages_have_the_same_words_and_every_figure() -> None:
    words = {
        lang: tomllib.loads((FOLDER / f"texts.{lang}.toml").read_text(encoding="utf-8"))
        for lang in ("en", "id")
    }
    assert words["en"].keys() == words["id"].keys()
    figures = set(Metrics.__dataclass_fields__)
    for each in words.values():
        assert set(each["metrics"]) == figures
        assert all(len(pair) == 2 and all(pair) for pair in each["metrics"].values())
    for key in words["en"].keys() - {"metrics"}:
        holes = [re.findall(r"{\w+}", words[lang][key]) for lang in words]
        assert holes[0] == holes[1]


def test_a_figure_without_a_value_is_a_dash_and_never_a_zero() -> None:
    assert show_figure("sharpe", None) == "–"  # noqa: RUF001
    assert show_figure("sharpe", 0.0) == "0.00"
    assert show_figure("net_profit", -123_456) == "-1,234.56"
    assert show_figure("win_rate", 0.5) == "50.00%"
    assert show_figure("trades", 1_234) == "1,234"


def test_the_example_is_a_configuration() -> None:
    config = read_config(EXAMPLE)
    assert config.symbol.name == "EURUSD"
    assert config.limits.sizing.risk_bp == 25


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"symbol": {"name": "eurusd"}}, "symbol.name"),
        ({"symbol": {"name": "GBPJPY"}}, "account.currency: USD is neither side of GBPJPY"),
        ({"symbl": {}}, "symbl: Extra inputs"),
        ({"limits": {"cooldwn_s": 1}}, "limits.cooldwn_s: unknown key"),
        ({"limits": {"sizing": {"lot": 1}}}, "limits.sizing.lot: unknown key"),
        ({"limits": {"losses": [{"period": "day"}]}}, "limits.losses.0.basis"),
        ({"limits": {"losses": [{"period": "day", "basis": "equity", "max_bp": 1, "x": 1}]}},
         "limits.losses.x: unknown key"),
        ({"signals": {"kind": "magic"}}, "signals"),
        ({"signals": {"kind": "ema_cross", "fast": 9, "slow": 9}}, "fast must be less than slow"),
        ({"account": {"balance": 0}}, "account.balance"),
        ({"market": {"latency_ms": -1}}, "market.latency_ms"),
    ],
)  # fmt: skip
def test_a_configuration_that_is_wrong_says_where(change: dict[str, Any], said: str) -> None:
    good = {"symbol": {"name": "EURUSD"}, "signals": {"kind": "ema_cross"}}
    with pytest.raises(ConfigUnusable, match=re.escape(said)):
        parse_config({**good, **change})


def test_a_yen_account_trades_a_pair_with_yen() -> None:
    config = parse_config(
        {"account": {"currency": "JPY"}, "symbol": {"name": "USDJPY"},
         "signals": {"kind": "ema_cross"}}
    )  # fmt: skip
    assert isinstance(config, BacktestConfig)


@pytest.mark.parametrize(
    ("config", "more", "said"),
    [
        ("[symbol", (), "ConfigUnusable"),
        (CONFIG, ("--from", "2030-01-01T00:00Z", "--to", "2030-01-02T00:00Z"), "is usable"),
        (CONFIG.replace("[account]", "[acount]"), (), "acount"),
    ],
)
def test_what_is_wrong_is_told_on_stderr(
    config: str, more: tuple[str, ...], said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(tmp_path, *more, config=config) == 2
    assert said in capsys.readouterr().err


def test_a_time_without_a_zone_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path, "--from", "2014-05-14T08:00")
    assert "time zone" in capsys.readouterr().err


def test_an_unknown_command_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    said = capsys.readouterr().err
    assert "backtest" in said and "replay" in said
    assert main(["--help"]) == 0


def test_replay_is_the_replay_of_the_edge(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["replay", "--help"])
    assert "--pace" in capsys.readouterr().out


def test_progress_draws_nothing_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    with show_progress("EURUSD") as report:
        report(1, 2)
    assert capsys.readouterr().err == ""


def test_a_thinned_line_keeps_its_ends_and_its_extremes() -> None:
    values = [float((number * 7919) % 10_007) for number in range(50_000)]
    line = Line(list(range(50_000)), values)
    thin = thin_out(line)
    assert len(thin.values) <= 2 * COLUMNS + 2
    assert (thin.times_ns[0], thin.times_ns[-1]) == (0, 49_999)
    assert (min(thin.values), max(thin.values)) == (min(values), max(values))
