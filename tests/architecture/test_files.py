"""Every file fits in the head, says why it exists, and holds nothing of one machine or registry."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, find_files, name, parse

SOURCE_LINES_MAX = 300
TEST_LINES_MAX = 500
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sql", ".in", ".txt", ".svg", ".html", ""}

# Written in halves, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
REGISTRIES = re.compile(
    r"(pypi\.(o" r"rg|io)|pythonho" r"sted|registry\.np" r"mjs|index-" r"url|find-" r"links)",
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(wo" r"rk|ho" r"me|Us" r"ers|ro" r"ot)/\w")
LOCK_COMMAND = "--no-emit-index-" + "url"


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _found(pattern: re.Pattern[str], *, without: str = "") -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()[:80]}"
        for path in find_files()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line.replace(without, "") if without else line)
    ]


def test_no_source_file_is_longer_than_300_lines() -> None:
    long = {
        name(path): lines
        for path in find_files(".py", ".sql")
        if not name(path).startswith("tests/") and (lines := _lines(path)) > SOURCE_LINES_MAX
    }
    assert long == {}


def test_no_test_file_is_longer_than_500_lines() -> None:
    long = {
        name(path): lines
        for path in find_files(".py", below="tests")
        if (lines := _lines(path)) > TEST_LINES_MAX
    }
    assert long == {}


def test_every_module_says_why_it_exists() -> None:
    """But for a package's mark without a line in it."""
    silent = [name(p) for p in find_files(".py") if _lines(p) and not ast.get_docstring(parse(p))]
    assert silent == []


def test_every_migration_says_why_it_exists() -> None:
    silent = [
        name(path)
        for path in find_files(".sql")
        if not path.read_text(encoding="utf-8").lstrip().startswith(("--", "/*"))
    ]
    assert silent == []


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
    assert [name(p) for p in find_files(".py") if {p.stem, p.parent.name} & vague] == []


def test_no_file_promises_to_be_finished_later() -> None:
    assert _found(UNFINISHED) == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    pattern = re.compile(r"pytest\.(mark\.)?(sk" r"ip|xf" r"ail)")
    assert _found(pattern) == []


def test_no_file_names_a_package_registry() -> None:
    assert _found(REGISTRIES, without=LOCK_COMMAND) == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert _found(MACHINE_PATHS) == []


def _requirements() -> list[Path]:
    return [*ROOT.glob("requirements/*.txt"), *ROOT.glob("layers/third_party/*.txt")]


@pytest.mark.parametrize("path", _requirements(), ids=name)
def test_every_requirement_is_pinned_with_its_hashes(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert entries
    loose = [e[:60] for e in entries if "==" not in e or "--hash=sha256:" not in e]
    assert loose == []


@pytest.mark.parametrize("path", _requirements(), ids=name)
def test_every_list_of_requirements_has_its_source(path: Path) -> None:
    assert path.with_suffix(".in").exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`?make ([a-z][a-z-]*)", (ROOT / page).read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named - targets == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8"))
    links += re.findall(r'src="([^"]+)"', (ROOT / page).read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert dead == []
