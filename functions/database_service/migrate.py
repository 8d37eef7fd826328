"""Brings PostgreSQL and ClickHouse to this release's schemas; safe to run again at any time.

One schema and one login role a room. Tables belong to ``sinyal_owner``; a room's role has rights on
its own schema only, and row level security binds it to one tenant at a time. The role of this room
may beyond its own schema do what the catalogue of personal data says, and nothing else.
"""

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from functions.database_service.logic.catalogue import RETENTION, TABLES
from functions.database_service.models import ROOMS, TableRule

MIGRATIONS = Path(__file__).parent / "migrations"
CLICKHOUSE = Path(__file__).parent / "clickhouse"

__all__ = ["CLICKHOUSE", "MIGRATIONS", "ROOMS", "migrate", "migrate_clickhouse"]

_LOCK = 7_262_114_001
_ROOM_NAME = re.compile("^[a-z_]{3,40}$")

_ISOLATION = """
CREATE OR REPLACE FUNCTION public.enable_tenant_isolation(relation regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
  EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', relation);
  EXECUTE format(
    'CREATE POLICY tenant ON %s USING '
    '(tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', relation);
END $$;
REVOKE ALL ON FUNCTION public.enable_tenant_isolation(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.enable_tenant_isolation(regclass) TO sinyal_owner;
"""

_SHARED_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
  event_id uuid PRIMARY KEY, source text NOT NULL, detail_type text NOT NULL,
  envelope text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS outbox_created_at ON outbox (created_at);
CREATE TABLE IF NOT EXISTS inbox (
  event_id uuid NOT NULL, handler text NOT NULL, processed_at timestamptz NOT NULL,
  PRIMARY KEY (event_id, handler));
CREATE INDEX IF NOT EXISTS inbox_processed_at ON inbox USING brin (processed_at);
CREATE TABLE IF NOT EXISTS idempotency_keys (
  tenant_id uuid NOT NULL, key text NOT NULL, request_hash text NOT NULL, status int NOT NULL,
  body jsonb NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, key));
CREATE INDEX IF NOT EXISTS idempotency_keys_created_at ON idempotency_keys USING brin (created_at);
"""


def migrate(
    dsn: str, room_passwords: dict[str, str], clickhouse: dict[str, Any] | None = None
) -> list[str]:
    """Apply what is missing; returns the names of the files applied now.

    ``dsn`` is an administrator's; ``clickhouse`` a secret {host, port, username, password,
    database, secure} or None. One transaction in all, one runner at a time (advisory lock).
    """
    applied: list[str] = []
    with psycopg.connect(dsn, connect_timeout=5, options="-c lock_timeout=30000") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        _create_owner(connection)
        for room in ROOMS:
            _create_room(connection, room, room_passwords[room])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS database_service.schema_migrations ("
            " name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for room in ROOMS:
            applied += _apply_room(connection, room)
        _grant_room_of_stores(connection)
        _write_retention(connection)
    if clickhouse is not None:
        applied += migrate_clickhouse(clickhouse)
    return applied


def _create_owner(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "DO $$ BEGIN CREATE ROLE sinyal_owner NOLOGIN BYPASSRLS;"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    connection.execute("GRANT sinyal_owner TO CURRENT_USER")
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    connection.execute("GRANT USAGE ON SCHEMA public TO sinyal_owner")
    connection.execute(_ISOLATION)


def _create_room(connection: psycopg.Connection[Any], room: str, password: str) -> None:
    if not _ROOM_NAME.match(room):
        raise ValueError(f"not a room's name: {room!r}")
    role, schema = sql.Identifier(f"sinyal_{room}"), sql.Identifier(room)
    exists = connection.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = %s", [f"sinyal_{room}"]
    ).fetchone()
    verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
    connection.execute(
        sql.SQL("{} {} LOGIN NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, role, sql.Literal(password)
        )
    )
    connection.execute(
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION sinyal_owner").format(schema)
    )
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
    connection.execute(
        sql.SQL(
            "ALTER DEFAULT PRIVILEGES FOR ROLE sinyal_owner IN SCHEMA {}"
            " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}"
        ).format(schema, role)
    )
    connection.execute(
        sql.SQL(
            "ALTER DEFAULT PRIVILEGES FOR ROLE sinyal_owner IN SCHEMA {}"
            " GRANT USAGE ON SEQUENCES TO {}"
        ).format(schema, role)
    )


def _apply_room(connection: psycopg.Connection[Any], room: str) -> list[str]:
    """Run the room's shared tables and its files, as the owner, with the room's search path."""
    connection.execute("SET LOCAL ROLE sinyal_owner")
    connection.execute(sql.SQL("SET LOCAL search_path TO {}, public").format(sql.Identifier(room)))
    connection.execute(_SHARED_TABLES)
    connection.execute(f"SELECT public.enable_tenant_isolation('{room}.idempotency_keys')")
    connection.execute("RESET ROLE")
    applied = []
    for path in sorted((MIGRATIONS / room).glob("*.sql")):
        name = f"{room}/{path.name}"
        known = connection.execute(
            "SELECT 1 FROM database_service.schema_migrations WHERE name = %s", [name]
        ).fetchone()
        if known:
            continue
        connection.execute("SET LOCAL ROLE sinyal_owner")
        connection.execute(path.read_text())
        connection.execute("RESET ROLE")
        connection.execute(
            "INSERT INTO database_service.schema_migrations (name) VALUES (%s)", [name]
        )
        applied.append(name)
    return applied


def _grant_room_of_stores(connection: psycopg.Connection[Any]) -> None:
    """Give this room's role its rights on the other rooms' tables, and take back all others.

    It relays every outbox. Of a tenant's rows it reads all but the secrets, for exports, and
    changes what an erasure changes; row level security binds it to one tenant as it does the rooms.
    """
    columns = _list_columns(connection)
    for room in ROOMS:
        if room == "database_service":
            continue
        schema = sql.Identifier(room)
        for statement in (
            "GRANT USAGE ON SCHEMA {} TO sinyal_database_service",
            "REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM sinyal_database_service",
            "GRANT SELECT, DELETE, UPDATE ON {}.outbox TO sinyal_database_service",
        ):
            connection.execute(sql.SQL(statement).format(schema))
    for rule in TABLES:
        if rule.table in columns and not rule.table.startswith("database_service."):
            _grant_table(connection, rule, columns[rule.table])


def _grant_table(connection: psycopg.Connection[Any], rule: TableRule, columns: list[str]) -> None:
    table = sql.Identifier(*rule.table.split("."))
    rights = {"SELECT": [name for name in columns if name not in rule.secrets]}
    if rule.treatment == "pseudonymise":
        rights["UPDATE"] = list(rule.columns)
    for right, names in rights.items():
        connection.execute(
            sql.SQL("GRANT {} ({}) ON {} TO sinyal_database_service").format(
                sql.SQL(right), sql.SQL(", ").join(map(sql.Identifier, names)), table
            )
        )
    if rule.treatment == "delete":
        connection.execute(sql.SQL("GRANT DELETE ON {} TO sinyal_database_service").format(table))


def _list_columns(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Columns by table, ``room.table``."""
    rows = connection.execute(
        "SELECT table_schema || '.' || table_name, array_agg(column_name::text)"
        " FROM information_schema.columns WHERE table_schema = ANY(%s) GROUP BY 1",
        [list(ROOMS)],
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def _write_retention(connection: psycopg.Connection[Any]) -> None:
    """Hand the catalogue's ages to the database, for the tables that are there."""
    columns = _list_columns(connection)
    rules = [r for r in RETENTION if r.column in columns.get(r.table, ())]
    connection.execute("DELETE FROM database_service.retention_rules")
    connection.cursor().executemany(
        "INSERT INTO database_service.retention_rules VALUES (%s, %s, %s)",
        [(rule.table, rule.column, rule.days) for rule in rules],
    )


def migrate_clickhouse(secret: dict[str, Any]) -> list[str]:
    """Run every ClickHouse file (all ``IF NOT EXISTS``); returns their names."""
    import clickhouse_connect

    client = clickhouse_connect.get_client(
        host=secret["host"],
        port=secret["port"],
        username=secret["username"],
        password=secret["password"],
        secure=secret.get("secure", True),
        connect_timeout=5,
        send_receive_timeout=30,
        autogenerate_session_id=False,
        compress=False,
    )
    client.command(f"CREATE DATABASE IF NOT EXISTS {secret['database']}")
    client.database = secret["database"]
    names = []
    for path in sorted(CLICKHOUSE.glob("*.sql")):
        for statement in re.sub("--[^\n]*", "", path.read_text()).split(";"):
            if statement.strip():
                client.command(statement)
        names.append(f"clickhouse/{path.name}")
    return names
