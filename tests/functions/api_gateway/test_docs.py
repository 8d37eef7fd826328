"""The API on paper as it is served: the document, and a page that needs nothing from elsewhere."""

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from contracts.routes import ROUTES
from functions.api_gateway import api
from functions.api_gateway.api.docs_example import write_curl
from functions.api_gateway.api.docs_page import render_page, render_text
from functions.api_gateway.api.docs_schema import render_schema, render_type
from tests.support.builders import api_event

VOID = {"meta", "link", "input", "br", "img", "hr", "wbr"}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in its turn, ids once, links kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.labelled: set[str] = set()
        self.texts: dict[str, str] = {"style": "", "script": ""}
        self.headings: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        assert not [name for name in values if name.startswith("on") or name == "style"], values
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        elif "href" in values:
            self.loaded.append(values["href"])
        if "src" in values:
            self.loaded.append(values["src"])
        if tag == "label":
            self.labelled.add(values["for"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing at {self.getpos()}"
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.texts:
            self.texts[self.open[-1]] += data


def fetch(path: str, **headers: str) -> dict[str, Any]:
    return api.handler(api_event("GET", path, headers=headers), None)


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    return fetch("/v1/docs")


@pytest.fixture(scope="module")
def page(answer: dict[str, Any]) -> Page:
    return Page(answer["body"])


def test_the_document_is_served_whole_and_open() -> None:
    answer = fetch("/v1/openapi.json")
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    document = json.loads(answer["body"])
    assert document["openapi"] == "3.1.0"
    assert len([1 for item in document["paths"].values() for _ in item]) == len(ROUTES)


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs"])
def test_a_reader_who_has_it_already_is_told_so(path: str) -> None:
    first = fetch(path)
    assert first["headers"]["cache-control"] == "public, max-age=300"
    again = fetch(path, **{"if-none-match": first["headers"]["etag"]})
    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"]["etag"] == first["headers"]["etag"]
    assert fetch(path, **{"if-none-match": '"another"'})["statusCode"] == 200


def test_the_page_is_whole_html(answer: dict[str, Any], page: Page) -> None:
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert answer["body"].startswith('<!doctype html>\n<html lang="en">')
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_every_link_of_the_page_leads_to_a_place_on_it(page: Page) -> None:
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {"openapi.json"}


def test_the_page_loads_nothing_from_anywhere(page: Page) -> None:
    assert page.loaded == ["data:,"]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|eval\(", "".join(page.texts.values()))


def test_the_pages_policy_allows_its_own_style_and_script_and_no_others(
    answer: dict[str, Any], page: Page
) -> None:
    policy = answer["headers"]["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind, name in (("style", "style-src"), ("script", "script-src")):
        digest = base64.b64encode(hashlib.sha256(page.texts[kind].encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"


def test_the_page_can_be_used_without_eyes_or_mouse(page: Page) -> None:
    assert page.labelled == {"find"}
    assert page.headings[0] == "h1"
    assert page.headings.count("h1") == 1
    levels = [int(heading[1]) for heading in page.headings]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_route_stands_on_the_page_with_who_may_call_it(answer: dict[str, Any]) -> None:
    for row in ROUTES:
        assert f"<code>{row.path}</code>" in answer["body"]
    assert "shown within the last five minutes" in answer["body"]
    assert "Bahasa Indonesia" in answer["body"]


def test_words_from_the_code_cannot_become_markup() -> None:
    assert render_text("<script> & `a<b` **x**") == (
        "<p>&lt;script&gt; &amp; <code>a&lt;b</code> <strong>x</strong></p>\n"
    )
    assert "<img" not in render_schema({"properties": {"<img>": {"description": "<img>"}}})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Plan"}, '<a href="#schema-Plan">Plan</a>'),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"enum": ["a", 1]}, "<code>a</code> or <code>1</code>"),
        ({"const": True}, "<code>true</code>"),
        (
            {"type": "integer", "minimum": 1, "maximum": 9},
            "integer, ≥ <code>1</code>, ≤ <code>9</code>",
        ),
        ({"type": "array", "items": {"type": "string", "format": "uuid"}}, "list of string (uuid)"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "map to integer"),
        ({"type": ["string", "null"], "default": "x"}, "string or null, default <code>x</code>"),
        ({}, "anything"),
    ],
)
def test_a_type_is_told_in_one_line(schema: dict[str, Any], words: str) -> None:
    assert render_type(schema) == words


def test_a_schema_that_holds_itself_ends() -> None:
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    assert render_type(schema).endswith("…")


def test_an_example_can_be_pasted_into_a_shell() -> None:
    body = {
        "type": "object",
        "required": ["name", "kind", "sizes"],
        "properties": {
            "name": {"type": "string", "examples": ["it's"]},
            "kind": {"enum": ["a", "b"]},
            "sizes": {"type": "array", "items": {"type": "integer", "minimum": 2}},
            "left_out": {"type": "string"},
        },
    }
    operation = {
        "security": [{"session": []}],
        "parameters": [
            {"name": "from", "in": "query", "required": True,
             "schema": {"type": "string", "format": "date"}},
            {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}},
        ],
        "requestBody": {"content": {"application/json": {"schema": body}}},
    }  # fmt: skip
    curl = write_curl("post", "/v1/things", operation, {}, "https://api.example")
    assert curl.splitlines()[0] == "curl -X POST 'https://api.example/v1/things?from=2026-03-02' \\"
    assert "Bearer $TOKEN" in curl
    assert "Idempotency-Key" in curl
    assert r"""-d '{"name": "it'\''s", "kind": "a", "sizes": [2]}'""" in curl


def test_a_document_of_nothing_still_makes_a_page() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Empty", "version": "0", "description": "Nothing."},
        "tags": [{"name": "room", "description": "Silent"}],
        "paths": {},
        "components": {"schemas": {}},
    }
    assert Page(render_page(document, "https://api.example")).open == []
