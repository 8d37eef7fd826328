"""Routes say what they take and answer: no free-form answer, no unbounded parameter, no silence."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

ROOMS = (
    "ai_orchestration",
    "ai_provider",
    "billing_service",
    "data_bridge",
    "deep_learning",
    "ml_processing",
    "notification_service",
    "payment_gateway",
    "performance_analytics",
    "subscription_service",
    "trading_engine",
)


@pytest.fixture(autouse=True)
def web_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_URL", "https://app.sinyal.test")


def read_document(room: str) -> dict[str, Any]:
    document = importlib.import_module(f"functions.{room}.api").app.openapi()
    assert isinstance(document, dict)
    return document


def list_operations(room: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in read_document(room)["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def is_bounded(schema: dict[str, Any]) -> bool:
    """Whether only so many values fit."""
    if "anyOf" in schema:
        return all(is_bounded(part) for part in schema["anyOf"])
    match schema.get("type"):
        case "string":
            return bool({"enum", "const", "format", "pattern", "maxLength"} & set(schema))
        case "integer" | "number":
            return {"minimum", "maximum"} <= set(schema)
    return schema.get("type") in {"null", "boolean"} or "$ref" in schema or "enum" in schema


@pytest.mark.parametrize("room", ROOMS)
def test_every_route_says_what_it_does(room: str) -> None:
    silent = [name for name, operation in list_operations(room) if not operation.get("description")]
    assert silent == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_answer_has_a_schema_of_its_own(room: str) -> None:
    free = [
        f"{name} {status}"
        for name, operation in list_operations(room)
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        and status != "204"
        and "$ref" not in answer["content"]["application/json"]["schema"]
    ]
    assert free == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_field_of_an_answer_has_a_type(room: str) -> None:
    """Plan features are the one place where any JSON value may stand."""
    untyped = [
        f"{model}.{field}"
        for model, schema in read_document(room).get("components", {}).get("schemas", {}).items()
        for field, part in schema.get("properties", {}).items()
        if not {"type", "$ref", "anyOf", "allOf", "const", "enum"} & set(part)
    ]
    assert [name for name in untyped if not name.startswith("ValidationError.")] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_parameter_is_bounded(room: str) -> None:
    loose = [
        f"{name} {parameter['name']}"
        for name, operation in list_operations(room)
        for parameter in operation.get("parameters", [])
        if not is_bounded(parameter["schema"])
    ]
    assert loose == []
