"""Run statements in chDB: a connection a session, a fresh one for requests without a session.

A chDB connection keeps `USE`, `SET` and temporary tables, as a ClickHouse session does. The
connections share one engine in this process, and the engine may run them side by side.
"""

import contextlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iac.local.clickhouse import codes
from iac.local.clickhouse.codes import QueryRefused, read_engine_error

SESSIONS_MAX = 256
SESSION_IDLE_SECONDS = 60.0  # ClickHouse's default_session_timeout
RUNNING_MAX = 16
RUNNING_WAIT_SECONDS = 30.0

# `INSERT INTO t (a, b) [SETTINGS ...] FORMAT Name`, with the data after the line or not at all.
_INSERT = re.compile(
    rb"\s*(INSERT\s+INTO\s+(?:`[^`]*`|[^\s(';`])++\s*(?:\([^)]*\))?[^()';]*?)"
    rb"\s+FORMAT\s+(\w+)[ \t]*(?:\r?\n|;?\s*\Z)",
    re.IGNORECASE,
)
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Statement:
    """One request: the query's text, data appended to it, and everything it is bound to."""

    text: bytes
    data: bytes | memoryview = b""
    database: str = ""
    session_id: str = ""
    default_format: str = "TabSeparated"
    bind: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False


@dataclass
class _Session:
    connection: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    used_at: float = field(default_factory=time.monotonic)


class Engine:
    """The ClickHouse engine over one data folder; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        from chdb import _chdb

        self._connect: Callable[[str], Any] = getattr(_chdb, "connect")  # noqa: B009 (no stub)
        # Gathering small inserts for a while only delays an engine inside this process.
        self._folder = f"{folder}?async_insert=0"
        self._keeper = self._connect(self._folder)  # keeps the engine open between requests
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()
        self._running = threading.BoundedSemaphore(RUNNING_MAX)
        self.version, self.timezone = (
            self._keeper.query("SELECT version(), timezone()", "TSV").bytes().decode().split()
        )

    def close(self) -> None:
        """Close every session and the engine."""
        with self._lock:
            sessions, self._sessions = self._sessions, OrderedDict()
        for session in sessions.values():
            with session.lock:
                session.connection.close()
        self._keeper.close()

    def run(self, statement: Statement) -> Any:
        """Run one statement; return the result as a buffer of bytes, or raise QueryRefused."""
        if not self._running.acquire(timeout=RUNNING_WAIT_SECONDS):
            raise QueryRefused(
                codes.TOO_MANY_SIMULTANEOUS_QUERIES, f"{RUNNING_MAX} queries run already"
            )
        try:
            with self._connection_for(statement.session_id) as connection:
                return _run_on(connection, statement)
        except RuntimeError as error:
            raise read_engine_error(error) from None
        finally:
            self._running.release()

    @contextlib.contextmanager
    def _connection_for(self, session_id: str) -> Iterator[Any]:
        if not session_id:
            connection = self._connect(self._folder)
            try:
                yield connection
            finally:
                connection.close()
            return
        session = self._take_session(session_id)
        try:
            yield session.connection
        finally:
            session.used_at = time.monotonic()
            session.lock.release()

    def _take_session(self, session_id: str) -> _Session:
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                self._drop_idle_sessions()
                session = _Session(self._connect(self._folder))
                self._sessions[session_id] = session
            self._sessions.move_to_end(session_id)
            if not session.lock.acquire(blocking=False):
                raise QueryRefused(
                    codes.SESSION_IS_LOCKED, f"Session {session_id} is locked by a running query"
                )
            return session

    def _drop_idle_sessions(self) -> None:
        now = time.monotonic()
        for session_id, session in list(self._sessions.items()):
            over = len(self._sessions) >= SESSIONS_MAX
            idle = now - session.used_at > SESSION_IDLE_SECONDS
            if (over or idle) and session.lock.acquire(blocking=False):
                del self._sessions[session_id]
                session.connection.close()


def _run_on(connection: Any, statement: Statement) -> Any:
    if statement.database:
        connection.query(f"USE {quote_name(statement.database)}", "TSV")
    _set(connection, {name: quote_text(value) for name, value in statement.settings.items()})
    try:
        return _run_bound(connection, statement)
    finally:
        if statement.session_id:  # settings of a request end with it; those of a session stay
            _set(connection, dict.fromkeys(statement.settings, "DEFAULT"))


def _set(connection: Any, settings: Mapping[str, str]) -> None:
    for name in settings:
        if not _SETTING_NAME.match(name):
            raise QueryRefused(codes.UNKNOWN_SETTING, f"Unknown setting '{name}'")
    if settings:
        listed = ", ".join(f"{name} = {value}" for name, value in settings.items())
        connection.query(f"SET {listed}", "TSV")


def _run_bound(connection: Any, statement: Statement) -> Any:
    insert = split_insert(statement.text, statement.data)
    if insert is not None:
        if statement.read_only:
            raise QueryRefused(codes.READONLY, "Cannot execute query in readonly mode")
        return _insert(connection, *insert)
    text = (statement.text + bytes(statement.data)).decode(errors="surrogateescape")
    kind = connection.classify_query(text)
    if kind["statement_count"] > 1:
        raise QueryRefused(
            codes.SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed. (SYNTAX_ERROR)"
        )
    if statement.read_only and str(kind["query_class"]).endswith("MUTATING"):
        raise QueryRefused(codes.READONLY, "Cannot execute query in readonly mode. (READONLY)")
    result = connection.query(text, statement.default_format, params=dict(statement.bind))
    return result.bytes()


def split_insert(text: bytes, data: bytes | memoryview) -> tuple[str, str, bytes] | None:
    """Return (insert without FORMAT, format, data), or None when the statement is no such insert.

    The data follows the line in `text`, or stands in `data`, or is in both (joined).
    """
    found = _INSERT.match(text)
    if found is None or found[2].lower() == b"values":
        return None
    rows = text[found.end() :] + bytes(data)
    if not rows.strip():
        return None
    return found[1].decode(), found[2].decode(), rows


def _insert(connection: Any, head: str, data_format: str, rows: bytes) -> bytes:
    inserter = connection.send_insert(head, data_format)
    try:
        connection.insert_append(inserter, rows)
        connection.insert_done(inserter)
    except RuntimeError:
        with contextlib.suppress(RuntimeError):  # the engine has cancelled it by itself
            connection.insert_cancel(inserter)
        raise
    return b""


def quote_name(name: str) -> str:
    """Quote an identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_text(text: str) -> str:
    """Quote a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
