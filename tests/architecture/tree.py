"""The repository as the architecture tests see it: rooms, files, syntax trees.

Files are found by walking the project's own folders, so that the tests also run where there is no
version control.
"""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from iac.local.rooms import PORTS

ROOT = Path(__file__).resolve().parents[2]

ROOMS = PORTS
"""The design's fifteen services and the port each one's door has when it runs alone."""

FOLDERS = (
    ".ci",
    "benchmarks",
    "docs",
    "edge-bridge",
    "events",
    "functions",
    "iac",
    "layers",
    "requirements",
    "tests",
)
_SKIPPED = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def room_folder(room: str) -> Path:
    return ROOT / "functions" / room


def find_files(*suffixes: str, below: str | None = None) -> Iterator[Path]:
    """The project's files with one of the suffixes (all files when none is given)."""
    roots = [ROOT / below] if below else [ROOT / name for name in FOLDERS]
    for root in roots:
        for path in sorted(root.rglob("*")):
            wanted = path.is_file() and (not suffixes or path.suffix in suffixes)
            if wanted and not _SKIPPED.intersection(path.parts):
                yield path
    if below is None:
        for path in sorted(ROOT.iterdir()):
            if path.is_file() and (not suffixes or path.suffix in suffixes):
                yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@lru_cache(maxsize=2_000)
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_of(path: Path) -> set[str]:
    """Dotted names of every absolute import, wherever in the file it stands."""
    found: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of the file with its line, docstrings left out."""
    tree = parse(path)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.lineno, node.value


class _CloudFormation(yaml.SafeLoader):
    """Reads a template; ``!Sub x`` becomes ``{"Sub": x}``."""


def _construct_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {suffix: loader.construct_mapping(node, deep=True)}


_CloudFormation.add_multi_constructor("!", _construct_tag)


@lru_cache(maxsize=20)
def read_template(path: str = "template.yaml") -> dict[str, Any]:
    """A template as plain data."""
    text = (ROOT / path).read_text(encoding="utf-8")
    template: dict[str, Any] = yaml.load(text, Loader=_CloudFormation)
    return template


def resources(path: str = "template.yaml", kind: str | None = None) -> dict[str, dict[str, Any]]:
    """A template's resources by logical id, all or those of one type."""
    found: dict[str, dict[str, Any]] = read_template(path)["Resources"]
    return {key: value for key, value in found.items() if kind in (None, value["Type"])}


def queue_of(room: str) -> str:
    """The room's queue after ``sinyal-STAGE-``."""
    return "market-data" if room == "data_bridge" else room.replace("_", "-")


def consumer_rooms() -> list[str]:
    """Rooms with a queue door."""
    return [room for room in ROOMS if (room_folder(room) / "consumer.py").exists()]


def names_of_tests(folder: Path) -> set[str]:
    """Names of the tests in a folder."""
    return {
        node.name
        for path in folder.rglob("test_*.py")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef) and re.match("test_", node.name)
    }
