"""Every service is a room with the same few files, so that who knows one knows all."""

import ast
import re

import pytest

from functions.database_service import migrate
from tests.architecture.tree import (
    ROOMS,
    ROOT,
    consumer_rooms,
    find_files,
    name,
    names_of_tests,
    parse,
    room_folder,
    texts_of,
)

SHARED = {
    "__init__.py",
    "api.py",
    "api",
    "consumer.py",
    "logic.py",
    "logic",
    "store.py",
    "store",
    "gateway.py",
    "models.py",
    "errors.py",
    "settings.py",
}
OWN = {
    "api_gateway": {"authorizer.py", "audit.py"},
    "user_service": {"admin.py"},
    "database_service": {"migrate.py", "migrations", "clickhouse"},
}
STORES = re.compile(r"functions/\w+/(store\.py|store/)|functions/database_service/migrat")
SQL = re.compile(
    r"^\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s"
    r"|CREATE\s+(TABLE|INDEX|ROLE|SCHEMA)|ALTER\s+(TABLE|ROLE)|TRUNCATE\s)"
)


def test_the_fifteen_rooms_exist_and_no_other() -> None:
    folders = {path.parent.name for path in ROOT.glob("functions/*/__init__.py")}
    assert folders == set(ROOMS)
    assert set(migrate.ROOMS) == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_only_the_files_that_rooms_have(room: str) -> None:
    there = {path.name for path in room_folder(room).iterdir()} - {"__pycache__"}
    assert there - SHARED - OWN.get(room, set()) == set()
    assert {"api.py", "api"} & there
    for part in ("api", "logic", "store"):
        assert not {part, f"{part}.py"} <= there, f"{part} is either a file or a folder"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_begins_with_its_card(room: str) -> None:
    card = ast.get_docstring(parse(room_folder(room) / "__init__.py")) or ""
    assert card.startswith(f"Room card: {room} (port {ROOMS[room]} alone")
    for part in ("Purpose:", "Events out:", "Tables owned:"):
        assert part in card, f"the card does not tell {part!r}"
    assert re.search("(Events|Commands) in:", card), "the card does not tell what comes in"


def test_sql_is_in_stores_and_migrations_only() -> None:
    found = [
        f"{name(path)}:{line}: {text.strip()[:50]}"
        for path in find_files(".py", below="functions")
        if not STORES.match(name(path))
        for line, text in texts_of(path)
        if SQL.match(text)
    ]
    assert found == []


def test_only_the_kits_database_commits() -> None:
    committers = {
        name(path)
        for below in ("functions", "layers")
        for path in find_files(".py", below=below)
        if re.search(r"\.commit\(\)|[\"']COMMIT[\"']", path.read_text(encoding="utf-8"))
    }
    assert committers == {"layers/kit/src/kit/db.py"}


def test_no_room_talks_to_the_bus_itself() -> None:
    publishers = {
        name(path)
        for path in find_files(".py", below="functions")
        if "put_events" in path.read_text(encoding="utf-8")
    }
    assert publishers == set()


@pytest.mark.parametrize("room", consumer_rooms())
def test_a_room_with_a_queue_proves_that_a_redelivery_changes_nothing(room: str) -> None:
    names = names_of_tests(ROOT / "tests" / "functions" / room)
    assert any("redeliver" in test for test in names), "no test is named after redelivery"


@pytest.mark.parametrize("room", consumer_rooms())
def test_a_room_with_a_queue_proves_that_tenants_are_kept_apart(room: str) -> None:
    names = names_of_tests(ROOT / "tests" / "functions" / room)
    assert any("tenant" in test for test in names), "no test is named after tenants"
