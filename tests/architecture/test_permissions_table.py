"""One table says who may call what: every route stands in it, and everything agrees with it."""

import ast

import pytest

from contracts.permissions import KEY_SCOPES, ROLE_SCOPES, Route
from contracts.routes import BY_PATTERN, ROUTES, find_route
from iac.local.deploy_template import FUNCTION, list_resources, read_room
from iac.local.rooms import ROOMS
from tests.architecture.tree import find_files, name, parse
from tests.iac.test_routes import list_served, rank
from tests.iac.test_template import TEMPLATE
from tests.support.policy import ROLES, SESSION_SCOPES, Rule, read_policy

RULES = {(rule.method, rule.path): rule for rule in read_policy()}


def describe(row: Route) -> str:
    return f"{row.method} {row.path}"


def test_every_route_of_a_room_has_a_row_and_every_row_a_route() -> None:
    """A route without a row is closed to everybody, so it would be of no use."""
    served = {(method.upper(), path, room) for room in ROOMS for method, path in list_served(room)}
    assert served == {(row.method, row.path, row.room) for row in ROUTES}


def test_a_room_serves_nothing_that_its_document_hides() -> None:
    """A mounted app, a hidden route or a socket would escape the table."""
    escapes = {"mount", "add_route", "add_websocket_route", "websocket", "include_in_schema"}
    found = [
        f"{name(path)}:{node.lineno}"
        for path in find_files(".py", below="functions")
        for node in ast.walk(parse(path))
        if (isinstance(node, ast.Attribute) and node.attr in escapes)
        or (isinstance(node, ast.keyword) and node.arg in escapes)
    ]
    assert found == []


def test_no_two_rows_stand_for_one_route() -> None:
    assert len(BY_PATTERN) == len(ROUTES)
    shapes = [
        (row.method, "/".join("{}" if part.startswith("{") else part for part in parts))
        for row in ROUTES
        for parts in [row.path.split("/")]
    ]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("row", ROUTES, ids=describe)
def test_a_concrete_path_finds_its_own_row(row: Route) -> None:
    path = "/".join("0" * 8 if part.startswith("{") else part for part in row.path.split("/"))
    assert find_route(row.method, path) is row


def find_event(method: str, path: str) -> tuple[str, bool] | None:
    """The room API Gateway leads a route to, and whether it asks nobody to sign in."""
    parts = path.split("/")
    found = [
        (ranks, room, route.get("Auth", {}).get("Authorizer") == "NONE")
        for name, properties in list_resources(TEMPLATE, FUNCTION)
        for room in [read_room(TEMPLATE, name)]
        for event in properties.get("Events", {}).values()
        for route in [event["Properties"]]
        if route["Method"] == method.lower()
        and (ranks := rank(route["Path"].split("/"), parts)) is not None
    ]
    return min(found)[1:] if found else None


@pytest.mark.parametrize("row", ROUTES, ids=describe)
def test_the_template_leads_a_row_to_its_room_and_opens_open_ones_only(row: Route) -> None:
    assert find_event(row.method, row.path) == (row.room, row.access == "open")


def test_the_template_opens_nothing_but_open_rows_and_preflights() -> None:
    opened = {
        (event["Properties"]["Method"].upper(), event["Properties"]["Path"])
        for _, properties in list_resources(TEMPLATE, FUNCTION)
        for event in properties.get("Events", {}).values()
        if event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
    }
    rows = {(row.method, row.path) for row in ROUTES if row.access == "open"}
    assert {entry for entry in opened if entry[0] != "OPTIONS"} == rows


def test_the_policy_stated_by_hand_names_the_same_routes() -> None:
    assert set(RULES) == set(BY_PATTERN)


@pytest.mark.parametrize("row", ROUTES, ids=describe)
def test_a_row_says_what_the_policy_stated_by_hand_says(row: Route) -> None:
    names = {"admin": "platform_admin", "support": "support"}
    member = row.access == "member"
    assert RULES[row.method, row.path] == Rule(
        method=row.method,
        path=row.path,
        is_open=row.access == "open",
        roles=frozenset(row.roles if member else ()),
        staff=frozenset(names[kind] for kind in row.staff),
        scope=row.scope if member else "",
        tiers=row.tiers,
        by_key=row.access != "open" and "api_key" in row.credentials,
        second_factor=row.step_up,
    )


def test_only_stopping_never_waits_for_a_rate_limit() -> None:
    """What is served past the limits costs whoever is behind it: such a row needs a reason."""
    assert [describe(row) for row in ROUTES if row.never_waits] == ["POST /v1/kill-switch"]


def test_a_sign_in_gives_each_role_the_scopes_of_the_policy() -> None:
    assert {role: " ".join(scopes) for role, scopes in ROLE_SCOPES.items()} == SESSION_SCOPES
    assert tuple(SESSION_SCOPES) == ROLES


def test_support_reads_only() -> None:
    assert {row.method for row in ROUTES if "support" in row.staff} <= {"GET"}


def test_a_viewer_changes_nothing_but_the_own_account() -> None:
    changing = {row.scope for row in ROUTES if row.method != "GET" and "viewer" in row.roles
                and row.access == "member"}  # fmt: skip
    assert changing <= {"account"}


def test_an_api_key_never_manages_members_or_credentials() -> None:
    scopes = {row.scope for row in ROUTES if row.access == "member" and len(row.credentials) > 1}
    assert scopes <= set(KEY_SCOPES)
    assert not set(KEY_SCOPES) & {"members", "account"}


def test_every_row_that_reads_by_get_only_changes_by_other_verbs() -> None:
    """A read scope never opens a write."""
    assert [describe(row) for row in ROUTES if row.access == "member" and row.scope == "read"
            and row.method != "GET"] == []  # fmt: skip
