"""Renders the OpenAPI document as one page that needs nothing from anywhere else.

Readable without scripts; the script only searches. The page's policy allows its own style and
script by their hashes and nothing beside.
"""

import base64
import hashlib
import re
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from functions.api_gateway.api.docs_example import write_curl
from functions.api_gateway.api.docs_schema import (
    follow,
    render_content,
    render_schema,
    render_type,
)

PROBLEM = "application/problem+json"
VERBS = ("get", "post", "put", "patch", "delete")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`(.+?)`")
_FACES = {"open": "open", "member": "signed in", "staff": "staff"}

Operations = list[tuple[str, str, dict[str, Any]]]
"""Verb, path and what the document says."""


@lru_cache(maxsize=2)
def _read_asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def write_policy() -> str:
    """The page's Content-Security-Policy."""
    style, script = (
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in (_read_asset("docs.css"), _read_asset("docs.js"))
    )
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def render_page(document: dict[str, Any], public_url: str) -> str:
    """The whole page. ``public_url`` is the address that its examples call."""
    info = document["info"]
    services = _group(document)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])} API {escape(info["version"])}</title>
<link rel="icon" href="data:,">
<style>{_read_asset("docs.css")}</style>
</head>
<body>
<a class="skip" href="#routes">Skip to the routes</a>
<header>
<h1>{escape(info["title"])} API <small>{escape(info["version"])}</small></h1>
{render_text(info["description"])}
<p><a href="openapi.json">openapi.json</a> (OpenAPI {escape(document["openapi"])})</p>
</header>
<div class="find" role="search">
<label for="find">Search / Cari</label>
<input id="find" type="search" autocomplete="off" placeholder="path, service, role, scope">
<output id="found" for="find"></output>
</div>
<div class="columns">
<nav aria-label="Services">
<ul>
{"".join(_render_link(tag, services) for tag in document["tags"])}
<li><a href="#schemas">schemas</a></li>
</ul>
</nav>
<main id="routes">
{"".join(_render_service(tag, services, document, public_url) for tag in document["tags"])}
<section id="schemas" aria-labelledby="schemas-title">
<h2 id="schemas-title">Schemas</h2>
{"".join(_render_named(name, document) for name in document["components"]["schemas"])}
</section>
</main>
</div>
<script>{_read_asset("docs.js")}</script>
</body>
</html>
"""


def render_text(text: str) -> str:
    """Paragraphs with bold and code, from the little Markdown that docstrings use."""
    return "".join(
        f"<p>{_render_inline(part)}</p>\n" for part in text.strip().split("\n\n") if part
    )


def _render_inline(text: str) -> str:
    marked = _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
    return _BOLD.sub(r"<strong>\1</strong>", marked)


def _group(document: dict[str, Any]) -> dict[str, Operations]:
    """Operations by service, in the document's order."""
    services: dict[str, Operations] = {}
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb in item:
                services.setdefault(item[verb]["tags"][0], []).append((verb, path, item[verb]))
    return services


def _render_link(tag: dict[str, Any], services: dict[str, Operations]) -> str:
    name = escape(tag["name"])
    count = len(services.get(tag["name"], ()))
    return f'<li><a href="#{name}">{name}</a> <small>{count}</small></li>\n'


def _render_service(
    tag: dict[str, Any], services: dict[str, Operations], document: dict[str, Any], public_url: str
) -> str:
    name = escape(tag["name"])
    operations: Operations = services.get(tag["name"], [])
    return (
        f'<section id="{name}" class="service" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{name}</h2>\n'
        f"<p>{escape(tag['description'])}</p>\n"
        + "".join(
            _render_operation(verb, path, operation, document, public_url)
            for verb, path, operation in operations
        )
        + "</section>\n"
    )


def _render_operation(
    verb: str, path: str, operation: dict[str, Any], document: dict[str, Any], public_url: str
) -> str:
    gone = " gone" if operation.get("deprecated") else ""
    curl = write_curl(verb, path, operation, document, public_url)
    return (
        f'<details class="route{gone}" id="{escape(operation["operationId"])}">\n<summary>'
        f'<span class="verb {verb}">{verb.upper()}</span> <code>{escape(path)}</code> '
        f'<span class="face">{_FACES[operation["x-sinyal-access"]]}</span> '
        f'<span class="words">{_render_inline(operation["summary"])}</span></summary>\n'
        f"{render_text(operation.get('description', ''))}"
        f"{_render_rights(operation)}"
        f"{_render_parameters(operation['parameters'], document)}"
        f"{_render_body(operation)}"
        f"{_render_answers(operation['responses'], document)}"
        f"<h3>Example</h3>\n<pre><code>{escape(curl, quote=False)}</code></pre>\n</details>\n"
    )


def _render_rights(operation: dict[str, Any]) -> str:
    facts = describe_rights(operation)
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<h3>Who may call it</h3>\n<dl>{rows}</dl>\n"


def describe_rights(operation: dict[str, Any]) -> dict[str, str]:
    """Who may call an operation, in words."""
    access = operation["x-sinyal-access"]
    if access == "open":
        return {"access": "everybody, without signing in"}
    ways = [way for choice in operation["security"] for way in choice]
    facts = {"sign in with": " or ".join("API key" if way == "apiKey" else way for way in ways)}
    if access == "staff":
        facts["staff"] = ", ".join(operation["x-sinyal-staff"])
    else:
        facts["roles"] = ", ".join(operation["x-sinyal-roles"])
        facts["scope"] = operation["x-sinyal-scope"]
        facts["plans"] = ", ".join(operation["x-sinyal-tiers"])
        if operation["x-sinyal-step-up"]:
            facts["second factor"] = "shown within the last five minutes"
    if operation.get("deprecated"):
        facts["goes away"] = operation["x-sinyal-sunset"]
        facts["use instead"] = operation["x-sinyal-successor"]
    return facts


def _render_parameters(parameters: list[dict[str, Any]], document: dict[str, Any]) -> str:
    rows = "".join(_render_parameter(follow(item, document)) for item in parameters)
    return (
        '<h3>Parameters</h3>\n<div class="wide"><table><thead><tr><th scope="col">name</th>'
        '<th scope="col">in</th><th scope="col">type</th><th scope="col">meaning</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>\n"
    )


def _render_parameter(item: dict[str, Any]) -> str:
    must = " <strong>required</strong>" if item.get("required") else ""
    meaning = item.get("description", item["schema"].get("description", ""))
    return (
        f"<tr><td><code>{escape(item['name'])}</code>{must}</td><td>{item['in']}</td>"
        f"<td>{render_type(item['schema'])}</td><td>{_render_inline(meaning)}</td></tr>"
    )


def _render_body(operation: dict[str, Any]) -> str:
    body = operation.get("requestBody")
    return f"<h3>Body</h3>\n{render_content(body['content'])}" if body else ""


def _render_answers(answers: dict[str, Any], document: dict[str, Any]) -> str:
    told = {status: follow(answer, document) for status, answer in answers.items()}
    problems = {status: answer for status, answer in told.items() if PROBLEM in _kinds(answer)}
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{_render_inline(answer['description'])}</td>"
        f"<td>{render_content(answer.get('content', {}))}</td>"
        f"<td>{_render_headers(answer)}</td></tr>"
        for status, answer in told.items()
        if status not in problems
    )
    refusals = "".join(
        f"<dt>{escape(status)}</dt><dd>{_render_inline(answer['description'])}</dd>"
        for status, answer in problems.items()
    )
    return (
        '<h3>Answers</h3>\n<div class="wide"><table><thead><tr><th scope="col">status</th>'
        '<th scope="col">meaning</th><th scope="col">body</th><th scope="col">headers</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>\n"
        f'<h3>Problems (<a href="#schema-Problem">Problem</a>)</h3>\n<dl>{refusals}</dl>\n'
    )


def _kinds(answer: dict[str, Any]) -> set[str]:
    return set(answer.get("content", ()))


def _render_headers(answer: dict[str, Any]) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", ()))


def _render_named(name: str, document: dict[str, Any]) -> str:
    schema = document["components"]["schemas"][name]
    return (
        f'<details class="schema" id="schema-{escape(name)}">\n'
        f"<summary><code>{escape(name)}</code></summary>\n"
        f"{render_text(schema.get('description', ''))}{render_schema(schema)}</details>\n"
    )
