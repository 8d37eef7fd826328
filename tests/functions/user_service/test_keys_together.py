"""API keys made, rotated and ended by many at once: the limits hold exactly."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.user_service import AccessRevoked
from functions.user_service import api
from functions.user_service.errors import KeyAlreadyCreated, KeyAlreadyRotated, KeyLimitReached
from functions.user_service.logic.api_keys import (
    LIVING_KEYS_MAX,
    create_key,
    revoke_key,
    rotate_key,
)
from functions.user_service.logic.key_bodies import KeyRequest
from functions.user_service.store import UserStore
from kit.db import Database
from kit.errors import SinyalError, Unauthenticated
from tests.functions.user_service.conftest import UserDoors
from tests.functions.user_service.key_desk import READER, Caller, KeyDesk
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher

CLIENTS = 8
REQUEST = KeyRequest(name="robot", scopes=("read",))


@pytest.fixture
def desk(users: UserDoors, set_secret: Callable[[str, dict[str, Any]], None]) -> KeyDesk:
    return KeyDesk(users, api._database(), set_secret)


@pytest.fixture
def at_once(
    open_room: Callable[[str], Database],
) -> Callable[[Callable[[Database], Any], int], list[Any]]:
    """Do something from eight connections at once; the values are answers or refusals."""

    def run(work: Callable[[Database], Any], each: int) -> list[Any]:
        barrier = Barrier(CLIENTS)

        def client(database: Database) -> list[Any]:
            barrier.wait(timeout=10)
            outcomes: list[Any] = []
            for _ in range(each):
                try:
                    outcomes.append(work(database))
                except SinyalError as error:
                    outcomes.append(type(error))
            return outcomes

        databases = [open_room("user_service") for _ in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            return [outcome for batch in pool.map(client, databases) for outcome in batch]

    return run


def make_key(database: Database, owner: Caller, key_id: UUID | None = None) -> str:
    with database.transaction(owner.tenant_id) as tx:
        chosen = key_id or uuid7()
        fresh = create_key(
            UserStore(tx), REQUEST, owner.user_id, key_id=chosen, stage="test", now=tx.now
        )
    return str(fresh.stored.key_id)


def test_of_many_at_once_exactly_twenty_keys_are_made(
    desk: KeyDesk, at_once: Callable[..., list[Any]]
) -> None:
    owner, neighbour = desk.add_member(), desk.add_member()
    outcomes = at_once(lambda database: make_key(database, owner), 5)
    refused = [outcome for outcome in outcomes if outcome is KeyLimitReached]
    assert len(outcomes) - len(refused) == LIVING_KEYS_MAX
    assert len(refused) == CLIENTS * 5 - LIVING_KEYS_MAX
    assert len(desk.list(owner, limit="100")["items"]) == LIVING_KEYS_MAX
    assert desk.create(owner, READER)[1]["code"] == "key_limit_reached"
    assert desk.create(neighbour, READER)[0] == 201


def test_a_key_that_ended_makes_room_for_another(desk: KeyDesk, clock: FixedClock) -> None:
    owner = desk.add_member()
    soon = (clock.now() + timedelta(minutes=1)).isoformat()
    made = [desk.make(owner) for _ in range(LIVING_KEYS_MAX - 1)]
    desk.make(owner, {**READER, "expires_at": soon})
    assert desk.create(owner, READER)[0] == 409
    assert desk.rotate(owner, made[0]["key_id"], overlap_s=60)[1]["code"] == "key_limit_reached"
    assert desk.rotate(owner, made[0]["key_id"])[0] == 201
    assert desk.create(owner, READER)[0] == 409
    desk.revoke(owner, made[1]["key_id"])
    assert desk.create(owner, READER)[0] == 201
    clock.advance(minutes=1)
    assert desk.create(owner, READER)[0] == 201
    assert desk.create(owner, READER)[0] == 409


def test_of_repeats_at_once_with_one_idempotency_key_one_makes_a_key(
    desk: KeyDesk, at_once: Callable[..., list[Any]]
) -> None:
    owner, key_id = desk.add_member(), uuid7()
    outcomes = at_once(lambda database: make_key(database, owner, key_id), 2)
    assert outcomes.count(str(key_id)) == 1
    assert outcomes.count(KeyAlreadyCreated) == CLIENTS * 2 - 1


def test_of_rotations_at_once_one_makes_a_successor(
    desk: KeyDesk, at_once: Callable[..., list[Any]], published: RecordingPublisher
) -> None:
    owner = desk.add_member()
    key_id = UUID(desk.make(owner)["key_id"])

    def rotate(database: Database) -> str:
        with database.transaction(owner.tenant_id) as tx:
            store = UserStore(tx)
            key = store.read_key(key_id)
            assert key is not None
            fresh = rotate_key(
                store, key, owner.user_id, overlap=timedelta(0), stage="test", now=tx.now
            )
        return str(fresh.stored.key_id)

    outcomes = at_once(rotate, 1)
    assert outcomes.count(KeyAlreadyRotated) == CLIENTS - 1
    assert len(published.messages(AccessRevoked)) == 1
    assert len(desk.list(owner)["items"]) == 2


def test_revocations_at_once_announce_the_end_once(
    desk: KeyDesk, at_once: Callable[..., list[Any]], published: RecordingPublisher
) -> None:
    owner = desk.add_member()
    key_id = UUID(desk.make(owner)["key_id"])

    def revoke(database: Database) -> int:
        with database.transaction(owner.tenant_id) as tx:
            store = UserStore(tx)
            key = store.read_key(key_id)
            assert key is not None
            return len(revoke_key(store, key, tx.now))

    assert sorted(at_once(revoke, 1)) == [0] * (CLIENTS - 1) + [1]
    assert len(published.messages(AccessRevoked)) == 1


def test_a_member_who_leaves_meanwhile_leaves_no_key_behind(
    desk: KeyDesk, at_once: Callable[..., list[Any]]
) -> None:
    """A key is made before the removal and ended by it, or not made any more."""
    owner = desk.add_member()
    trader = desk.add_member("trader", owner.tenant_id)
    turns = iter(range(CLIENTS * 2))

    def come_or_go(database: Database) -> str:
        if next(turns) != CLIENTS:
            return make_key(database, trader)
        with database.transaction(owner.tenant_id) as tx:
            UserStore(tx).remove_user(trader.user_id)
            UserStore(tx).revoke_keys_of(trader.user_id)
        return "left"

    outcomes = at_once(come_or_go, 2)
    assert outcomes.count("left") == 1
    assert set(outcomes) - {"left", Unauthenticated} <= {
        card["key_id"] for card in desk.list(owner, limit="100")["items"]
    }
    assert {card["status"] for card in desk.list(owner, limit="100")["items"]} <= {"revoked"}
