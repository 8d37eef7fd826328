"""A write with a key happens once, also when two requests with it run at the same time."""

import json
from collections.abc import Callable
from threading import Barrier, Lock, Thread
from typing import Any
from uuid import UUID

import pytest

from kit.db import Database
from kit.errors import BadRequest, Conflict
from kit.idempotency import IdempotencyKeyReused, answer_once

ROOM = "trading_engine"
KEEP = (
    "INSERT INTO entitlements (tenant_id, version, tier, paper_accounts, live_accounts)"
    " VALUES (%s, 1, 'free', 1, 0)"
)


class Orders:
    """Answers with a number that grows, so that a second run would be seen."""

    def __init__(self) -> None:
        self.made = 0
        self._lock = Lock()

    def make(self) -> tuple[int, Any]:
        with self._lock:
            self.made += 1
            return 201, {"order": self.made}


@pytest.fixture
def database(open_room: Callable[[str], Database]) -> Database:
    return open_room(ROOM)


def post(
    database: Database, tenant: UUID, key: str | None, request: Any, run: Callable[[], Any]
) -> tuple[int, Any, bool]:
    with database.transaction(tenant) as tx:
        answer = answer_once(tx, key, request, run)
    replayed = answer.headers.get("idempotency-replayed") == "true"
    return answer.status_code, json.loads(bytes(answer.body)), replayed


def test_the_first_answer_is_given_again(database: Database, tenant: UUID) -> None:
    orders = Orders()
    assert post(database, tenant, "k", {"a": 1}, orders.make) == (201, {"order": 1}, False)
    assert post(database, tenant, "k", {"a": 1}, orders.make) == (201, {"order": 1}, True)
    assert orders.made == 1


def test_the_order_of_fields_does_not_make_another_request(
    database: Database, tenant: UUID
) -> None:
    orders = Orders()
    post(database, tenant, "k", {"a": 1, "b": 2}, orders.make)
    assert post(database, tenant, "k", {"b": 2, "a": 1}, orders.make)[2]


def test_a_key_for_another_request_is_refused(database: Database, tenant: UUID) -> None:
    orders = Orders()
    post(database, tenant, "k", {"a": 1}, orders.make)
    with pytest.raises(IdempotencyKeyReused) as caught:
        post(database, tenant, "k", {"a": 2}, orders.make)
    assert (caught.value.status, orders.made) == (409, 1)


def test_another_tenants_same_key_is_another_key(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    orders = Orders()
    assert post(database, tenant, "k", {}, orders.make)[1] == {"order": 1}
    assert post(database, other_tenant, "k", {}, orders.make) == (201, {"order": 2}, False)


def test_without_a_key_every_request_is_its_own(database: Database, tenant: UUID) -> None:
    orders = Orders()
    for number in (1, 2):
        assert post(database, tenant, None, {}, orders.make)[1] == {"order": number}


@pytest.mark.parametrize("key", ["", " ", "with space", "ä", "x" * 81, "line\nbreak", "k\n"])
def test_a_key_that_is_no_key_is_refused(database: Database, tenant: UUID, key: str) -> None:
    with pytest.raises(BadRequest):
        post(database, tenant, key, {}, Orders().make)


def test_an_error_frees_the_key_with_the_work(database: Database, tenant: UUID) -> None:
    orders = Orders()

    def fail() -> tuple[int, Any]:
        raise Conflict("not now")

    with pytest.raises(Conflict):
        post(database, tenant, "k", {"a": 1}, fail)
    assert post(database, tenant, "k", {"a": 1}, orders.make) == (201, {"order": 1}, False)


def test_two_requests_at_the_same_time_do_the_work_once(
    open_room: Callable[[str], Database], tenant: UUID
) -> None:
    """Each on its own connection, as two Lambda workers have; a unique key would tell a second."""
    workers = 6
    orders, start = Orders(), Barrier(workers)
    answers: list[tuple[int, Any, bool]] = []
    failures: list[BaseException] = []

    def work(database: Database) -> None:
        try:
            with database.transaction(tenant) as tx:
                start.wait(10)

                def run() -> tuple[int, Any]:
                    tx.execute(KEEP, [tenant])
                    return orders.make()

                answer = answer_once(tx, "same", {"a": 1}, run)
            replayed = "idempotency-replayed" in answer.headers
            answers.append((answer.status_code, json.loads(bytes(answer.body)), replayed))
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [Thread(target=work, args=[open_room(ROOM)]) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert orders.made == 1
    assert sorted(replayed for _, _, replayed in answers) == [False] + [True] * (workers - 1)
    assert {(status, body["order"]) for status, body, _ in answers} == {(201, 1)}
