"""The log is one JSON object a line, rotates, and is bounded."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_bridge.host.logs import FILE, start_logs


@pytest.fixture(autouse=True)
def _restore_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


def test_a_line_says_when_who_and_what(tmp_path: Path) -> None:
    start_logs(tmp_path)
    try:
        raise ValueError("bad \n news")
    except ValueError:
        logging.getLogger("edge").exception("account %s", 7)
    [line] = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("ERROR", "edge", "account 7")
    assert "ValueError: bad" in said["error"] and said["at"].endswith("Z")


def test_old_files_are_kept_only_up_to_the_bound(tmp_path: Path) -> None:
    start_logs(tmp_path, bytes_max=10_000, files=3)
    for number in range(2_000):
        logging.getLogger("edge").info("line %d with some words to fill the file", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [FILE, f"{FILE}.1", f"{FILE}.2", f"{FILE}.3"]
    assert all(path.stat().st_size <= 10_000 for path in tmp_path.iterdir())
    newest = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()[-1]
    assert "line 1999 " in newest


def test_starting_again_does_not_write_twice(tmp_path: Path) -> None:
    start_logs(tmp_path)
    start_logs(tmp_path)
    logging.getLogger("edge").info("once")
    assert len((tmp_path / FILE).read_text(encoding="utf-8").splitlines()) == 1
