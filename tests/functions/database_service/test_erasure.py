"""After an erasure no store knows the person any more, and everybody else's data is as it was."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.database_service import PruneRecords, TenantErased
from contracts.ids import NIL, derived_id, uuid7
from contracts.user_management import EraseTenant
from contracts.user_service import UserRegistered
from functions.database_service import consumer
from functions.database_service.gateway import TenantKeys, TenantObjects
from functions.database_service.logic.catalogue import CLICKHOUSE, TABLES
from functions.database_service.store import AnalyticsRows
from kit.db import Database
from tests.functions.database_service.planting import (
    Person,
    close_tenant,
    dump_rows,
    find_rows,
    plant_rows,
)
from tests.functions.database_service.stores_elsewhere import Elsewhere
from tests.support.builders import FixedClock, sqs_event, sqs_record, wrap
from tests.support.publisher import RecordingPublisher

KEPT = {rule.table for rule in TABLES if rule.treatment == "keep"}
GONE = {rule.table for rule in TABLES if rule.treatment == "delete"}


@pytest.fixture
def person(
    room: Database, admin: psycopg.Connection[Any], elsewhere: Elsewhere, tenant: UUID
) -> Person:
    """Somebody with data in every table and store, whose tenant is closed."""
    person = Person(tenant)
    plant_rows(admin, person)
    close_tenant(admin, person)
    elsewhere.plant(person)
    return person


@pytest.fixture
def neighbour(
    room: Database, admin: psycopg.Connection[Any], elsewhere: Elsewhere, other_tenant: UUID
) -> Person:
    """Somebody else, alive and well."""
    neighbour = Person(other_tenant)
    plant_rows(admin, neighbour)
    elsewhere.plant(neighbour)
    return neighbour


def erasure_of(person: Person) -> EraseTenant:
    return EraseTenant(erasure_id=derived_id("erasure", person.tenant_id))


def erase(person: Person) -> dict[str, Any]:
    return consumer.handler(sqs_event(wrap(erasure_of(person), person.tenant_id)), None)


def wait_in_outbox(open_room: Callable[[str], Database], person: Person) -> None:
    """An event of the person that a crash left behind."""
    room = open_room("user_service")
    room._publisher = refusing = RecordingPublisher()
    refusing.refusing = True
    with room.transaction(person.tenant_id) as tx:
        tx.publish(
            UserRegistered(
                user_id=person.own_id("user_id"),
                email=person.email,
                full_name=person.say("full_name"),
                tenant_name=person.say("name"),
                locale="id",
            )
        )


def test_nothing_of_the_person_is_left_in_any_store_but_what_the_law_keeps(
    person: Person,
    neighbour: Person,
    admin: psycopg.Connection[Any],
    elsewhere: Elsewhere,
    open_room: Callable[[str], Database],
) -> None:
    wait_in_outbox(open_room, person)
    elsewhere.plant_platform_rows()
    planted = dump_rows(admin, person.tenant_id)
    assert [table for table, rows in planted.items() if not rows and table in GONE] == []
    assert {"user_management.profiles", "user_service.outbox"} <= find_rows(admin, person.needles)
    assert len(elsewhere.search(person.needles)) > len(CLICKHOUSE) + 1_000
    before = dump_rows(admin, neighbour.tenant_id), elsewhere.dump_tenant(neighbour.tenant_id)

    assert erase(person) == {"batchItemFailures": []}

    assert find_rows(admin, person.needles) <= KEPT
    assert elsewhere.search([*person.needles, str(person.tenant_id)]) == set()
    left = dump_rows(admin, person.tenant_id)
    assert {table for table, rows in left.items() if rows} & GONE == set()
    for table in KEPT - {"database_service.erasures", "database_service.erasure_steps"}:
        assert left[table] == planted[table], table
    after = dump_rows(admin, neighbour.tenant_id), elsewhere.dump_tenant(neighbour.tenant_id)
    assert after == before
    assert str(NIL) in elsewhere.dump()["clickhouse/ticks"], "market data is nobody's"


def test_the_erasure_is_told_with_what_went_and_what_stays(
    person: Person, published: RecordingPublisher
) -> None:
    erase(person)
    (envelope,) = published.envelopes(TenantErased)
    assert envelope.meta.tenant_id == person.tenant_id
    told = envelope.data
    assert isinstance(told, TenantErased)
    assert told.erasure_id == erasure_of(person).erasure_id
    assert told.rows_erased > len(GONE) + len(CLICKHOUSE) + 1_200
    proof = {"database_service.erasures", "database_service.erasure_steps"}
    assert told.rows_kept == len(KEPT - proof) + 1, "one of each, two ledger entries"


def test_a_living_tenant_is_never_erased(
    neighbour: Person,
    admin: psycopg.Connection[Any],
    elsewhere: Elsewhere,
    published: RecordingPublisher,
) -> None:
    before = dump_rows(admin, neighbour.tenant_id), elsewhere.dump_tenant(neighbour.tenant_id)
    assert len(erase(neighbour)["batchItemFailures"]) == 1
    assert published.messages(TenantErased) == []
    after = dump_rows(admin, neighbour.tenant_id), elsewhere.dump_tenant(neighbour.tenant_id)
    assert after == before


def test_an_erasure_of_another_tenant_is_not_taken_over(
    person: Person,
    room: Database,
    admin: psycopg.Connection[Any],
    neighbour: Person,
) -> None:
    close_tenant(admin, neighbour)
    erase(person)
    before = dump_rows(admin, neighbour.tenant_id)
    foreign = wrap(erasure_of(person), neighbour.tenant_id)
    assert len(consumer.handler(sqs_event(foreign), None)["batchItemFailures"]) == 1
    assert dump_rows(admin, neighbour.tenant_id) == before


@pytest.mark.parametrize(
    ("store", "method"),
    [
        (AnalyticsRows, "count"),
        (AnalyticsRows, "erase"),
        (TenantKeys, "erase"),
        (TenantObjects, "erase"),
    ],
)
def test_a_crash_at_any_store_is_taken_up_where_it_happened(
    store: type[Any],
    method: str,
    *,
    person: Person,
    admin: psycopg.Connection[Any],
    elsewhere: Elsewhere,
    published: RecordingPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(store, method, lambda _self: 1 / 0)
        assert len(erase(person)["batchItemFailures"]) == 1
    assert published.messages(TenantErased) == []
    assert find_rows(admin, person.needles) <= KEPT, "PostgreSQL was done before"

    assert erase(person) == {"batchItemFailures": []}

    assert elsewhere.search(person.needles) == set()
    steps = admin.execute(
        "SELECT store, sweep, rows_erased > 0, done_at IS NOT NULL"
        " FROM database_service.erasure_steps WHERE erasure_id = %s",
        [erasure_of(person).erasure_id],
    ).fetchall()
    assert sorted(steps) == [
        (name, 1, True, True) for name in ("clickhouse", "postgresql", "redis", "s3")
    ], "what was found before the crash is counted"
    assert len(published.messages(TenantErased)) == 1


def test_redelivery_finds_and_removes_what_late_messages_brought_back(
    person: Person,
    admin: psycopg.Connection[Any],
    elsewhere: Elsewhere,
    published: RecordingPublisher,
) -> None:
    record = sqs_record(wrap(erasure_of(person), person.tenant_id))
    consumer.handler({"Records": [record]}, None)
    bring_back(admin, elsewhere, person)
    assert find_rows(admin, person.needles) - KEPT == {"notification_service.notifications"}
    for _ in range(2):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert find_rows(admin, person.needles) <= KEPT
    assert elsewhere.search(person.needles) == set()
    assert len({told.meta.event_id for told in published.envelopes(TenantErased)}) == 1
    first, second, third = published.messages(TenantErased)
    assert second.rows_erased > first.rows_erased
    assert third == second


def bring_back(admin: psycopg.Connection[Any], elsewhere: Elsewhere, person: Person) -> None:
    admin.execute(
        "INSERT INTO notification_service.notifications (tenant_id, notification_id, event_id,"
        " channel, kind, recipient, not_before, created_at)"
        " VALUES (%s, %s, %s, 'email', 'receipt', %s, now(), now())",
        [person.tenant_id, uuid7(), uuid7(), person.email],
    )
    elsewhere.plant(person)


def test_the_clock_sweeps_again_for_three_weeks(
    person: Person,
    admin: psycopg.Connection[Any],
    elsewhere: Elsewhere,
    clock: FixedClock,
    published: RecordingPublisher,
) -> None:
    erase(person)
    bring_back(admin, elsewhere, person)
    run = sqs_event(wrap(PruneRecords()))
    consumer.handler(run, None)
    assert find_rows(admin, person.needles) - KEPT != set(), "not before a day is over"
    clock.advance(days=1)
    assert consumer.handler(run, None) == {"batchItemFailures": []}
    assert find_rows(admin, person.needles) <= KEPT
    assert elsewhere.search(person.needles) == set()
    assert len(published.messages(TenantErased)) == 1, "told once"
    clock.advance(days=25)
    bring_back(admin, elsewhere, person)
    consumer.handler(run, None)
    assert find_rows(admin, person.needles) - KEPT != set(), "the queues are long empty"


def test_the_tenant_closes_its_life_as_erased_when_it_hears_of_it(
    person: Person,
    published: RecordingPublisher,
    open_room: Callable[[str], Database],
    monkeypatch: pytest.MonkeyPatch,
    admin: psycopg.Connection[Any],
) -> None:
    from functions.user_management import consumer as management

    erase(person)
    (told,) = published.envelopes(TenantErased)
    room = open_room("user_management")
    monkeypatch.setattr(management, "_database", lambda: room)
    assert management.handler(sqs_event(told), None) == {"batchItemFailures": []}
    row = admin.execute(
        "SELECT status, name FROM user_management.tenants WHERE tenant_id = %s",
        [person.tenant_id],
    ).fetchone()
    assert row == ("erased", "erased")
    assert erase(person) == {"batchItemFailures": []}, "an erased tenant can be swept again"


def test_the_audit_chain_holds_after_an_erasure(
    person: Person, admin: psycopg.Connection[Any]
) -> None:
    """Addresses, devices and their salts are gone; what the hashes cover is as it was."""
    covered = "seq, hash, prev_hash, address_hash, device_hash, action, actor_id, detail"
    query = f"SELECT {covered} FROM api_gateway.audit_log WHERE tenant_id = %s"
    before = admin.execute(query, [person.tenant_id]).fetchall()
    erase(person)
    assert admin.execute(query, [person.tenant_id]).fetchall() == before
    left = admin.execute(
        "SELECT address, address_salt, device, device_salt, erased_at IS NOT NULL"
        " FROM api_gateway.audit_log WHERE tenant_id = %s",
        [person.tenant_id],
    ).fetchall()
    assert left == [(None, None, None, None, True)]


def test_an_erasure_without_a_tenant_touches_nothing(person: Person) -> None:
    message = sqs_event(wrap(erasure_of(person)))
    assert len(consumer.handler(message, None)["batchItemFailures"]) == 1


def test_events_that_the_bus_refuses_hold_the_erasure_up(
    person: Person,
    admin: psycopg.Connection[Any],
    published: RecordingPublisher,
    open_room: Callable[[str], Database],
) -> None:
    wait_in_outbox(open_room, person)
    published.refusing = True
    assert len(erase(person)["batchItemFailures"]) == 1
    assert "user_management.profiles" in find_rows(admin, person.needles)
    published.refusing = False
    assert erase(person) == {"batchItemFailures": []}
    assert len(published.messages(UserRegistered)) == 1
