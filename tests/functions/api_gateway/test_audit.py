"""The audit log: one unbroken chain a tenant, and every way to falsify it is found."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.audit import AuditRecorded
from contracts.ids import NIL, uuid7
from functions.api_gateway import api, audit, consumer
from functions.api_gateway.logic.chain import Said, append_entry, hash_value
from functions.api_gateway.store.audit import AuditStore
from kit.db import Database, open_database
from tests.conftest import Stores
from tests.functions.api_gateway.conftest import GateMaker
from tests.support.builders import api_event, principal, read_answer, sqs_event, wrap

OTHER_HASH = "f" * 64


def deed(**values: Any) -> AuditRecorded:
    given = {
        "room": "user_service",
        "actor_kind": "user",
        "actor_id": uuid7(),
        "action": "api_key.created",
        "target_kind": "api_key",
        "target_id": str(uuid7()),
        "address": "203.0.113.7",
        "device": "Mozilla/5.0 é",
        "detail": {"scopes": "read trade", "rate": 5, "expires": True, "note": None},
        **values,
    }
    return AuditRecorded.model_validate(given)


def append(database: Database, tenant_id: UUID, count: int = 1, **values: Any) -> None:
    for _ in range(count):
        said = Said(uuid7(), uuid7(), datetime.now(UTC), deed(**values))
        with database.transaction(tenant_id) as tx:
            assert append_entry(AuditStore(tx), tenant_id, said)


@pytest.fixture
def database(gates: GateMaker) -> Database:
    return gates.database()


@pytest.fixture
def forge(stores: Stores) -> Callable[..., None]:
    """Whoever owns the database and turns its triggers off."""

    def run(sql: str, *params: Any) -> None:
        with psycopg.connect(stores.dsn, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            assert connection.execute(f"{sql}", params).rowcount >= 1

    return run


def test_a_chain_verifies_and_holds_what_was_said(database: Database, tenant: UUID) -> None:
    append(database, tenant, 5)
    append(database, tenant, 1, address=None, device=None, actor_id=None, actor_kind="system")
    report = audit.verify(database, tenant)
    assert (report.entries, report.broken_at, report.erased) == (6, None, 0)


def test_32_appends_at_once_make_one_unbroken_chain(gates: GateMaker, tenant: UUID) -> None:
    databases = [gates.database() for _ in range(32)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda database: append(database, tenant, 3), databases))
    report = audit.verify(databases[0], tenant)
    assert (report.entries, report.broken_at, report.head.seq) == (96, None, 96)


CHANGES = [
    ("event_id", uuid7()),
    ("occurred_at", datetime(2020, 1, 1, tzinfo=UTC)),
    ("room", "billing_service"),
    ("actor_kind", "system"),
    ("actor_id", uuid7()),
    ("actor_id", None),
    ("action", "api_key.revoked"),
    ("target_kind", "session"),
    ("target_id", "somebody else"),
    ("detail", "{}"),
    ("detail", '{"scopes": "read trade", "rate": 6, "expires": true, "note": null}'),
    ("correlation_id", uuid7()),
    ("address", "198.51.100.1"),
    ("address", None),
    ("address_salt", "00"),
    ("address_salt", None),
    ("address_hash", None),
    ("address_hash", OTHER_HASH),
    ("device", "another"),
    ("device", None),
    ("device_salt", None),
    ("device_hash", OTHER_HASH),
    ("erased_at", datetime(2020, 1, 1, tzinfo=UTC)),
    ("prev_hash", OTHER_HASH),
    ("hash", OTHER_HASH),
    ("seq", 40),
]


@pytest.mark.parametrize(("column", "value"), CHANGES)
def test_a_change_of_any_field_is_found_where_it_is(
    database: Database, tenant: UUID, forge: Callable[..., None], column: str, value: Any
) -> None:
    append(database, tenant, 5)
    sql = f"UPDATE api_gateway.audit_log SET {column} = %s WHERE tenant_id = %s AND seq = 3"
    forge(sql, value, tenant)
    assert audit.verify(database, tenant).broken_at == 3


@pytest.mark.parametrize("column", ["address", "device"])
def test_an_address_hash_made_to_fit_is_found(
    database: Database, tenant: UUID, forge: Callable[..., None], column: str
) -> None:
    append(database, tenant, 3)
    forge(
        f"UPDATE api_gateway.audit_log SET {column} = 'x', {column}_salt = '00',"
        f" {column}_hash = %s WHERE tenant_id = %s AND seq = 2",
        hash_value("00", "x"),
        tenant,
    )
    assert audit.verify(database, tenant).broken_at == 2


@pytest.mark.parametrize(("seq", "broken_at"), [(1, 1), (3, 3), (5, 5)])
def test_a_deleted_entry_is_found_the_last_one_too(
    database: Database, tenant: UUID, forge: Callable[..., None], seq: int, broken_at: int
) -> None:
    append(database, tenant, 5)
    forge("DELETE FROM api_gateway.audit_log WHERE tenant_id = %s AND seq = %s", tenant, seq)
    assert audit.verify(database, tenant).broken_at == broken_at


def test_a_chain_of_which_only_the_head_is_left_is_broken(
    database: Database, tenant: UUID, forge: Callable[..., None]
) -> None:
    append(database, tenant, 2)
    forge("DELETE FROM api_gateway.audit_log WHERE tenant_id = %s", tenant)
    assert audit.verify(database, tenant).broken_at == 1


def test_a_chain_without_its_head_is_broken(
    database: Database, tenant: UUID, forge: Callable[..., None]
) -> None:
    append(database, tenant, 2)
    forge("DELETE FROM api_gateway.audit_heads WHERE tenant_id = %s", tenant)
    assert audit.verify(database, tenant).broken_at == 3


def test_swapped_entries_are_found(
    database: Database, tenant: UUID, forge: Callable[..., None]
) -> None:
    append(database, tenant, 5)
    forge(
        "UPDATE api_gateway.audit_log SET seq = CASE seq WHEN 102 THEN 4 WHEN 104 THEN 2"
        " ELSE seq + 100 END WHERE tenant_id = %s AND seq IN (2, 4)",
        tenant,
    )
    forge("UPDATE api_gateway.audit_log SET seq = 4 WHERE tenant_id = %s AND seq = 102", tenant)
    forge("UPDATE api_gateway.audit_log SET seq = 2 WHERE tenant_id = %s AND seq = 104", tenant)
    assert audit.verify(database, tenant).broken_at == 2


def test_an_entry_of_another_tenant_does_not_fit_in(
    database: Database, tenant: UUID, other_tenant: UUID, forge: Callable[..., None]
) -> None:
    append(database, tenant, 2)
    append(database, other_tenant, 2)
    forge("DELETE FROM api_gateway.audit_log WHERE tenant_id = %s AND seq = 1", tenant)
    forge(
        "UPDATE api_gateway.audit_log SET tenant_id = %s WHERE tenant_id = %s AND seq = 1",
        tenant,
        other_tenant,
    )
    assert audit.verify(database, tenant).broken_at == 1


def test_erased_addresses_leave_the_chain_unbroken_and_nothing_to_guess_by(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    append(database, tenant, 3)
    append(database, other_tenant, 1)
    with database.transaction(tenant) as tx:
        assert AuditStore(tx).erase_personal_data() == 3
        assert AuditStore(tx).erase_personal_data() == 0
    append(database, tenant, 2)
    report = audit.verify(database, tenant)
    assert (report.entries, report.erased, report.broken_at) == (5, 3, None)
    with database.transaction(tenant) as tx:
        rows = AuditStore(tx).list_entries(None, 10)
    erased = [row for row in rows if row["erased_at"]]
    assert len(erased) == 3
    personal = ("address", "address_salt", "device", "device_salt")
    assert all(row[name] is None for row in erased for name in personal)
    assert audit.verify(database, other_tenant).erased == 0


def test_an_erased_entry_cannot_be_filled_again(
    database: Database, tenant: UUID, forge: Callable[..., None]
) -> None:
    append(database, tenant, 2)
    with database.transaction(tenant) as tx:
        AuditStore(tx).erase_personal_data()
    forge("UPDATE api_gateway.audit_log SET address = '1' WHERE tenant_id = %s", tenant)
    assert audit.verify(database, tenant).broken_at == 1


STATEMENTS = [
    "UPDATE audit_log SET action = 'a.b'",
    "UPDATE audit_log SET address = NULL",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "DELETE FROM audit_heads",
    "TRUNCATE audit_heads",
    "UPDATE audit_heads SET seq = 1",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_room_itself_can_only_append(database: Database, tenant: UUID, sql: str) -> None:
    append(database, tenant, 2)
    refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)
    with pytest.raises(refusals), database.transaction(tenant) as tx:
        tx.execute(sql)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_owner_is_refused_as_well(
    stores: Stores, database: Database, tenant: UUID, sql: str
) -> None:
    append(database, tenant, 2)
    with psycopg.connect(stores.dsn, options="-c search_path=api_gateway") as connection:
        connection.execute("SET ROLE sinyal_owner")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(sql)


def test_the_owner_can_erase_by_setting_all_four_to_null(
    stores: Stores, database: Database, tenant: UUID
) -> None:
    """As the erasure of a tenant does it, and it may do so twice."""
    append(database, tenant, 2)
    with psycopg.connect(stores.dsn, options="-c search_path=api_gateway") as connection:
        connection.execute("SET ROLE sinyal_owner")
        for _ in range(2):
            connection.execute(
                "UPDATE audit_log SET address = NULL, address_salt = NULL, device = NULL,"
                " device_salt = NULL WHERE tenant_id = %s",
                [tenant],
            )
    assert audit.verify(database, tenant).erased == 2


def test_what_a_room_says_is_kept_once_however_often_redelivered(
    gates: GateMaker, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = gates.database()
    monkeypatch.setattr(consumer, "_database", lambda: database)
    event = sqs_event(wrap(deed(), tenant), wrap(deed(), None))
    with database.transaction(NIL) as tx:
        before = len(AuditStore(tx).list_entries(None, 1_000))
    for _ in range(3):
        assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert audit.verify(database, tenant).entries == 1
    with database.transaction(NIL) as tx:
        assert len(AuditStore(tx).list_entries(None, 1_000)) == before + 1
    assert audit.verify(database, NIL).broken_at is None


def read_page(whose: UUID, role: str = "owner", **query: str) -> tuple[int, Any]:
    who = principal(whose, role=role, scope="read members")
    return read_answer(
        api.handler(api_event("GET", "/v1/audit-log", principal=who, query=query), None)
    )


def test_managers_read_their_tenants_log_page_by_page_newest_first(
    database: Database, tenant: UUID, other_tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_database", lambda: database)
    append(database, tenant, 4)
    append(database, tenant, 1, actor_kind="support")
    append(database, other_tenant, 1)
    seen: list[int] = []
    query: dict[str, str] = {"limit": "2"}
    for _ in range(3):
        status, page = read_page(tenant, "admin", **query)
        assert status == 200
        seen += [item["seq"] for item in page["items"]]
        query = {"limit": "2", "cursor": str(page["next_cursor"])}
    assert (seen, page["next_cursor"]) == ([5, 4, 3, 2, 1], None)
    assert read_page(tenant, limit="1")[1]["items"][0]["address"] is None, "where staff sits"
    item = page["items"][0]
    assert (item["address"], item["detail"]["rate"]) == ("203.0.113.7", 5)
    assert not {name for name in item if "salt" in name or name == "tenant_id"}
    assert len(read_page(other_tenant)[1]["items"]) == 1
    assert read_page(tenant, "trader")[0] == 403
    assert read_page(tenant, cursor="0")[0] == 422


def test_the_command_verifies_all_chains_and_fails_on_a_break(
    gates: GateMaker,
    tenant: UUID,
    other_tenant: UUID,
    forge: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = gates.database()
    append(database, tenant, 3)
    append(database, other_tenant, 2)
    assert audit.run(database, tenant) == 0
    assert "3 entries, 0 erased" in capsys.readouterr().out
    forge("DELETE FROM api_gateway.audit_log WHERE tenant_id = %s AND seq = 2", tenant)
    assert audit.run(database, other_tenant) == 0
    capsys.readouterr()
    assert audit.run(database, None) == 1
    told = capsys.readouterr().out
    assert f"{tenant}  1 entries, 0 erased  BROKEN at 2: an entry is missing" in told
    assert str(other_tenant) in told


def test_the_command_reads_the_rooms_own_secret(
    gates: GateMaker,
    tenant: UUID,
    set_secret: Callable[[str, dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    append(gates.database(), tenant, 2)
    set_secret("db/api_gateway", gates.stores.secret("api_gateway"))
    open_database.cache_clear()
    monkeypatch.setattr("sys.argv", ["audit", "verify", "--tenant", str(tenant)])
    with pytest.raises(SystemExit) as ended:
        audit.main()
    open_database.cache_clear()
    assert ended.value.code == 0
    assert "1 chains, 2 entries verified, 0 broken" in capsys.readouterr().out
