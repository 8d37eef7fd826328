"""The room's role may do what the catalogue says, for one tenant at a time, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from functions.database_service.logic.catalogue import PLATFORM_TABLES, TABLES
from kit.db import Database, make_conninfo
from tests.conftest import Stores
from tests.functions.database_service.planting import Person, dump_rows, plant_rows

OTHERS = [rule for rule in TABLES if not rule.table.startswith("database_service.")]


@pytest.fixture
def two(admin: psycopg.Connection[Any], tenant: UUID, other_tenant: UUID) -> tuple[Person, Person]:
    people = Person(tenant), Person(other_tenant)
    for person in people:
        plant_rows(admin, person)
    return people


@pytest.fixture
def role(stores: Stores) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the room's own role."""
    conninfo = make_conninfo(stores.secret("database_service"))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


@contextmanager
def bound(role: psycopg.Connection[Any], tenant_id: UUID | None) -> Iterator[None]:
    """A transaction bound to a tenant or to none, rolled back at its end."""
    with role.transaction(force_rollback=True):
        role.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id or "")])
        yield


def count(role: psycopg.Connection[Any], table: str) -> int:
    query = sql.SQL("SELECT count(tenant_id) FROM {}").format(sql.Identifier(*table.split(".")))
    row = role.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_its_rights_are_the_catalogues(admin: psycopg.Connection[Any]) -> None:
    held: dict[str, dict[str, set[str]]] = {}
    for table, column, right in admin.execute(
        "SELECT table_schema || '.' || table_name, column_name, privilege_type"
        " FROM information_schema.column_privileges"
        " WHERE grantee = 'sinyal_database_service' AND table_schema <> 'database_service'"
    ).fetchall():
        held.setdefault(table, {}).setdefault(right, set()).add(column)
    deletes = {
        table
        for (table,) in admin.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.table_privileges"
            " WHERE grantee = 'sinyal_database_service' AND privilege_type = 'DELETE'"
            " AND table_schema <> 'database_service'"
        ).fetchall()
    }
    outboxes = {
        table
        for table in PLATFORM_TABLES
        if table.endswith(".outbox") and table != "database_service.outbox"
    }
    assert held.keys() == {rule.table for rule in OTHERS} | outboxes
    assert deletes == {rule.table for rule in OTHERS if rule.treatment == "delete"} | outboxes
    for rule in OTHERS:
        rights = held[rule.table]
        assert rights.get("UPDATE", set()) == set(rule.columns), rule.table
        assert rights["SELECT"] & set(rule.secrets) == set(), rule.table
        assert rights.keys() <= {"SELECT", "UPDATE"}, rule.table


def test_with_one_tenant_bound_nothing_of_another_is_seen(
    role: psycopg.Connection[Any], two: tuple[Person, Person]
) -> None:
    with bound(role, two[0].tenant_id):
        for rule in TABLES:
            assert count(role, rule.table) == (
                2 if rule.table == "billing_service.ledger_entries" else 1
            ), rule.table


def test_with_one_tenant_bound_nothing_of_another_is_touched(
    room: Database, admin: psycopg.Connection[Any], two: tuple[Person, Person]
) -> None:
    """Without a condition in the statement, so that only the policy stands between them."""
    first, second = two
    before = dump_rows(admin, second.tenant_id)
    for rule in OTHERS:
        name = sql.Identifier(*rule.table.split("."))
        with room.transaction(first.tenant_id) as tx:
            if rule.treatment == "pseudonymise":
                sets = sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
                    for column, value in rule.columns.items()
                )
                tx.execute(sql.SQL("UPDATE {} SET {}").format(name, sets).as_string())
            if rule.table in ("user_service.sessions", "trading_engine.orders"):
                tx.execute(sql.SQL("DELETE FROM {}").format(name).as_string())
    assert dump_rows(admin, second.tenant_id) == before
    assert dump_rows(admin, first.tenant_id)["trading_engine.orders"] == []


def test_with_no_tenant_bound_nothing_is_seen_or_touched(
    role: psycopg.Connection[Any], two: tuple[Person, Person]
) -> None:
    with bound(role, None):
        for rule in TABLES:
            assert count(role, rule.table) == 0, rule.table
            if rule.treatment == "delete" and rule in OTHERS:
                name = sql.Identifier(*rule.table.split("."))
                assert role.execute(sql.SQL("DELETE FROM {}").format(name)).rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password_hash FROM user_service.users",
        "SELECT sealed_secret FROM user_service.totp_factors",
        "SELECT key_hash FROM user_service.api_keys",
        "SELECT * FROM user_service.users",
        "UPDATE user_service.users SET role = 'owner'",
        "UPDATE user_management.tenants SET status = 'erased'",
        "UPDATE api_gateway.audit_log SET action = 'x.y'",
        "DELETE FROM api_gateway.audit_log",
        "DELETE FROM billing_service.invoices",
        "DELETE FROM billing_service.ledger_entries",
        "DELETE FROM payment_gateway.notifications",
        "INSERT INTO user_management.tenants DEFAULT VALUES",
        "SELECT * FROM user_service.login_attempts",
        "SELECT * FROM user_management.mail_slots",
        "UPDATE database_service.retention_rules SET days = 1",
        "DELETE FROM database_service.erasures",
    ],
)
def test_beyond_them_it_may_do_nothing(role: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        role.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_gateway.audit_log SET action = 'x.y'",
        "DELETE FROM api_gateway.audit_log",
        "UPDATE api_gateway.audit_log SET address = '192.0.2.1'",
        "UPDATE user_management.consents SET address = '192.0.2.1'",
        "UPDATE billing_service.ledger_entries SET amount = 7",
        "DELETE FROM billing_service.ledger_tx",
        "TRUNCATE api_gateway.audit_log",
    ],
)
def test_what_is_append_only_stays_so_for_everybody(
    admin: psycopg.Connection[Any], two: tuple[Person, Person], statement: str
) -> None:
    """The administrator too: it is the trigger that refuses, not a missing right."""
    with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.CheckViolation)):
        admin.execute(statement)
