"""The run's own figures: percentiles by nearest rank, files that are never half written."""

import json
import time
from pathlib import Path

import pytest

from edge_bridge.main import read_arguments
from edge_bridge.summary import ProgressFile, pick_rank, show_time, write_whole


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(0, 0.5, None), (1, 0.99, 1), (100, 0.5, 50), (100, 0.99, 99), (101, 0.99, 100), (10, 1, 10)],
)
def test_percentiles_are_nearest_rank(count: int, share: float, expected: float | None) -> None:
    assert pick_rank(list(range(1, count + 1)), share) == expected


def test_a_reader_of_the_progress_always_sees_a_whole_line(tmp_path: Path) -> None:
    path, seen = tmp_path / "progress.json", {"ticks": 0}
    progress = ProgressFile(path, lambda: dict(seen))
    progress.start()
    deadline = time.monotonic() + 5
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert json.loads(path.read_text()) == {"ticks": 0}
    seen["ticks"] = 7
    progress.stop()
    assert json.loads(path.read_text()) == {"ticks": 7}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "old")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_times_on_the_command_line_need_a_zone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--replay", "t.parquet", "--symbol", "EURUSD", "--state", "s"]
    options = read_arguments([*words, "--from", "2014-05-14T00:00Z"])
    assert options.start_ns is not None
    assert show_time(options.start_ns) == "2014-05-14T00:00:00+00:00"
    with pytest.raises(SystemExit):
        read_arguments([*words, "--from", "2014-05-14T00:00"])
    assert "time zone" in capsys.readouterr().err
