"""user_management's SQL on the real database: a tenant sees and writes its own rows only."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from contracts.ids import uuid7
from functions.user_management.logic.links import hash_token
from functions.user_management.models import (
    ConsentWish,
    Invitation,
    NewProfile,
    PreferencesWish,
    ProfileChange,
)
from functions.user_management.store import (
    ManagementStore,
    StaffStore,
    find_unverified,
    find_verification_tenant,
)
from kit.db import Database

OpenRoom = Callable[[str], Database]

TABLES = ("tenants", "profiles", "verification_tokens", "invitations", "preferences", "consents")


def make_profile(role: str = "owner") -> NewProfile:
    return NewProfile(
        user_id=uuid7(),
        email=f"{uuid7().hex}@example.com",
        full_name="Siti",
        role=role,  # type: ignore[arg-type]
        locale="id",
        time_zone="Asia/Jakarta",
    )


def test_rows_of_another_tenant_are_not_there(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    database, profile = open_room("user_management"), make_profile()
    token, invitation_id = hash_token(str(uuid7())), uuid7()
    with database.transaction(tenant) as tx:
        store = ManagementStore(tx)
        store.add_tenant("Rahma")
        store.add_profile(profile)
        store.add_verification(token, profile.user_id, tx.now + timedelta(hours=1))
        invitation = Invitation(
            invitation_id=invitation_id,
            email="x@example.com",
            role="viewer",
            invited_by=profile.user_id,
            created_at=tx.now,
            expires_at=tx.now + timedelta(days=7),
        )
        store.add_invitation(invitation, hash_token(str(uuid7())))
        wish = PreferencesWish(risk_appetite="balanced", sizing_mode="kelly")
        store.save_preferences(wish, 1, profile.user_id)
        store.add_consent(uuid7(), profile.user_id, ConsentWish(document="terms", version=1), None)
    for stranger in (other_tenant, None):
        with database.transaction(stranger) as tx:
            store = ManagementStore(tx)
            assert store.read_profile(profile.user_id) is None
            assert store.read_member(profile.user_id) is None
            assert not store.change_profile(profile.user_id, ProfileChange(full_name="Eve"))
            assert not store.change_email(profile.user_id, "eve@example.com", tx.now)
            assert store.use_verification(token) is None
            assert not store.mark_verified(profile.user_id)
            assert not store.revoke_invitation(invitation_id)
            assert store.accept_invitation(invitation_id) is None
            assert not store.was_accepted(invitation_id)
            assert store.list_consents(profile.user_id) == []
            assert store.read_preferences().version == 0
            assert store.lock_tenant() is None
            assert StaffStore(tx).read_detail() is None
            for table in TABLES:
                assert tx.fetch_all(f"SELECT * FROM {table} LIMIT 1") == []
            assert find_verification_tenant(tx, token) == tenant
            assert find_unverified(tx, profile.email) == [(tenant, profile.user_id)]


def test_every_table_with_a_tenant_forces_row_level_security(open_room: OpenRoom) -> None:
    with open_room("user_management").transaction(None) as tx:
        rows = tx.fetch_all(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'user_management'::regnamespace AND c.relkind = 'r'"
            " AND a.attname = 'tenant_id' LIMIT 100"
        )
    assert {row["relname"] for row in rows} >= set(TABLES)
    assert all(row["forced"] for row in rows)


def test_a_row_cannot_be_written_for_another_tenant(
    open_room: OpenRoom, tenant: UUID, other_tenant: UUID
) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        open_room("user_management").transaction(other_tenant) as tx,
    ):
        tx.execute(
            "INSERT INTO tenants (tenant_id, name, status, created_at)"
            " VALUES (%s, 'x', 'registered', %s)",
            [tenant, tx.now],
        )


@pytest.mark.parametrize(
    "call",
    [
        "find_verification_tenant('x')",
        "find_unverified('x')",
        "list_tenants(NULL, NULL, 1)",
        "find_due_erasures(now(), now(), 1)",
    ],
)
def test_another_room_may_not_look_across_tenants(open_room: OpenRoom, call: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        open_room("user_service").transaction(None) as tx,
    ):
        tx.execute(f"SELECT user_management.{call}")


def test_a_second_owner_is_not_stored(open_room: OpenRoom, tenant: UUID) -> None:
    with open_room("user_management").transaction(tenant) as tx:
        store = ManagementStore(tx)
        store.add_tenant("Rahma")
        assert store.add_profile(make_profile())
        assert not store.add_profile(make_profile())
        assert store.add_profile(make_profile("admin"))
        assert store.count_members() == 2
