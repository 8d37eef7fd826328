"""One file, overridden by the environment; whatever is wrong is told by its place."""

from pathlib import Path

import pytest

from edge_bridge.errors import ConfigurationUnusable
from edge_bridge.host.config import HostConfig, read_config

GOOD = """
name = "edge-1"
stage = "prod"
state = "state"
[cloud]
event_bus = "sinyal-prod"
edge_queue = "sinyal-prod-edge"
market_queue = "sinyal-prod-market-data"
[market]
source = "recording"
symbols = ["EURUSD"]
recording = "ticks.parquet"
[stream]
jwks_url = "https://api.example.com/.well-known/jwks.json"
issuer = "https://api.example.com"
"""


def read(folder: Path, text: str) -> HostConfig:
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert (config.stream.port, config.workers.accounts_max) == (8001, 300)
    assert config.market.symbols == ("EURUSD",)


def test_the_environment_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINYAL_EDGE__STREAM__PORT", "8443")
    monkeypatch.setenv("SINYAL_EDGE__NAME", "edge-2")
    config = read(tmp_path, GOOD)
    assert (config.stream.port, config.name) == (8443, "edge-2")
    assert config.stream.issuer == "https://api.example.com"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[stream]", "[stream]\nprot = 1"), "stream.prot"),
        (('name = "edge-1"', 'name = "Edge 1"'), "name"),
        (('recording = "ticks.parquet"', ""), "recording"),
        (('source = "recording"', 'source = "terminal"'), "login"),
        (("[cloud]", "[cloud"), "not TOML"),
        (('edge_queue = "sinyal-prod-edge"', ""), "cloud.edge_queue"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationUnusable, match=told):
        read(tmp_path, GOOD.replace(*change))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnusable, match="No such file"):
        read_config(tmp_path / "none.toml")


def test_a_password_is_neither_in_the_file_nor_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GOOD.replace('source = "recording"', 'source = "terminal"\nlogin = 7\nserver = "Demo"')
    with pytest.raises(ConfigurationUnusable, match="SINYAL_EDGE__MARKET__PASSWORD"):
        read(tmp_path, text)
    word = "open sesame"
    monkeypatch.setenv("SINYAL_EDGE__MARKET__PASSWORD", word)
    config = read(tmp_path, text)
    assert config.market.password.get_secret_value() == word
    assert word not in repr(config)
