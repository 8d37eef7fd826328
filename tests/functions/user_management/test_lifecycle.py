"""The life of a tenant as a table: every step that can be taken is in it, in code and database."""

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.user_management.errors import TenantStepRefused
from functions.user_management.logic import lifecycle
from functions.user_management.models import TenantState
from functions.user_management.store import ManagementStore
from kit.db import Database

Step = Callable[[TenantState], TenantState]

STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        lifecycle.verify,
        lifecycle.accept_terms,
        lifecycle.withdraw_terms,
        lifecycle.suspend,
        lifecycle.reinstate,
        lifecycle.close,
        lifecycle.erase,
    )
}


def try_step(state: TenantState, step: Step) -> TenantState:
    try:
        return step(state)
    except TenantStepRefused:
        return state


def find_reachable() -> dict[TenantState, set[tuple[str, TenantState]]]:
    """Every state that any sequence of steps can reach, its version left out of account."""
    first = lifecycle.start()
    reached: dict[TenantState, set[tuple[str, TenantState]]] = {}
    waiting = [first]
    while waiting:
        state = waiting.pop()
        if state in reached:
            continue
        after = {
            (name, TenantState(moved.status, moved.resumes_as, 1))
            for name, step in STEPS.items()
            for moved in [try_step(state, step)]
        }
        reached[state] = after
        waiting += [moved for _, moved in after]
    return reached


def test_no_step_that_is_not_in_the_table_can_be_reached() -> None:
    taken = {
        (before.status, after.status)
        for before, steps in find_reachable().items()
        for _, after in steps
        if before.status != after.status
    }
    allowed = {(a, b) for a, targets in lifecycle.TRANSITIONS.items() for b in targets}
    assert taken == allowed


def test_only_a_suspended_tenant_remembers_what_it_resumes_as() -> None:
    states = find_reachable()
    assert {state.status for state in states} == set(lifecycle.TRANSITIONS)
    assert all((s.status == "suspended") == (s.resumes_as is not None) for s in states)
    assert not any(s.resumes_as in ("suspended", *lifecycle.GONE) for s in states)


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=40))
def test_whatever_is_tried_each_change_of_state_counts_once(names: list[str]) -> None:
    state = lifecycle.start()
    for name in names:
        after = try_step(state, STEPS[name])
        if after.status == state.status:
            assert after.version == state.version
        else:
            assert after.status in lifecycle.TRANSITIONS[state.status]
            assert after.version == state.version + 1
        assert not (state.status in lifecycle.GONE and after.status not in lifecycle.GONE)
        state = after


@given(st.lists(st.sampled_from(["verify", "accept_terms", "withdraw_terms"]), max_size=6))
def test_a_suspension_in_between_changes_nothing_in_the_end(names: list[str]) -> None:
    plain, suspended = lifecycle.start(), lifecycle.suspend(lifecycle.start())
    for name in names:
        plain, suspended = try_step(plain, STEPS[name]), try_step(suspended, STEPS[name])
        assert suspended.status == "suspended"
    assert lifecycle.reinstate(suspended).status == plain.status


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("registered", lifecycle.close),
        ("registered", lifecycle.erase),
        ("active", lifecycle.erase),
        ("closed", lifecycle.suspend),
        ("closed", lifecycle.reinstate),
        ("erased", lifecycle.suspend),
        ("erased", lifecycle.reinstate),
    ],
)
def test_a_step_the_state_does_not_lead_to_is_refused(status: str, step: Step) -> None:
    with pytest.raises(TenantStepRefused):
        step(TenantState(status, None, 3))  # type: ignore[arg-type]


def test_the_database_holds_the_same_table(open_room: Callable[[str], Database]) -> None:
    with open_room("user_management").transaction(None) as tx:
        rows = tx.fetch_all("SELECT from_status, to_status FROM tenant_transitions LIMIT 100")
    held = {(row["from_status"], row["to_status"]) for row in rows}
    assert held == {(a, b) for a, targets in lifecycle.TRANSITIONS.items() for b in targets}


def test_the_database_refuses_every_other_step_whoever_writes_it(
    open_room: Callable[[str], Database], tenant: UUID
) -> None:
    database = open_room("user_management")
    with database.transaction(tenant) as tx:
        ManagementStore(tx).add_tenant("Rahma")
    for status in set(lifecycle.TRANSITIONS) - {"registered", "verified", "suspended"}:
        with (
            pytest.raises(psycopg.errors.CheckViolation),
            database.transaction(tenant) as tx,
        ):
            tx.execute("UPDATE tenants SET status = %s, version = version + 1", [status])


@pytest.mark.parametrize(
    "change",
    [
        "version = version + 1",
        "status = 'verified'",
        "status = 'verified', version = version + 2",
        "status = 'suspended', version = version + 1",
        "status = 'gone', version = version + 1",
    ],
)
def test_the_database_counts_each_step_by_one(
    open_room: Callable[[str], Database], tenant: UUID, change: str
) -> None:
    database = open_room("user_management")
    with database.transaction(tenant) as tx:
        ManagementStore(tx).add_tenant("Rahma")
    with pytest.raises(psycopg.errors.CheckViolation), database.transaction(tenant) as tx:
        tx.execute(f"UPDATE tenants SET {change}")


def test_a_suspended_tenant_resumes_as_what_it_was_and_nothing_else(
    open_room: Callable[[str], Database], tenant: UUID
) -> None:
    database = open_room("user_management")
    with database.transaction(tenant) as tx:
        store = ManagementStore(tx)
        store.add_tenant("Rahma")
        store.save_suspension(lifecycle.suspend(lifecycle.start()), "fraud")
    with pytest.raises(psycopg.errors.CheckViolation), database.transaction(tenant) as tx:
        tx.execute(
            "UPDATE tenants SET status = 'active', version = version + 1, resumes_as = NULL,"
            " suspension_reason = NULL"
        )


def test_the_rows_of_the_table_cannot_be_changed_by_the_room(
    open_room: Callable[[str], Database],
) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        open_room("user_management").transaction(None) as tx,
    ):
        tx.execute("INSERT INTO tenant_transitions VALUES ('erased', 'active')")
