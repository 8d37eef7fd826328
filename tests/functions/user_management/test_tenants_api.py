"""A tenant's name, closure and suspension over HTTP; what the staff sees and leaves behind."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.user_management import TenantClosed, TenantReinstated, TenantSuspended
from tests.functions.user_management.conftest import Rooms, as_staff, make_address
from tests.support.builders import FixedClock

TENANT = "/v1/tenants/me"
TENANTS = "/v1/tenants"


def suspend(rooms: Rooms, tenant: UUID, who: dict[str, Any] | None = None) -> tuple[int, Any]:
    path = f"{TENANTS}/{tenant}/suspension"
    return rooms.call("POST", path, {"reason": "fraud"}, principal=who or as_staff())


def reinstate(rooms: Rooms, tenant: UUID, who: dict[str, Any] | None = None) -> tuple[int, Any]:
    return rooms.call("DELETE", f"{TENANTS}/{tenant}/suspension", principal=who or as_staff())


def test_managers_rename_the_tenant_and_others_do_not(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    admin, trader = rooms.join(owner, "admin"), rooms.join(owner, "trader")
    status, shown = rooms.call("PATCH", TENANT, {"name": " Baru "}, principal=admin)
    assert (status, shown["name"], shown["status"]) == (200, "Baru", "verified")
    assert rooms.call("GET", TENANT, principal=trader) == (200, shown)
    assert rooms.call("PATCH", TENANT, {"name": "Mine"}, principal=trader)[0] == 403
    assert rooms.actions(tenant)[-1] == "tenant.renamed"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a\nb"}, {"name": "x" * 121}])
def test_a_name_that_cannot_be_right_is_refused(
    rooms: Rooms, tenant: UUID, body: dict[str, str]
) -> None:
    assert rooms.call("PATCH", TENANT, body, principal=rooms.found(tenant))[0] == 422


def test_the_owner_closes_the_tenant_for_good_once(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    owner = rooms.found(tenant)
    status, shown = rooms.call("DELETE", TENANT, principal=owner)
    assert (status, shown["status"], shown["version"]) == (202, "closed", 3)
    (closed,) = rooms.messages(TenantClosed)
    assert closed.erase_after == clock.now() + timedelta(days=30)
    assert datetime.fromisoformat(shown["erase_after"]) == closed.erase_after
    assert closed.version == 3
    clock.advance(days=1)
    assert rooms.call("DELETE", TENANT, principal=owner) == (202, shown)
    assert len(rooms.messages(TenantClosed)) == 1
    assert rooms.actions(tenant).count("tenant.closed") == 1
    for method, path, body in (
        ("PATCH", TENANT, {"name": "Again"}),
        ("POST", "/v1/tenants/invitations", {"email": make_address(), "role": "viewer"}),
    ):
        status, problem = rooms.call(method, path, body, principal=owner)
        assert (status, problem["code"]) == (409, "tenant_state_conflict")
    status, problem = suspend(rooms, tenant)
    assert (status, problem["code"]) == (409, "tenant_state_conflict")
    assert reinstate(rooms, tenant)[0] == 409


def test_closing_needs_the_owner_and_a_fresh_second_factor(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    admin = rooms.join(owner, "admin")
    assert rooms.call("DELETE", TENANT, principal=admin)[1]["code"] == "role_needed"
    former = {**admin, "role": "owner"}
    assert rooms.call("DELETE", TENANT, principal=former)[1]["code"] == "role_needed"
    stale = {**owner, "stepped_up_at": ""}
    assert rooms.call("DELETE", TENANT, principal=stale)[1]["code"] == "step_up_needed"
    assert rooms.messages(TenantClosed) == []


def test_a_suspension_ends_as_what_the_tenant_was(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    rooms.consent(owner, "terms", "risk_notice")
    staff = as_staff()
    status, shown = suspend(rooms, tenant, staff)
    assert (status, shown["status"], shown["version"]) == (200, "suspended", 4)
    assert suspend(rooms, tenant, staff) == (200, shown)
    (suspended,) = rooms.published.envelopes(TenantSuspended)
    assert suspended.meta.tenant_id == tenant
    assert suspended.data == TenantSuspended(reason="fraud", version=4)
    status, shown = reinstate(rooms, tenant, staff)
    assert (status, shown["status"], shown["version"]) == (200, "active", 5)
    assert reinstate(rooms, tenant, staff) == (200, shown)
    assert rooms.messages(TenantReinstated) == [TenantReinstated(version=5)]
    assert rooms.actions(tenant)[-2:] == ["tenant.suspended", "tenant.reinstated"]


def test_an_address_proven_during_a_suspension_counts_after_it(rooms: Rooms, tenant: UUID) -> None:
    request = rooms.register(tenant)
    assert suspend(rooms, tenant)[1]["status"] == "suspended"
    assert rooms.verify(request.token)[0] == 200
    assert reinstate(rooms, tenant)[1]["status"] == "verified"


def test_the_staffs_acts_are_in_the_tenants_own_trail(rooms: Rooms, tenant: UUID) -> None:
    rooms.found(tenant)
    admin, support = as_staff(), as_staff(platform_admin="false", support="true")
    suspend(rooms, tenant, admin)
    assert rooms.call("GET", f"{TENANTS}/{tenant}", principal=support)[0] == 200
    trail = [
        (e.data.actor_kind, str(e.data.actor_id), e.data.action)
        for e in rooms.published.envelopes(AuditRecorded)
        if isinstance(e.data, AuditRecorded) and e.meta.tenant_id == tenant
    ]
    assert trail[-2:] == [
        ("admin", admin["user_id"], "tenant.suspended"),
        ("support", support["user_id"], "tenant.read"),
    ]
    assert "fraud" not in str([e.detail for e in rooms.messages(AuditRecorded)])


def test_the_staff_reads_a_tenant_with_whom_to_write_to(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    rooms.join(owner)
    suspend(rooms, tenant)
    status, shown = rooms.call("GET", f"{TENANTS}/{tenant}", principal=as_staff())
    assert (status, shown["members"], shown["status"]) == (200, 2, "suspended")
    assert (shown["owner"]["user_id"], shown["suspension_reason"]) == (owner["user_id"], "fraud")


def test_a_tenant_that_is_not_there_is_404_for_the_staff_and_leaves_no_trail(
    rooms: Rooms,
) -> None:
    unknown = uuid7()
    assert rooms.call("GET", f"{TENANTS}/{unknown}", principal=as_staff())[0] == 404
    assert suspend(rooms, unknown)[0] == reinstate(rooms, unknown)[0] == 404
    assert rooms.published.rows == []


def test_the_list_goes_by_state_and_page_and_each_listed_tenant_is_told(
    rooms: Rooms, clock: FixedClock
) -> None:
    with rooms.database.transaction(None) as tx:
        (before,) = tx.fetch_all(
            "SELECT coalesce(max(tenant_id::text), %s)::uuid AS last"
            " FROM list_tenants('suspended', NULL, 100)",
            [str(UUID(int=0))],
        )
    founded = sorted(uuid7() for _ in range(5))
    for tenant in founded:
        rooms.found(tenant)
    for tenant in founded[:3]:
        suspend(rooms, tenant)
    seen: list[str] = []
    cursor: Any = str(before["last"])
    for _ in range(2):
        query = {"status": "suspended", "limit": "2", "cursor": cursor}
        status, page = rooms.call("GET", TENANTS, principal=as_staff(), query=query)
        assert status == 200
        seen += [item["tenant_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == ([str(tenant) for tenant in founded[:3]], None)
    assert all(rooms.actions(tenant)[-1] == "tenant.listed" for tenant in founded[:3])
    assert all("tenant.listed" not in rooms.actions(tenant) for tenant in founded[3:])


def test_the_list_names_no_person(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.register(tenant)
    _, page = rooms.call("GET", TENANTS, principal=as_staff(), query={"limit": "100"})
    assert owner.email not in str(page)
    assert owner.full_name not in str(page)


@pytest.mark.parametrize("query", [{"status": "king"}, {"limit": "101"}, {"cursor": "x"}])
def test_a_list_that_cannot_be_right_is_refused(rooms: Rooms, query: dict[str, str]) -> None:
    assert rooms.call("GET", TENANTS, principal=as_staff(), query=query)[0] == 422


def test_no_tenant_reads_or_suspends_another_and_support_only_reads(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    rooms.found(other_tenant)
    for path in (TENANTS, f"{TENANTS}/{other_tenant}", f"{TENANTS}/{tenant}"):
        assert rooms.call("GET", path, principal=owner)[0] == 403
    support = as_staff(platform_admin="false", support="true")
    for who in (owner, support):
        assert suspend(rooms, other_tenant, who)[0] == 403
        assert reinstate(rooms, other_tenant, who)[0] == 403
    assert rooms.messages(TenantSuspended) == []


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 201}, {"reason": "a\tb"}])
def test_a_suspension_needs_a_reason(rooms: Rooms, tenant: UUID, body: dict[str, str]) -> None:
    rooms.found(tenant)
    path = f"{TENANTS}/{tenant}/suspension"
    assert rooms.call("POST", path, body, principal=as_staff())[0] == 422
