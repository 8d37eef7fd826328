"""The OpenAPI document: made from the rooms, the same twice, valid, and whole."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.permissions import Deprecation, Route
from contracts.routes import ROUTES
from iac.local.rooms import ROOMS
from iac.openapi import (
    DOCUMENT,
    PERMISSIONS,
    SERVED,
    find_drift,
    render_all,
    write_files,
)
from iac.openapi.document import RouteWithoutRow, find_row
from iac.openapi.operations import describe_operation, describe_security
from iac.openapi.schemas import merge_schemas, rename_references
from tests.support.builders import NOW

ROOT = Path(__file__).parents[2]


@lru_cache(maxsize=1)
def read_document() -> dict[str, Any]:
    return dict(json.loads((ROOT / DOCUMENT).read_text(encoding="utf-8")))


def list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in read_document()["paths"].items():
        for verb, operation in item.items():
            yield verb.upper(), path, operation


def follow(reference: str) -> Any:
    found: Any = read_document()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/")]
    return found


def is_told(schema: dict[str, Any]) -> bool:
    """Whether a schema says more than that there is an object."""
    if schema.get("type") != "object":
        return bool(schema)
    return "properties" in schema or isinstance(schema.get("additionalProperties"), dict)


def test_the_files_are_what_the_code_says() -> None:
    """Renew them with `python -m iac.openapi`."""
    assert find_drift() == []


def test_the_document_is_the_same_when_made_again() -> None:
    assert render_all() == render_all()


def test_drift_is_found_and_mended(tmp_path: Path) -> None:
    everything = {DOCUMENT, SERVED, PERMISSIONS}
    assert {line.removeprefix("missing: ") for line in find_drift(tmp_path)} == everything
    write_files(tmp_path)
    assert find_drift(tmp_path) == []
    (tmp_path / PERMISSIONS).write_text("changed", encoding="utf-8")
    assert find_drift(tmp_path) == [f"changed: {PERMISSIONS}"]


def test_the_gateway_serves_the_same_document() -> None:
    assert json.loads((ROOT / SERVED).read_text(encoding="utf-8")) == read_document()


def test_every_row_of_the_table_is_an_operation() -> None:
    told = {(verb, path) for verb, path, _ in list_operations()}
    assert told == {(row.method, row.path) for row in ROUTES}


def test_operation_ids_are_unique_and_name_their_room() -> None:
    operations = [operation for _, _, operation in list_operations()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        [room] = operation["tags"]
        assert operation["operationId"].startswith(f"{room}_")
    assert [tag["name"] for tag in read_document()["tags"]] == list(ROOMS)


def test_every_reference_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(read_document())))
    assert references
    for reference in references:
        assert follow(reference) is not None


def test_every_schema_is_a_json_schema() -> None:
    for name, schema in read_document()["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def test_every_schema_is_used() -> None:
    text = json.dumps(read_document())
    unused = [
        name
        for name in read_document()["components"]["schemas"]
        if f'"#/components/schemas/{name}"' not in text
    ]
    assert unused == []


def test_every_operation_says_who_may_call_it() -> None:
    rows = {(row.method, row.path): row for row in ROUTES}
    for verb, path, operation in list_operations():
        row = rows[verb, path]
        assert operation["x-sinyal-access"] == row.access
        assert operation["security"] == describe_security(row)
        if row.access == "member":
            assert operation["x-sinyal-roles"] == list(row.roles)
            assert operation["x-sinyal-scope"] == row.scope
            assert operation["x-sinyal-tiers"] == list(row.tiers)
            assert operation["x-sinyal-step-up"] == row.step_up


def test_every_operation_documents_its_problems_and_its_correlation_id() -> None:
    for verb, path, operation in list_operations():
        assert {"400", "401", "403", "422", "429", "500", "503"} <= set(operation["responses"])
        assert any(status.startswith("2") for status in operation["responses"]), (verb, path)
        assert {"$ref": "#/components/parameters/CorrelationId"} in operation["parameters"]


def test_every_variable_of_a_path_is_a_parameter() -> None:
    for verb, path, operation in list_operations():
        told = {item["name"] for item in operation["parameters"] if item.get("in") == "path"}
        assert told == set(re.findall(r"{(\w+)}", path)), (verb, path)


def test_every_json_answer_has_a_schema() -> None:
    """An answer of any shape is no promise."""
    vague = [
        f"{verb} {path} {code}"
        for verb, path, operation in list_operations()
        for code, answer in operation["responses"].items()
        if code.startswith("2")
        for media in [answer.get("content", {}).get("application/json")]
        if media is not None and not is_told(media["schema"]) and path != "/v1/openapi.json"
    ]
    assert vague == []


def test_an_unknown_route_cannot_be_told_of() -> None:
    with pytest.raises(RouteWithoutRow, match="GET /v1/nothing"):
        find_row("GET", "/v1/nothing", "api_gateway")
    with pytest.raises(RouteWithoutRow):
        find_row("GET", "/v1/health", "user_service")


def test_equal_schemas_are_shared_and_unequal_ones_told_apart() -> None:
    page = {"properties": {"items": {"$ref": "#/components/schemas/Item"}}}
    text, number = {"type": "string"}, {"type": "integer"}
    merged, names = merge_schemas(
        {
            "room_one": {"Item": text, "Page": page, "Same": text},
            "room_two": {"Item": number, "Page": page, "Same": text},
        }
    )
    assert merged["Same"] == text
    assert merged["RoomOneItem"] == text
    assert merged["RoomTwoItem"] == number
    # Pages that say the same of unequal items are unequal.
    assert merged["RoomOnePage"] == rename_references(page, names["room_one"])
    assert set(merged) == {"Same", "RoomOneItem", "RoomTwoItem", "RoomOnePage", "RoomTwoPage"}


def test_a_deprecated_route_says_since_when_and_what_to_call_instead() -> None:
    gone = Deprecation(since=NOW, sunset=NOW, successor="/v2/things")
    row = Route("GET", "/v1/things", "api_gateway", "open", deprecated=gone)
    operation = {
        "operationId": "get_things",
        "summary": "Get Things",
        "description": "All things.\n\nThat there are.",
        "responses": {"200": {"description": "Successful Response"}},
    }
    told = describe_operation(operation, row)
    assert told["deprecated"] is True
    assert told["summary"] == "All things"
    assert told["description"] == "All things.\n\nThat there are."
    assert told["x-sinyal-successor"] == "/v2/things"
    assert {"Deprecation", "Sunset", "Link"} <= set(told["responses"]["200"]["headers"])
    assert told["responses"]["200"]["description"] == "OK"
