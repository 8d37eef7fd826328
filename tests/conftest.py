"""Real servers for the tests, one set a session: PostgreSQL, Redis, ClickHouse, migrated."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

os.environ.setdefault("STAGE", "test")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "test")
os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")
os.environ.setdefault("EVENT_BUS_NAME", "sinyal-test")
os.environ.setdefault("PUBLIC_URL", "http://api.sinyal.localhost")
os.environ.setdefault("WEB_URL", "https://app.example.com")
os.environ.setdefault("EXPORTS_BUCKET", "sinyal-test-exports")
os.environ.setdefault("BROKER_KEY_ID", "alias/sinyal-test-broker")
os.environ.setdefault("AWS_DEFAULT_REGION", "ap-southeast-3")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")

from functions.database_service.migrate import ROOMS, migrate, migrate_clickhouse
from iac.local import testing
from kit.db import Database, make_conninfo
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Two processes share the tests by file; what stands on the deployed stack is one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        """One scope a file, and one for the stack's tests."""

        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::", 1)[0]
            return "stack" if path.startswith(("tests/e2e/", "tests/iac/")) else path

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stack's tests begin first: they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/e2e/", "tests/iac/")))


class Stores:
    """The session's PostgreSQL, seen as each room sees it."""

    def __init__(self, dsn: str, port: int, passwords: dict[str, str]) -> None:
        self.dsn, self.port, self.passwords = dsn, port, passwords

    def secret(self, room: str) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "dbname": "sinyal",
            "user": f"sinyal_{room}",
            "password": self.passwords[room],
        }


@contextmanager
def run_stores(folder: Path) -> Iterator[Stores]:
    """A PostgreSQL of one's own with all migrations applied."""
    server = testing.start_postgres(folder)
    passwords = {room: secrets.token_urlsafe(24) for room in ROOMS}
    try:
        migrate(server.dsn, passwords)
        yield Stores(server.dsn, server.port, passwords)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """PostgreSQL with all migrations applied."""
    with run_stores(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def published() -> RecordingPublisher:
    """What the test's transactions published."""
    return RecordingPublisher()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def open_room(
    stores: Stores, published: RecordingPublisher, clock: FixedClock
) -> Iterator[Callable[[str], Database]]:
    """Open a room's database as its own role: ``open_room("billing_service")``."""
    opened: list[Database] = []

    def open_(room: str) -> Database:
        database = Database(room, make_conninfo(stores.secret(room)), published, clock)
        opened.append(database)
        return database

    yield open_
    for database in opened:
        database.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = testing.start_redis(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """ClickHouse with all tables; the value is the secret a room would read."""
    server = testing.start_clickhouse(tmp_path_factory.mktemp("clickhouse"))
    secret = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": server.username,
        "password": server.password,
        "database": server.database,
        "secure": False,
    }
    migrate_clickhouse(secret)
    yield secret
    server.stop()


@pytest.fixture
def tenant() -> UUID:
    from contracts.ids import uuid7

    return uuid7()


@pytest.fixture
def other_tenant() -> UUID:
    from contracts.ids import uuid7

    return uuid7()


@pytest.fixture
def set_secret(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Any]], None]:
    """Give a secret through the environment: ``set_secret("redis", {"url": ...})``."""
    from kit.settings import forget_secrets

    forget_secrets()

    def set_(name: str, value: dict[str, Any]) -> None:
        key = "SINYAL_SECRET_" + name.upper().replace("/", "_").replace("-", "_")
        monkeypatch.setenv(key, json.dumps(value))

    return set_


REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def sandbox_endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Every provider's sandbox in one real process; the values are their addresses."""
    from tests.support.sandboxes import run_sandboxes

    with run_sandboxes(tmp_path_factory.mktemp("sandboxes")) as endpoints:
        yield endpoints
