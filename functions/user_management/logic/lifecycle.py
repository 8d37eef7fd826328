"""The life of a tenant: registered, verified, active, suspended, closed, erased.

``TRANSITIONS`` is the whole truth, and the database holds the same rows. A suspended tenant
remembers what it resumes as; proving the address or accepting the terms meanwhile moves that.
``version`` counts the steps, so that readers of the events can drop what is older.
"""

from collections.abc import Mapping
from dataclasses import replace

from functions.user_management.errors import TenantStepRefused
from functions.user_management.models import TenantState, TenantStatus

TRANSITIONS: Mapping[TenantStatus, frozenset[TenantStatus]] = {
    "registered": frozenset({"verified", "suspended"}),
    "verified": frozenset({"active", "suspended", "closed"}),
    "active": frozenset({"verified", "suspended", "closed"}),
    "suspended": frozenset({"registered", "verified", "active", "closed"}),
    "closed": frozenset({"erased"}),
    "erased": frozenset(),
}

GONE: tuple[TenantStatus, ...] = ("closed", "erased")
OPEN: tuple[TenantStatus, ...] = ("verified", "active")
"""States in which members can be invited and the tenant can be worked with."""


def start() -> TenantState:
    """A tenant's first state."""
    return TenantState("registered", None, 1)


def verify(state: TenantState) -> TenantState:
    """The owner's address is proven. A tenant further on stays what it is."""
    return _move(state, {"registered": "verified"})


def accept_terms(state: TenantState) -> TenantState:
    """The owner consents to the present terms and risk notice."""
    return _move(state, {"verified": "active"})


def withdraw_terms(state: TenantState) -> TenantState:
    """The owner takes a consent back that being active rests on."""
    return _move(state, {"active": "verified"})


def suspend(state: TenantState) -> TenantState:
    """Close the door until further notice. Raises TenantStepRefused for a tenant that is gone."""
    if state.status == "suspended":
        return state
    return replace(_step(state, "suspended"), resumes_as=state.status)


def reinstate(state: TenantState) -> TenantState:
    """Open the door again, to the state before or what it became since.

    Raises TenantStepRefused for a tenant that is gone.
    """
    if state.status in GONE:
        raise TenantStepRefused(f"a tenant that is {state.status} cannot be reinstated")
    if state.resumes_as is None:
        return state
    return replace(_step(state, state.resumes_as), resumes_as=None)


def close(state: TenantState) -> TenantState:
    """End the tenant for good. Raises TenantStepRefused before its address is proven."""
    if state.status in GONE:
        return state
    return replace(_step(state, "closed"), resumes_as=None)


def erase(state: TenantState) -> TenantState:
    """Note that no personal data is left. Raises TenantStepRefused unless it was closed."""
    return state if state.status == "erased" else _step(state, "erased")


def _move(state: TenantState, steps: Mapping[TenantStatus, TenantStatus]) -> TenantState:
    """Take the one step that leads on from where the tenant stands, if there is one."""
    if state.resumes_as is not None:
        return replace(state, resumes_as=steps.get(state.resumes_as, state.resumes_as))
    target = steps.get(state.status)
    return _step(state, target) if target is not None else state


def _step(state: TenantState, target: TenantStatus) -> TenantState:
    if target not in TRANSITIONS[state.status]:
        raise TenantStepRefused(f"a tenant that is {state.status} cannot become {target}")
    return TenantState(target, state.resumes_as, state.version + 1)
