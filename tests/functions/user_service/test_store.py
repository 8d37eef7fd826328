"""user_service's SQL on the real database: one tenant at a time, one attempt at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import NewUser, Origin, Session
from functions.user_service.store import AttemptStore, UserStore
from kit.db import Database
from tests.functions.user_service.conftest import make_email
from tests.support.builders import FixedClock

OpenRoom = Callable[[str], Database]


def make_user(tenant_id: UUID, email: str | None = None) -> NewUser:
    return NewUser(
        user_id=uuid7(),
        tenant_id=tenant_id,
        email=email or make_email(),
        password_hash="hash",
        role="owner",
        status="registered",
        created_at=FixedClock().now(),
    )


def test_an_address_has_one_account_across_all_tenants(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    database, user = open_room("user_service"), make_user(tenant)
    with database.transaction(tenant) as tx:
        assert UserStore(tx).add_user(user)
    with database.transaction(other_tenant) as tx:
        assert not UserStore(tx).add_user(make_user(other_tenant, user.email))
    with database.transaction(None) as tx:
        found = UserStore(tx).find_credentials(user.email)
    assert found is not None
    assert (found.tenant_id, found.user_id) == (tenant, user.user_id)


def test_rows_of_another_tenant_are_not_there(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    database, user = open_room("user_service"), make_user(tenant)
    session = Session(uuid7(), FixedClock().now() + timedelta(days=1))
    token_hash = hash_secret(str(uuid7()))
    with database.transaction(tenant) as tx:
        store = UserStore(tx)
        store.add_user(user)
        store.add_session(session, user.user_id, Origin())
        store.add_refresh_token(token_hash, session.session_id, session.expires_at)
    for stranger in (other_tenant, None):
        with database.transaction(stranger) as tx:
            store = UserStore(tx)
            assert store.read_account(user.user_id) is None
            assert store.lock_refresh_token(token_hash) is None
            assert not store.activate_user(user.user_id)
            for table in ("users", "sessions", "refresh_tokens", "tenant_tiers"):
                assert tx.fetch_all(f"SELECT * FROM {table} LIMIT 1") == []


def test_a_user_cannot_be_written_into_another_tenant(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    database = open_room("user_service")
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        database.transaction(other_tenant) as tx,
    ):
        UserStore(tx).add_user(make_user(tenant))


def test_second_factors_and_mailed_tokens_of_another_tenant_are_not_there(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    database, user = open_room("user_service"), make_user(tenant)
    token_hash, later = hash_secret(str(uuid7())), FixedClock().now() + timedelta(hours=1)
    invited_hash, code_hash = hash_secret(str(uuid7())), hash_secret(str(uuid7()))
    with database.transaction(tenant) as tx:
        store = UserStore(tx)
        store.add_user(user)
        store.put_pending_factor(user.user_id, b"sealed")
        store.replace_recovery_codes(user.user_id, [code_hash])
        store.put_token(token_hash, user.user_id, "password_reset", later)
        store.keep_invitation(uuid7(), make_email(), "viewer", invited_hash, later)
        store.note_device(user.user_id, hash_secret("a device"))
        store.keep_tenant_status("suspended", 1)
    tables = (
        "totp_factors",
        "recovery_codes",
        "account_tokens",
        "invitations",
        "known_devices",
        "tenant_states",
    )
    for stranger in (other_tenant, None):
        with database.transaction(stranger) as tx:
            store = UserStore(tx)
            assert store.read_factor(user.user_id) is None
            assert not store.take_step(user.user_id, 10**9)
            assert not store.use_recovery_code(user.user_id, code_hash)
            assert store.take_token(token_hash, "password_reset") is None
            assert store.accept_invitation(invited_hash) is None
            assert store.read_tenant_status() == "active"
            for table in tables:
                assert tx.fetch_all(f"SELECT * FROM {table} LIMIT 1") == []
    with database.transaction(None) as tx:
        store = UserStore(tx)
        assert store.find_token_tenant(token_hash, "password_reset") == tenant
        assert store.find_token_tenant(token_hash, "email_change") is None
        assert store.find_invitation_tenant(invited_hash) == tenant


def test_of_parallel_takers_exactly_one_wins(open_room: OpenRoom, tenant: UUID) -> None:
    user, later = make_user(tenant), FixedClock().now() + timedelta(hours=1)
    token_hash, invited_hash = hash_secret(str(uuid7())), hash_secret(str(uuid7()))
    code_hash = hash_secret(str(uuid7()))
    databases = [open_room("user_service") for _ in range(8)]
    with databases[0].transaction(tenant) as tx:
        store = UserStore(tx)
        store.add_user(user)
        store.put_pending_factor(user.user_id, b"sealed")
        store.replace_recovery_codes(user.user_id, [code_hash])
        store.put_token(token_hash, user.user_id, "password_reset", later)
        store.keep_invitation(uuid7(), make_email(), "viewer", invited_hash, later)

    def take(database: Database) -> tuple[bool, ...]:
        with database.transaction(tenant) as tx:
            store = UserStore(tx)
            return (
                store.take_step(user.user_id, 7),
                store.use_recovery_code(user.user_id, code_hash),
                store.take_token(token_hash, "password_reset") is not None,
                store.accept_invitation(invited_hash) is not None,
            )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(take, databases))
    assert [sum(column) for column in zip(*answers, strict=True)] == [1, 1, 1, 1]


def test_another_room_may_not_look_up_addresses(open_room: OpenRoom) -> None:
    database = open_room("user_management")
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        database.transaction(None) as tx,
    ):
        tx.execute("SELECT * FROM user_service.find_credentials('a@example.com')")


def test_parallel_attempts_count_one_by_one(open_room: OpenRoom) -> None:
    key, since = hash_secret(make_email()), FixedClock().now() - timedelta(hours=1)
    databases = [open_room("user_service") for _ in range(8)]

    def attempt(database: Database) -> int:
        with database.transaction(None) as tx:
            return AttemptStore(tx).count_attempt(key, since).failures

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, databases)) == list(range(1, 9))


def test_counting_starts_anew_after_a_rest(open_room: OpenRoom, clock: FixedClock) -> None:
    database, key = open_room("user_service"), hash_secret(make_email())
    for expected in (1, 2):
        with database.transaction(None) as tx:
            counted = AttemptStore(tx).count_attempt(key, tx.now - timedelta(hours=1))
        assert counted.failures == expected
    clock.advance(minutes=61)
    with database.transaction(None) as tx:
        assert AttemptStore(tx).count_attempt(key, tx.now - timedelta(hours=1)).failures == 1


def test_forgetting_an_address_drops_stale_ones_and_keeps_the_others(
    open_room: OpenRoom, clock: FixedClock
) -> None:
    database = open_room("user_service")
    stale, fresh, own = (hash_secret(make_email()) for _ in range(3))
    with database.transaction(None) as tx:
        AttemptStore(tx).count_attempt(stale, tx.now)
    clock.advance(hours=2)
    with database.transaction(None) as tx:
        for key in (fresh, own):
            AttemptStore(tx).count_attempt(key, tx.now)
        AttemptStore(tx).forget(own, tx.now - timedelta(hours=1))
        left = tx.fetch_all(
            "SELECT address_hash FROM login_attempts WHERE address_hash = ANY(%s)",
            [[stale, fresh, own]],
        )
    assert [bytes(row["address_hash"]) for row in left] == [fresh]
