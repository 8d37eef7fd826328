"""Every route a room's app serves is led to that room by the template, open or guarded alike."""

import importlib
from typing import Any

import pytest

from iac.local.deploy_template import FUNCTION, list_resources, read_room
from iac.local.rooms import ROOMS
from tests.iac.test_template import TEMPLATE

Route = tuple[str, list[str], str]


def list_events() -> list[Route]:
    """(method, path in parts, room) of every route of the template."""
    return [
        (event["Properties"]["Method"], event["Properties"]["Path"].split("/"), room)
        for name, properties in list_resources(TEMPLATE, FUNCTION)
        for room in [read_room(TEMPLATE, name)]
        for event in properties.get("Events", {}).values()
    ]


def rank(pattern: list[str], path: list[str]) -> list[int] | None:
    """How exactly the pattern takes the path, part by part; None when it does not."""
    ranks = []
    for at, part in enumerate(pattern):
        if part.endswith("+}"):
            return [*ranks, 2] if len(path) > at else None
        if at >= len(path):
            return None
        if part.startswith("{"):
            ranks.append(1)
        elif part == path[at]:
            ranks.append(0)
        else:
            return None
    return ranks if len(pattern) == len(path) else None


def find_room(method: str, path: str) -> str | None:
    """The room API Gateway leads the request to: the most exact path that has the verb."""
    parts = path.split("/")
    found = [
        (ranks, room)
        for verb, pattern, room in list_events()
        if verb == method and (ranks := rank(pattern, parts)) is not None
    ]
    return min(found)[1] if found else None


def list_served(room: str) -> list[tuple[str, str]]:
    """(method, path) of the room's app."""
    app: Any = importlib.import_module(f"functions.{room}.api").app
    paths = app.openapi()["paths"]
    return [(method, path) for path, verbs in paths.items() for method in verbs]


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_serves_is_led_to_it(room: str) -> None:
    served = list_served(room)
    assert served
    for method, path in served:
        assert find_room(method, path) == room, f"{method} {path}"
