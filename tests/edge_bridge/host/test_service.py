"""The service's description is XML that its wrapper reads, whatever the paths hold."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_bridge.host import service

WINDOWS = Path(__file__).parents[3] / "edge-bridge" / "windows"
REPOSITORY = WINDOWS.parents[1]


def test_the_service_starts_stops_and_comes_back() -> None:
    text = service.describe_service("C:\\a & b\\python.exe", "C:\\edge.toml", "C:\\logs")
    root = ElementTree.fromstring(text)
    assert root.findtext("executable") == "C:\\a & b\\python.exe"
    assert root.findtext("arguments") == '-X utf8 -m edge_bridge run --config "C:\\edge.toml"'
    assert [each.get("delay") for each in root.iter("onfailure")] == ["5 sec", "30 sec", "120 sec"]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert service.main(["--python", "p", "--config", "c", "--logs", "l"]) == 0
    assert ElementTree.fromstring(capsys.readouterr().out).findtext("id") == "sinyal-edge"


def test_the_installer_names_only_what_exists() -> None:
    text = (WINDOWS / "install-service.ps1").read_text(encoding="utf-8")
    named = re.findall(r"\$checkout '([^']+)'", text)
    assert named and all((REPOSITORY / each.replace("\\", "/")).exists() for each in named), named
    assert "edge_bridge.host.service" in text
