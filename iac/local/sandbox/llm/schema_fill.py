"""A JSON document valid for a JSON schema: the analyst's opinion first, plain values elsewhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iac.local.sandbox.llm.analyst import draw_unit

DEPTH_MAX = 12
ITEMS_MAX = 3
FORMATS = {
    "date-time": "2025-01-06T08:00:00Z",
    "date": "2025-01-06",
    "time": "08:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "analyst@sandbox.localhost",
    "uri": "https://sandbox.localhost/",
}
Schema = Mapping[str, Any]


class SchemaTooDeep(Exception):
    """The schema nests or refers to itself without an end."""


def fill_schema(schema: Schema, opinion: Mapping[str, Any], seed: str) -> Any:
    """Build a document for `schema`; `opinion` gives values by property name.

    Raises SchemaTooDeep past DEPTH_MAX levels.
    """
    return _Filler(schema, opinion).fill(schema, seed, "", 0)


@dataclass(frozen=True)
class _Filler:
    root: Schema
    opinion: Mapping[str, Any]

    def fill(self, schema: Schema, seed: str, name: str, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise SchemaTooDeep(f"more than {DEPTH_MAX} levels at {name!r}")
        schema = _resolve(schema, self.root, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choose(list(schema["enum"]), seed, name)
        kind = _kind_of(schema)
        if kind == "object":
            return self._fill_object(schema, seed, depth)
        if kind == "array":
            return self._fill_array(schema, seed, name, depth)
        return _fill_plain(kind, schema, self.opinion.get(name), seed + name)

    def _choose(self, choices: list[Any], seed: str, name: str) -> Any:
        wanted = self.opinion.get(name)
        return wanted if wanted in choices else choices[int(draw_unit(seed + name) * len(choices))]

    def _fill_object(self, schema: Schema, seed: str, depth: int) -> dict[str, Any]:
        properties: Mapping[str, Schema] = schema.get("properties", {})
        shallow = depth < DEPTH_MAX // 2
        names = list(properties) if shallow else list(schema.get("required", []))
        return {
            key: self.fill(properties[key], seed, key, depth + 1)
            for key in names
            if key in properties
        }

    def _fill_array(self, schema: Schema, seed: str, name: str, depth: int) -> list[Any]:
        items: Schema = schema.get("items", {})
        most = int(schema.get("maxItems", ITEMS_MAX))
        count = max(int(schema.get("minItems", 0)), min(1, most)) if items else 0
        return [self.fill(items, f"{seed}{i}", name, depth + 1) for i in range(count)]


def _resolve(schema: Schema, root: Schema, depth: int) -> Schema:
    for _ in range(DEPTH_MAX):
        if "$ref" in schema:
            target: Any = root
            for key in str(schema["$ref"]).removeprefix("#/").split("/"):
                target = target.get(key, {}) if isinstance(target, Mapping) else {}
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        elif "allOf" in schema:
            merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
            for part in schema["allOf"]:
                merged |= _resolve(part, root, depth)
            return merged
        elif choices := schema.get("anyOf") or schema.get("oneOf"):
            solid = [one for one in choices if _kind_of(one) != "null"]
            rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")}
            schema = {**rest, **(solid or choices)[0]}
        else:
            return schema
    raise SchemaTooDeep("references that lead nowhere")


def _kind_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind).lower()


def _fill_plain(kind: str, schema: Schema, wanted: Any, seed: str) -> Any:
    if kind == "boolean":
        return wanted if isinstance(wanted, bool) else False
    if kind in ("number", "integer"):
        return _fill_number(kind, schema, wanted, seed)
    if kind == "null":
        return None
    text = wanted if isinstance(wanted, str) else FORMATS.get(str(schema.get("format", "")))
    if text is None:
        text = "An answer of the sandbox."
    shortest, longest = int(schema.get("minLength", 0)), int(schema.get("maxLength", len(text)))
    return text[: max(longest, 0)].ljust(shortest, ".")


def _fill_number(kind: str, schema: Schema, wanted: Any, seed: str) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    least = float(low) if low is not None else (float(high) - 1 if high is not None else 0.0)
    most = float(high) if high is not None else least + 1
    value = float(wanted) if _is_number(wanted) else least + (most - least) * draw_unit(seed)
    value = min(max(value, least), most)
    step = schema.get("multipleOf") or (1 if kind == "integer" else None)
    margin = float(step or (most - least) / 1_000 or 1e-6)
    if "exclusiveMinimum" in schema and value <= float(schema["exclusiveMinimum"]):
        value = float(schema["exclusiveMinimum"]) + margin
    if "exclusiveMaximum" in schema and value >= float(schema["exclusiveMaximum"]):
        value = float(schema["exclusiveMaximum"]) - margin
    if step:
        value = math.ceil(round(value / float(step), 9)) * float(step)
        value = value - float(step) if value > most else value
    return int(value) if kind == "integer" else round(value, 6)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
