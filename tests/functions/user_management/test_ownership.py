"""There is always one owner: by HTTP, by the database alone, and with sixteen hands at once."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ids import uuid7
from contracts.user_management import MemberRoleChanged
from functions.user_management.logic.members import (
    change_role,
    remove_member,
    transfer_ownership,
)
from functions.user_management.store import ManagementStore
from kit.db import Database
from kit.errors import SinyalError
from tests.functions.user_management.conftest import Rooms

OWNERSHIP = "/v1/tenants/ownership"


def read_owners(database: Database, tenant: UUID) -> list[UUID]:
    with database.transaction(tenant) as tx:
        rows = tx.fetch_all("SELECT user_id FROM profiles WHERE role = 'owner'")
    return [row["user_id"] for row in rows]


def test_the_owner_hands_over_and_stays_as_an_admin(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    heir = rooms.join(owner, "viewer")
    status, shown = rooms.call("POST", OWNERSHIP, {"user_id": heir["user_id"]}, principal=owner)
    assert (status, shown["user_id"], shown["role"]) == (200, heir["user_id"], "owner")
    changes = [(str(e.user_id), e.role, e.version) for e in rooms.messages(MemberRoleChanged)]
    assert changes == [(owner["user_id"], "admin", 2), (heir["user_id"], "owner", 2)]
    assert read_owners(rooms.database, tenant) == [UUID(heir["user_id"])]
    assert rooms.actions(tenant)[-1] == "ownership.transferred"
    status, problem = rooms.call("POST", OWNERSHIP, {"user_id": heir["user_id"]}, principal=owner)
    assert (status, problem["code"]) == (403, "role_needed")


def test_the_ownership_goes_to_another_member_only(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    answers = [
        rooms.call("POST", OWNERSHIP, {"user_id": user_id}, principal=owner)
        for user_id in (owner["user_id"], str(uuid7()))
    ]
    assert [(status, problem["code"]) for status, problem in answers] == [
        (409, "already_owner"),
        (404, "unknown_user"),
    ]


def test_a_transfer_needs_a_fresh_second_factor(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    heir = rooms.join(owner)
    stale = {**owner, "stepped_up_at": ""}
    status, problem = rooms.call("POST", OWNERSHIP, {"user_id": heir["user_id"]}, principal=stale)
    assert (status, problem["code"]) == (403, "step_up_needed")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE profiles SET role = 'admin' WHERE role = 'owner'",
        "DELETE FROM profiles WHERE role = 'owner'",
        "UPDATE profiles SET role = 'owner'",
    ],
)
def test_the_database_alone_keeps_one_owner(rooms: Rooms, tenant: UUID, statement: str) -> None:
    owner = rooms.found(tenant)
    rooms.join(owner)
    with pytest.raises(psycopg.errors.IntegrityError), rooms.database.transaction(tenant) as tx:
        tx.execute(statement)
    assert read_owners(rooms.database, tenant) == [UUID(owner["user_id"])]


def act(database: Database, tenant: UUID, users: list[UUID], draw: Callable[[Any], Any]) -> None:
    """One thing that a member tries to do to another, by whatever role they hold then."""
    actor, target = draw(users), draw(users)
    deed = draw(["transfer", "transfer", "admin", "viewer", "remove"])
    try:
        with database.transaction(tenant) as tx:
            store = ManagementStore(tx)
            if deed == "transfer":
                transfer_ownership(store, actor, target)
            elif deed == "remove":
                remove_member(store, actor, target)
            else:
                change_role(store, actor, target, deed)
    except SinyalError:
        return


def test_sixteen_hands_at_once_leave_exactly_one_owner(
    rooms: Rooms, open_room: Callable[[str], Database], tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    users = [UUID(owner["user_id"])]
    users += [UUID(rooms.join(owner, "admin")["user_id"]) for _ in range(5)]

    def hammer(job: tuple[int, Database]) -> None:
        seed, database = job
        choose = random.Random(seed).choice
        for _ in range(12):
            act(database, tenant, users, choose)
            assert len(read_owners(database, tenant)) == 1

    jobs = list(enumerate(open_room("user_management") for _ in range(16)))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(hammer, jobs))
    assert len(read_owners(rooms.database, tenant)) == 1


def test_of_sixteen_transfers_at_once_one_happens(
    rooms: Rooms, open_room: Callable[[str], Database], tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    heirs = [UUID(rooms.join(owner)["user_id"]) for _ in range(16)]

    def transfer(job: tuple[UUID, Database]) -> bool:
        heir, database = job
        try:
            with database.transaction(tenant) as tx:
                transfer_ownership(ManagementStore(tx), UUID(owner["user_id"]), heir)
        except SinyalError:
            return False
        return True

    jobs = [(heir, open_room("user_management")) for heir in heirs]
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(transfer, jobs))
    assert sum(done) == 1
    assert read_owners(rooms.database, tenant) == [heirs[done.index(True)]]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_sequence_of_deeds_leaves_a_tenant_without_its_one_owner(
    rooms: Rooms, data: st.DataObject
) -> None:
    tenant = uuid7()
    owner = rooms.found(tenant)
    users = [UUID(owner["user_id"])]
    users += [UUID(rooms.join(owner, role)["user_id"]) for role in ("admin", "trader")]
    for _ in range(data.draw(st.integers(0, 12))):
        act(rooms.database, tenant, users, lambda of: data.draw(st.sampled_from(of)))
        assert len(read_owners(rooms.database, tenant)) == 1
