"""user_management's SQL on the real database: a tenant sees and writes its own rows only."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from functions.user_management.logic import hash_token
from functions.user_management.models import NewProfile, ProfileChange
from functions.user_management.store import ProfileStore
from kit.db import Database

OpenRoom = Callable[[str], Database]


def make_profile() -> NewProfile:
    return NewProfile(
        user_id=uuid7(),
        email=f"{uuid7().hex}@example.com",
        full_name="Siti",
        role="owner",
        locale="id",
        time_zone="Asia/Jakarta",
    )


def test_rows_of_another_tenant_are_not_there(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    database, profile, token = (
        open_room("user_management"),
        make_profile(),
        hash_token(str(uuid7())),
    )
    with database.transaction(tenant) as tx:
        store = ProfileStore(tx)
        store.add_tenant("Rahma")
        store.add_profile(profile)
        store.add_verification(token, profile.user_id, tx.now + timedelta(hours=1))
    for stranger in (other_tenant, None):
        with database.transaction(stranger) as tx:
            store = ProfileStore(tx)
            assert store.read_profile(profile.user_id) is None
            assert not store.change_profile(profile.user_id, ProfileChange(full_name="Eve"))
            assert store.use_verification(token) is None
            assert not store.mark_verified(profile.user_id)
            for table in ("tenants", "profiles", "verification_tokens"):
                assert tx.fetch_all(f"SELECT * FROM {table} LIMIT 1") == []
            assert store.find_verification_tenant(token) == tenant


def test_a_token_cannot_be_written_for_another_tenant(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        open_room("user_management").transaction(other_tenant) as tx,
    ):
        tx.execute(
            "INSERT INTO tenants (tenant_id, name, status, created_at)"
            " VALUES (%s, 'x', 'active', %s)",
            [tenant, tx.now],
        )


def test_another_room_may_not_look_up_tokens(open_room: OpenRoom) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        open_room("user_service").transaction(None) as tx,
    ):
        tx.execute("SELECT user_management.find_verification_tenant('x')")
