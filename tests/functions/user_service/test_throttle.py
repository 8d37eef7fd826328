"""Brute force: guesses are counted one by one, in Redis and without it, however many at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.user_service import SecurityAlertRaised
from functions.user_service import settings as room
from functions.user_service.api import sign_in
from functions.user_service.logic.throttling import name_guess
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import (
    ACCOUNT_FREE,
    BLOCK_LONGEST,
    Admission,
    Subject,
    block_length,
)
from functions.user_service.store import ThrottleStore
from kit.db import Database
from tests.functions.user_service.conftest import PASSWORD, WRONG, UserDoors, make_email
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher

GUESSES = 64
OpenRoom = Callable[[str], Database]


def name_account(free: int = ACCOUNT_FREE) -> list[Subject]:
    return [Subject("account", hash_secret(str(uuid7())), free)]


def admit(database: Database, subjects: list[Subject]) -> Admission:
    with database.transaction(None) as tx:
        return ThrottleStore(tx).admit(subjects)


def rest_is_over(client: "redis.Redis[str]") -> None:
    """Let every block in Redis lie in the past."""
    for key in client.scan_iter("{throttle}:*"):
        client.hset(key, "until", 1)


@pytest.mark.parametrize("redis_is_up", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_failures_block_an_address_whether_or_not_it_is_known(
    users: UserDoors, stop_redis: Callable[[], None], known: bool, redis_is_up: bool
) -> None:
    email = make_email()
    if known:
        users.join(email)
    if not redis_is_up:
        stop_redis()
    statuses = [users.login(email, WRONG)[0] for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert users.login(email, PASSWORD)[1]["retry_after"] in (29, 30)


def test_a_block_ends_and_the_next_is_twice_as_long(
    users: UserDoors, throttle_redis: "redis.Redis[str]"
) -> None:
    email = make_email()
    for expected in (30, 60, 120, 240, 480, 900, 900):
        while users.login(email, WRONG)[0] == 401:
            pass
        wait = users.login(email, WRONG)[1]["retry_after"]
        assert expected - 2 <= wait <= expected
        rest_is_over(throttle_redis)


def test_without_redis_a_block_ends_with_the_clock(
    users: UserDoors, clock: FixedClock, stop_redis: Callable[[], None]
) -> None:
    email = make_email()
    users.join(email)
    stop_redis()
    for _ in range(6):
        users.login(email, WRONG)
    clock.advance(seconds=31)
    assert users.login(email)[0] == 200
    assert users.login(email)[0] == 200


@pytest.mark.parametrize("redis_is_up", [True, False])
def test_sixty_four_parallel_wrong_guesses_admit_exactly_the_free_ones(
    users: UserDoors, open_room: OpenRoom, stop_redis: Callable[[], None], redis_is_up: bool
) -> None:
    if not redis_is_up:
        stop_redis()
    databases = [open_room("user_service") for _ in range(16)]
    subjects = name_guess(make_email(), "192.0.2.1")

    def guess(number: int) -> list[Admission]:
        return [admit(databases[number], subjects) for _ in range(GUESSES // len(databases))]

    with ThreadPoolExecutor(len(databases)) as pool:
        answers = [one for some in pool.map(guess, range(len(databases))) for one in some]
    assert len(answers) == GUESSES
    assert sum(answer.wait_s == 0 for answer in answers) == ACCOUNT_FREE
    assert sum(answer.locks for answer in answers) == 1


def test_losing_redis_in_the_middle_gives_the_free_guesses_once_more_and_no_others(
    users: UserDoors, open_room: OpenRoom, stop_redis: Callable[[], None]
) -> None:
    database, subjects = open_room("user_service"), name_account()
    admitted = sum(admit(database, subjects).wait_s == 0 for _ in range(20))
    stop_redis()
    admitted += sum(admit(database, subjects).wait_s == 0 for _ in range(20))
    assert admitted == 2 * ACCOUNT_FREE


@given(free=st.integers(1, 12), guesses=st.integers(1, 30))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_counters_admit_the_same_guesses(
    room_secrets: None,
    open_room: OpenRoom,
    free: int,
    guesses: int,
) -> None:
    database = open_room("user_service")
    subjects = name_account(free)
    in_redis = [admit(database, subjects) for _ in range(guesses)]
    with database.transaction(None) as tx:
        in_sql = [ThrottleStore(tx)._admit_in_sql(subjects) for _ in range(guesses)]
    assert [a.wait_s == 0 for a in in_redis] == [a.wait_s == 0 for a in in_sql]
    assert [a.locks for a in in_redis] == [a.locks for a in in_sql]
    assert sum(a.wait_s == 0 for a in in_redis) == min(free, guesses)


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_blocks_grow_with_failures_and_never_pass_their_bound(failures: int, free: int) -> None:
    length = block_length(failures, free)
    assert timedelta(seconds=30) <= length <= BLOCK_LONGEST
    assert block_length(failures + 1, free) >= length


def test_a_network_that_guesses_at_many_addresses_rests_and_others_do_not(
    users: UserDoors, open_room: OpenRoom
) -> None:
    database = open_room("user_service")
    answers = [admit(database, name_guess(make_email(), "192.0.2.1", 20)) for _ in range(30)]
    assert sum(answer.wait_s == 0 for answer in answers) == 20
    assert not any(answer.locks for answer in answers)
    assert admit(database, name_guess(make_email(), "192.0.2.2", 20)).wait_s == 0


def test_a_network_is_not_blocked_by_those_who_sign_in(
    users: UserDoors, open_room: OpenRoom
) -> None:
    database = open_room("user_service")
    for _ in range(60):
        subjects = name_guess(make_email(), "192.0.2.1", 20)
        assert admit(database, subjects).wait_s == 0
        with database.transaction(None) as tx:
            ThrottleStore(tx).forgive(subjects)


def test_a_guess_refused_for_one_subject_counts_for_none(
    users: UserDoors, open_room: OpenRoom, throttle_redis: "redis.Redis[str]"
) -> None:
    database, email = open_room("user_service"), make_email()
    for _ in range(40):
        admit(database, name_guess(email, "192.0.2.1", 20))
    (network,) = throttle_redis.scan_iter("{throttle}:network:*")
    assert throttle_redis.hget(network, "n") == str(ACCOUNT_FREE)


def test_counters_in_redis_hold_no_address_and_expire(
    users: UserDoors, throttle_redis: "redis.Redis[str]"
) -> None:
    email = make_email()
    users.login(email, WRONG)
    keys = list(throttle_redis.scan_iter("{throttle}:*"))
    assert len(keys) == 2
    assert email not in repr(keys)
    assert users.network not in repr(keys)
    assert all(0 < throttle_redis.ttl(key) <= 3600 for key in keys)


def test_a_lock_is_told_once_and_only_to_those_who_have_an_account(
    users: UserDoors, published: RecordingPublisher, throttle_redis: "redis.Redis[str]"
) -> None:
    known = users.sign_in().email
    for email in (known, make_email()):
        for _ in range(3):
            while users.login(email, WRONG)[0] == 401:
                pass
            rest_is_over(throttle_redis)
    (alert,) = published.messages(SecurityAlertRaised)
    assert (alert.kind, alert.email, alert.address) == ("account_locked", known, "127.0.0.1")
    locked = [a for a in published.messages(AuditRecorded) if a.action == "account.locked"]
    assert len(locked) == 2


def test_the_right_password_forgives_the_wrong_ones_before(users: UserDoors) -> None:
    email = users.sign_in().email
    for _ in range(3):
        for _ in range(4):
            assert users.login(email, WRONG)[0] == 401
        assert users.login(email)[0] == 200


def test_one_network_registers_so_many_and_then_waits(
    users: UserDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = room.settings().model_copy(update={"network_guesses_free": 3})
    monkeypatch.setattr(sign_in, "settings", lambda: free)
    answers = [users.register()[0] for _ in range(5)]
    assert answers[:2] == [201, 201]
    assert answers[-1] == 429
