"""Fifteen sets of schemas become one: equal ones are shared, unequal ones of a name told apart.

Two schemas are equal when they say the same with everything they refer to. Where rooms disagree on
a name, each room's schema carries the room's name before its own.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

PREFIX = "#/components/schemas/"

Schemas = dict[str, Any]


def merge_schemas(rooms: Mapping[str, Schemas]) -> tuple[Schemas, dict[str, dict[str, str]]]:
    """All rooms' schemas under names of the whole document, and each room's new names."""
    spoken: dict[str, set[str]] = {}
    for schemas in rooms.values():
        for name in schemas:
            spoken.setdefault(name, set()).add(_spell_out(name, schemas))
    names = {
        room: {
            name: name if len(spoken[name]) == 1 else f"{_camel(room)}{name}" for name in schemas
        }
        for room, schemas in rooms.items()
    }
    merged: Schemas = {}
    for room, schemas in rooms.items():
        for name, schema in schemas.items():
            new_name = names[room][name]
            renamed = rename_references(schema, names[room])
            if merged.setdefault(new_name, renamed) != renamed:
                raise ValueError(f"two schemas would be called {new_name}")
    return dict(sorted(merged.items())), names


def rename_references(node: Any, names: Mapping[str, str]) -> Any:
    """The same with its references to schemas under their new names."""

    def rename(reference: str) -> str:
        name = reference.removeprefix(PREFIX)
        return PREFIX + names.get(name, name)

    return _map_references(node, rename)


def find_references(node: Any) -> set[str]:
    """The names of the schemas that a piece of the document refers to, directly."""
    found: set[str] = set()

    def note(reference: str) -> str:
        found.add(reference.removeprefix(PREFIX))
        return reference

    _map_references(node, note)
    return found


def _map_references(node: Any, change: Callable[[str], str]) -> Any:
    if isinstance(node, list):
        return [_map_references(item, change) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: change(value)
        if key == "$ref" and isinstance(value, str) and value.startswith(PREFIX)
        else _map_references(value, change)
        for key, value in node.items()
    }


def _spell_out(name: str, schemas: Schemas) -> str:
    """A schema with all it leads to, as one text."""
    reached: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        at = waiting.pop()
        if at not in reached and at in schemas:
            reached[at] = schemas[at]
            waiting.extend(find_references(schemas[at]))
    return json.dumps(reached, sort_keys=True)


def _camel(room: str) -> str:
    return "".join(part.capitalize() for part in room.split("_"))
