"""Decisions of erasure and export: order, resumption, and an archive that keeps its bound."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from contracts.ids import uuid7
from functions.database_service.errors import ArchiveTooLarge
from functions.database_service.logic.archive import Part, write_archive
from functions.database_service.logic.erasure import erase_tenant, list_steps, order_tables
from functions.database_service.models import StoreName, Swept, TableRule
from tests.support.builders import NOW


class FakeLedger:
    def __init__(self) -> None:
        self.done: list[StoreName] = []
        self.notes: dict[StoreName, int] = {}
        self.closed = 0

    def begin(self) -> list[StoreName]:
        return list(self.done)

    def note(self, store: StoreName, found: Swept) -> None:
        self.notes[store] = max(found.erased, self.notes.get(store, 0))

    def finish(self, store: StoreName) -> None:
        self.done.append(store)

    def complete(self) -> None:
        self.closed += 1
        self.done = []


class FakeStore:
    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.broken = False
        self.calls = 0

    def count(self) -> int:
        return self.rows

    def erase(self) -> None:
        self.calls += 1
        if self.broken:
            raise ConnectionError
        self.rows = 0


def test_rows_that_refer_go_before_the_rows_they_refer_to() -> None:
    references = [("orders", "accounts"), ("lines", "orders"), ("tokens", "users")]
    ordered = order_tables(["accounts", "lines", "orders", "tokens", "users"], references)
    for source, target in references:
        assert ordered.index(source) < ordered.index(target)


def test_a_table_that_refers_to_itself_or_to_one_that_stays_is_no_obstacle() -> None:
    assert order_tables(["a"], [("a", "a"), ("a", "kept"), ("kept", "a")]) == ("a",)


def test_tables_in_a_circle_are_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        order_tables(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])


def test_what_changes_comes_before_what_goes() -> None:
    rules = [
        TableRule("parent", "delete"),
        TableRule("child", "delete"),
        TableRule("name", "pseudonymise", {"x": None}, "why"),
        TableRule("invoice", "keep", reason="tax"),
    ]
    steps = [rule.table for rule in list_steps(rules, [("child", "parent")])]
    assert steps == ["name", "invoice", "child", "parent"]


def test_a_sweep_goes_on_at_the_store_that_failed() -> None:
    ledger, rows_erased = FakeLedger(), []
    clickhouse, redis = FakeStore(3), FakeStore(5)
    redis.broken = True
    outside: dict[StoreName, FakeStore] = {"clickhouse": clickhouse, "redis": redis}

    def erase_rows() -> None:
        rows_erased.append(1)
        ledger.finish("postgresql")

    with pytest.raises(ConnectionError):
        erase_tenant(ledger, erase_rows, outside)
    assert (ledger.closed, ledger.done) == (0, ["postgresql", "clickhouse"])
    redis.broken = False
    erase_tenant(ledger, erase_rows, outside)
    assert (len(rows_erased), clickhouse.calls, redis.calls) == (1, 1, 2)
    assert ledger.notes == {"clickhouse": 3, "redis": 5}
    assert ledger.closed == 1


def test_a_store_that_holds_nothing_is_left_alone() -> None:
    ledger, store = FakeLedger(), FakeStore(0)
    erase_tenant(ledger, lambda: None, {"redis": store})
    assert (store.calls, ledger.closed) == (0, 1)


def test_an_archive_tells_what_is_in_it(tmp_path: Path) -> None:
    tenant_id, path = uuid7(), tmp_path / "a.zip"
    parts = [Part("postgresql/a.b.jsonl", iter(['{"x":1}', '{"x":2}'])), Part("empty.jsonl", [])]
    archive = write_archive(path, tenant_id, NOW, parts)
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.read("postgresql/a.b.jsonl") == b'{"x":1}\n{"x":2}\n'
        manifest = json.loads(file.read("manifest.json"))
    assert (archive.rows, manifest["rows"]) == (2, 2)
    assert [entry["rows"] for entry in manifest["files"]] == [2, 0]
    assert (manifest["tenant_id"], manifest["made_at"]) == (str(tenant_id), NOW.isoformat())


@pytest.mark.parametrize("row_bytes", [100, 100_000])
def test_an_archive_stops_before_it_passes_its_bound(tmp_path: Path, row_bytes: int) -> None:
    path, bound = tmp_path / "a.zip", 2_000_000
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for _ in range(1_000_000):
            taken += 1
            yield token_hex(row_bytes // 2)

    with pytest.raises(ArchiveTooLarge):
        write_archive(path, uuid7(), NOW, [Part("a.jsonl", endless())], bound)
    assert path.stat().st_size <= bound
    assert taken < 1_000_000
