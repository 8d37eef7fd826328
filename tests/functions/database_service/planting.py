"""Fills every store with the data of a person who can be found again, and looks for it everywhere.

Rows are made from the schema itself: every text of a row holds something of the person, unless the
table allows only certain words (``_WORDS``). A new table is filled without a word here, or its
constraint says what is missing.
"""

import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from contracts.ids import uuid7
from functions.database_service.logic.catalogue import TABLES
from functions.database_service.logic.erasure import order_tables
from functions.database_service.migrate import ROOMS
from tests.support.builders import NOW


@dataclass
class Person:
    """Somebody with a tenant of their own; nobody else in the world shares a value."""

    tenant_id: UUID
    mark: str = field(default_factory=lambda: secrets.token_hex(6))
    ids: dict[str, UUID] = field(default_factory=dict)

    @cached_property
    def chat(self) -> int:
        return 7_000_000_000_000 + secrets.randbelow(10**12)

    @cached_property
    def login(self) -> int:
        return 6_000_000_000_000 + secrets.randbelow(10**12)

    @property
    def email(self) -> str:
        return f"budi.{self.mark}@planted.example"

    @property
    def address(self) -> str:
        m = self.mark
        return f"2001:db8:{m[:4]}:{m[4:8]}:{m[8:]}::7"

    @property
    def needles(self) -> list[str]:
        """Texts that lead to this person: every text planted holds the mark."""
        number = str(int(self.mark, 16))
        return [self.mark, self.address, number, str(self.chat), str(self.login)]

    def say(self, column: str) -> str:
        """A text for a column, by what its name asks for."""
        number = str(int(self.mark, 16))
        return {
            "email": self.email,
            "new_email": self.email,
            "full_name": f"Budi Planted {self.mark}",
            "name": f"PT Planted {self.mark}",
            "address": self.address,
            "device": f"Planted Phone {self.mark}",
            "recipient": f"+62{number}",
        }.get(column, f"planted {column} {self.mark}"[:50])

    def own_id(self, column: str) -> UUID:
        """The same id under the same name, so that rows of one world refer to each other."""
        return self.ids.setdefault(column, uuid7())


_WORDS: dict[str, dict[str, Any]] = {
    "api_gateway.tenants": {"state": "open", "tier": None, "requests_per_second": None,
                            "burst": None, "entitlements_version": 0},
    "api_gateway.revocations": {"kind": "session"},
    "api_gateway.audit_log": {"actor_kind": "user", "hash": "a" * 64, "prev_hash": "0" * 64,
                              "address_hash": "b" * 64, "device_hash": "c" * 64,
                              "erased_at": None, "detail": "{}", "action": "user.planted",
                              "target_kind": "user", "target_id": "x", "room": "user_service"},
    "api_gateway.audit_heads": {"hash": "a" * 64},
    "billing_service.invoices": {"state": "draft", "series": None, "sequence": None,
                                 "issued_at": None, "due_at": None, "paid_at": None,
                                 "plan_code": "pro", "currency": "IDR", "total": 2},
    "billing_service.invoice_lines": {"kind": "plan_fee", "meter": None, "amount": 1},
    "billing_service.ledger_entries": {"account": "revenue", "currency": "IDR"},
    "billing_service.ledger_tx": {"kind": "overpaid"},
    "database_service.exports": {"state": "failed", "expires_at": None, "sha256": "d" * 64},
    "database_service.erasures": {"completed_at": None, "swept_at": None, "sweeps": 0},
    "database_service.erasure_steps": {"store": "s3"},
    "notification_service.chats": {"language": "id", "state": "linked"},
    "notification_service.notifications": {"channel": "email", "state": "sent"},
    "payment_gateway.payments": {"method": "bca_va", "currency": "IDR", "state": "created"},
    "subscription_service.subscriptions": {"plan_code": "pro", "state": "active",
                                           "pending_plan": None},
    "subscription_service.periods": {"plan_code": "pro", "used_plan_code": None,
                                     "used_plan_version": None, "state": "open", "number": 0,
                                     "follows": None, "closed_at": None},
    "subscription_service.usage_events": {"meter": "prediction", "outcome": "counted"},
    "subscription_service.quota_counters": {"meter": "prediction"},
    "trading_engine.accounts": {"mode": "paper", "state": "linked", "health": "connected"},
    "trading_engine.orders": {"direction": "buy", "state": "filled"},
    "user_management.tenants": {"status": "registered", "version": 1, "resumes_as": None,
                                "suspension_reason": None, "closed_at": None, "erase_after": None,
                                "erased_at": None},
    "user_management.profiles": {"role": "owner", "locale": "id"},
    "user_management.invitations": {"role": "trader", "revoked_at": None},
    "user_management.preferences": {"risk_appetite": "balanced", "sessions": ["london"],
                                    "sizing_mode": "fixed_lot"},
    "user_management.consents": {"document": "terms", "version": 1, "action": "given"},
    "user_service.users": {"role": "owner", "status": "active", "locale": "id"},
    "user_service.tenant_tiers": {"tier": "free"},
    "user_service.tenant_states": {"status": "active"},
    "user_service.sessions": {"end_reason": "logout"},
    "user_service.account_tokens": {"purpose": "email_change"},
    "user_service.invitations": {"state": "open", "role": "trader"},
    "user_service.api_keys": {"scopes": ["read"], "end_reason": "revoked"},
}  # fmt: skip
"""Columns whose words the tables choose themselves."""

_SECOND = {"billing_service.ledger_entries": {"position": 2, "amount": -1}}

_LATER = {"expires_at", "period_end", "ends_at", "erase_after", "blocked_until"}


def _value(person: Person, table: str, column: str, kind: str) -> Any:
    match kind:
        case "uuid":
            return person.tenant_id if column == "tenant_id" else person.own_id(column)
        case "text" | "character varying":
            return person.say(column) if column != "order_id" else f"SNY-{'0' * 20}{person.mark}"
        case "jsonb" | "json":
            return json.dumps({"planted": person.email})
        case "bytea":
            return f"{table[-19:]:>19}-{person.mark}".encode()[-32:].rjust(32, b"_")
        case "ARRAY":
            return [person.say(column)]
        case "bigint":
            return {"chat_id": person.chat, "user_id": person.chat, "login": person.login}.get(
                column, 1
            )
        case "boolean":
            return False
        case "date":
            return NOW.date()
        case "timestamp with time zone":
            return NOW + timedelta(days=1 if column in _LATER else 0)
        case _:
            return 1


def read_schema(admin: psycopg.Connection[Any]) -> dict[str, list[tuple[str, str]]]:
    """Columns that can be written, with their types, by table."""
    rows = admin.execute(
        "SELECT c.table_schema || '.' || c.table_name, column_name, data_type"
        " FROM information_schema.columns c WHERE c.table_schema = ANY(%s)"
        " AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY 1, ordinal_position",
        [list(ROOMS)],
    ).fetchall()
    schema: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        schema.setdefault(table, []).append((column, kind))
    return schema


def read_references(admin: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return admin.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f'"
    ).fetchall()


def plant_rows(admin: psycopg.Connection[Any], person: Person) -> None:
    """A row of the person in every table of the catalogue, those that others refer to first."""
    schema = read_schema(admin)
    names = [rule.table for rule in TABLES]
    with admin.transaction():  # a ledger balances at its commit
        for table in reversed(order_tables(names, read_references(admin))):
            values = {
                column: _WORDS.get(table, {}).get(column, _value(person, table, column, kind))
                for column, kind in schema[table]
            }
            _insert(admin, table, values)
            if table in _SECOND:
                _insert(admin, table, {**values, **_SECOND[table]})


def _insert(admin: psycopg.Connection[Any], table: str, values: dict[str, Any]) -> None:
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    admin.execute(query, [*values.values()])


def close_tenant(admin: psycopg.Connection[Any], person: Person) -> None:
    """The owner proves the address and closes the tenant: the steps the database allows."""
    for step in (
        "status = 'verified'",
        f"status = 'closed', closed_at = '{NOW:%Y-%m-%d}', erase_after = '{NOW:%Y-%m-%d}'",
    ):
        admin.execute(
            f"UPDATE user_management.tenants SET {step}, version = version + 1"
            " WHERE tenant_id = %s",
            [person.tenant_id],
        )


def find_rows(admin: psycopg.Connection[Any], needles: list[str]) -> set[str]:
    """Tables of any schema in which a needle is, in whatever column."""
    hexed = [needle.encode().hex() for needle in needles]
    patterns = [f"%{text}%" for text in needles + hexed]
    found = set()
    for (table,) in admin.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables"
        " WHERE table_type = 'BASE TABLE'"
        " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall():
        query = sql.SQL(
            "SELECT 1 FROM {} t WHERE lower(to_jsonb(t)::text) LIKE ANY(%s) LIMIT 1"
        ).format(sql.Identifier(*table.split(".")))
        if admin.execute(query, [patterns]).fetchone():
            found.add(table)
    return found


def dump_rows(admin: psycopg.Connection[Any], tenant_id: UUID) -> dict[str, list[str]]:
    """All that PostgreSQL holds of a tenant, to the row."""
    return {
        rule.table: [
            row[0]
            for row in admin.execute(
                sql.SQL(
                    "SELECT to_jsonb(t)::text FROM {} t WHERE tenant_id = %s ORDER BY 1"
                ).format(sql.Identifier(*rule.table.split("."))),
                [tenant_id],
            ).fetchall()
        ]
        for rule in TABLES
    }
