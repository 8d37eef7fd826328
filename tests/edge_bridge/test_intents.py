"""Intentions survive what kills the process, are merged once, and are never half there."""

import json
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import uuid7
from edge_bridge.engine.journal import StorageFull
from edge_bridge.link.intents import BYTES_KEPT, IntentLog
from edge_bridge.link.journal import InboxRow, Journal
from tests.edge_bridge.cloud import entitle, wrap

Values = dict[str, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("quiet", "loud", "reopen")),
        st.dictionaries(st.sampled_from("abcd"), st.one_of(st.none(), st.text(max_size=40))),
    ),
    max_size=12,
)


def open_journal(folder: Path) -> Journal:
    return Journal(folder / "edge.db")


@contextmanager
def disk_full(extra: int = 0) -> Iterator[None]:
    """No file of this process may grow past so many bytes, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def copy(folder: Path) -> Path:
    """What a killed process would leave: the files as they are now."""
    target = Path(tempfile.mkdtemp(dir=folder.parent))
    for path in folder.glob("edge*"):
        shutil.copy(path, target / path.name)
    return target


def test_an_intention_is_there_at_once_and_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    journal = open_journal(tmp_path / "a")
    journal.write(records=[("order", "1", "intended")], quiet=True)
    assert journal.load("order") == {"1": "intended"}
    killed = open_journal(copy(tmp_path / "a"))
    assert killed.load("order") == {"1": "intended"}
    killed.close()
    journal.close()


def test_the_next_step_takes_intentions_along_and_its_own_values_win(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    journal = open_journal(tmp_path / "a")
    journal.write(records=[("order", "1", "old"), ("order", "2", "old")], quiet=True)
    journal.write(records=[("order", "3", "x"), ("order", "4", "x")])
    journal.write(records=[("order", "1", "old again")], quiet=True)
    journal.write(records=[("order", "1", "new"), ("order", "2", None)])
    for reopened in (journal, open_journal(copy(tmp_path / "a"))):
        assert reopened.load("order") == {"1": "new", "3": "x", "4": "x"}
        reopened.close()


@settings(max_examples=20, deadline=None)
@given(steps=STEPS)
def test_any_order_of_quiet_and_loud_steps_leaves_the_newest_values(
    steps: list[tuple[str, dict[str, str | None]]],
) -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text) / "a"
        folder.mkdir()
        journal, model = open_journal(folder), Values()
        for kind, values in steps:
            if kind == "reopen":
                journal.close()
                journal = open_journal(folder)
                continue
            records = [("kind", key, value) for key, value in values.items()]
            journal.write(records=records, quiet=kind == "quiet")
            for key, value in values.items():
                if value is None:
                    model.pop(key, None)
                else:
                    model[key] = value
            assert journal.load("kind") == model
            killed = open_journal(copy(folder))
            assert killed.load("kind") == model
            killed.close()
        journal.close()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), junk=st.binary(max_size=40))
def test_a_torn_tail_is_cut_off_and_whole_steps_before_it_stay(cut: int, junk: bytes) -> None:
    with tempfile.TemporaryDirectory() as text:
        path = Path(text) / "log"
        log = IntentLog(path)
        ends = []
        for number in range(4):
            log.append(number + 1, [("order", str(number), "x" * 30)])
            ends.append(log.size)
        log.close()
        whole = path.read_bytes()
        path.write_bytes(whole[:cut] + junk)
        log = IntentLog(path)
        kept = [step for step, _ in log.found]
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) >= sum(end <= cut for end in ends)
        log.append(9, [("order", "after", "y")])
        log.close()
        again = IntentLog(path)
        assert [step for step, _ in again.found] == [*kept, 9]
        again.close()


@pytest.mark.parametrize("place", [0, 20, 30, 60])
def test_a_flipped_byte_is_noticed(tmp_path: Path, place: int) -> None:
    log = IntentLog(tmp_path / "log")
    log.append(1, [("order", "1", "x" * 30)])
    log.close()
    content = bytearray((tmp_path / "log").read_bytes())
    content[place] ^= 1
    (tmp_path / "log").write_bytes(bytes(content))
    assert IntentLog(tmp_path / "log").found == []


def test_a_log_that_is_all_in_the_file_is_emptied(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    value = "x" * 10_000
    for number in range(BYTES_KEPT // len(value) + 2):
        journal.write(records=[("order", str(number), value)], quiet=True)
    log = tmp_path / "edge.intents"
    assert log.stat().st_size > BYTES_KEPT
    journal.write(records=[("order", "last", "1"), ("other", "last", "1")])
    assert log.stat().st_size == 0
    journal.write(records=[("order", "first again", "1")], quiet=True)
    killed = open_journal(copy(tmp_path))
    assert len(killed.load("order")) == number + 3
    killed.close()
    journal.close()


def test_on_a_full_disk_an_intention_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.write(records=[("order", "1", "kept")], quiet=True)
    size = (tmp_path / "edge.intents").stat().st_size
    for room in (0, 20):  # none at all, and only for a part of the line
        with disk_full(size + room), pytest.raises(StorageFull):
            journal.write(records=[("order", "2", "x" * 100)], quiet=True)
        assert (tmp_path / "edge.intents").stat().st_size == size
    assert journal.load("order") == {"1": "kept"}
    journal.write(records=[("order", "3", "fits again")], quiet=True)
    killed = open_journal(copy(tmp_path))
    assert killed.load("order") == {"1": "kept", "3": "fits again"}
    killed.close()
    journal.close()


def test_on_a_full_disk_a_step_is_refused_whole(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.write(records=[("order", "1", "pending")], quiet=True)
    big: list[Any] = [("order", str(n), "x" * 5_000) for n in range(2, 300)]
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    with disk_full(size + 8_192), pytest.raises(StorageFull):
        journal.write(records=big, events=[wrap(entitle(), uuid7())])
    assert journal.load("order") == {"1": "pending"}
    assert journal.depth() == 0
    journal.write(records=big)
    assert len(journal.load("order")) == 299
    journal.close()


def test_a_handled_message_and_its_intention_end_in_one_step(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    event_id = uuid7()
    journal.store_message(InboxRow(str(event_id), "SignalIssued", json.dumps({})))
    journal.write(records=[("order", "1", "intended")], quiet=True)
    assert len(journal.read_inbox()) == 1
    journal.write(records=[("order", "1", "filled")], done=[event_id])
    killed = open_journal(copy(tmp_path))
    assert (killed.load("order"), killed.read_inbox()) == ({"1": "filled"}, [])
    killed.close()
    journal.close()
