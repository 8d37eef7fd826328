"""The catalogue of personal data names what is there: no table without a row, and no other row."""

import re
from typing import Any

import psycopg
import pytest

from functions.database_service.logic.catalogue import (
    CLICKHOUSE,
    PLATFORM_TABLES,
    RETENTION,
    TABLES,
)
from functions.database_service.migrate import ROOMS
from tests.conftest import Stores

SECRET = re.compile(r"(password|secret|token|hash|sealed|encrypted|cipher|recovery|totp|seed)")
HARMLESS = {
    "api_gateway.audit_heads.hash",  # the chain's own
    "api_gateway.audit_log.address_hash",
    "api_gateway.audit_log.device_hash",
    "api_gateway.audit_log.hash",
    "api_gateway.audit_log.prev_hash",
    "database_service.idempotency_keys.request_hash",
    "payment_gateway.notifications.content_hash",
    "subscription_service.usage_events.payload_hash",
    *(f"{room}.idempotency_keys.request_hash" for room in ROOMS),
}
"""Hashes of what is no secret."""


@pytest.fixture(scope="module")
def columns(stores: Stores) -> dict[str, dict[str, str]]:
    """Types of columns by table, of every schema of a room."""
    with psycopg.connect(stores.dsn) as admin:
        rows = admin.execute(
            "SELECT c.table_schema || '.' || c.table_name, column_name, data_type"
            " FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name)"
            " WHERE c.table_schema = ANY(%s) AND t.table_type = 'BASE TABLE'",
            [list(ROOMS)],
        ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def test_every_table_of_tenants_is_in_the_catalogue_and_no_other(
    columns: dict[str, dict[str, str]],
) -> None:
    of_tenants = {table for table, names in columns.items() if "tenant_id" in names}
    catalogued = [rule.table for rule in TABLES]
    assert len(catalogued) == len(set(catalogued))
    assert of_tenants - set(catalogued) == set(), "tables without a row"
    assert set(catalogued) - of_tenants == set(), "rows without a table"


def test_every_table_without_a_tenant_says_why_it_holds_no_personal_data(
    columns: dict[str, dict[str, str]],
) -> None:
    of_platform = {table for table, names in columns.items() if "tenant_id" not in names}
    assert of_platform == set(PLATFORM_TABLES)
    assert all(PLATFORM_TABLES.values())


def test_a_row_names_columns_that_are_there(columns: dict[str, dict[str, str]]) -> None:
    wrong = {
        rule.table: unknown
        for rule in TABLES
        if (unknown := {*rule.columns, *rule.secrets} - columns[rule.table].keys())
    }
    assert wrong == {}


def test_what_stays_says_by_which_right_and_what_changes_says_into_what() -> None:
    for rule in (*TABLES, *CLICKHOUSE):
        assert (rule.treatment == "delete") == (rule.reason == ""), rule.table
        assert (rule.treatment == "pseudonymise") == bool(rule.columns), rule.table


def test_every_column_that_sounds_like_a_secret_is_kept_out_of_exports(
    columns: dict[str, dict[str, str]],
) -> None:
    told = {
        f"{rule.table}.{name}"
        for rule in TABLES
        for name in columns[rule.table]
        if SECRET.search(name) and name not in rule.secrets
        if columns[rule.table][name] in ("text", "bytea", "jsonb")
    }
    assert told - HARMLESS == set()


def test_the_clickhouse_tables_are_in_the_catalogue_and_no_others(
    clickhouse: dict[str, Any],
) -> None:
    import clickhouse_connect

    client = clickhouse_connect.get_client(
        host=clickhouse["host"],
        port=clickhouse["port"],
        username=clickhouse["username"],
        password=clickhouse["password"],
        autogenerate_session_id=False,
        compress=False,
    )
    found = client.query(
        "SELECT table, groupArray(name) FROM system.columns WHERE database = {db:String}"
        " GROUP BY table",
        parameters={"db": clickhouse["database"]},
    ).result_rows
    assert {table for table, _ in found} == {rule.table for rule in CLICKHOUSE}
    assert [table for table, names in found if "tenant_id" not in names] == []


def test_every_age_is_of_a_column_that_tells_time(columns: dict[str, dict[str, str]]) -> None:
    assert len({rule.table for rule in RETENTION}) == len(RETENTION)
    kinds = {columns[rule.table].get(rule.column) for rule in RETENTION}
    assert kinds <= {"timestamp with time zone", "date"}


def test_the_database_holds_the_catalogues_ages(admin: psycopg.Connection[Any]) -> None:
    rows = admin.execute(
        "SELECT relation, age_column, days FROM database_service.retention_rules"
    ).fetchall()
    assert sorted(rows) == sorted((rule.table, rule.column, rule.days) for rule in RETENTION)
