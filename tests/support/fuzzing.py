"""Calls operations of the OpenAPI document with made-up values, and holds the answers against it.

Schemathesis makes the values, right ones and wrong ones; the order, the accounts and the ids of
things that exist are ours, so that answers of success are seen too.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from tests.support.callers import LEAVING, ONCE, SPARED

DOCUMENT = Path(__file__).parents[2] / "docs/openapi.json"
TIMEOUT_S = 30
WAITS_MAX = 3
WAIT_S_MAX = 5.0

ENDINGS = (*sorted(SPARED), *sorted(LEAVING), *sorted(ONCE))
"""What takes something away from who calls it comes last."""

load_all_checks()
CONFORMANCE = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    )
]


def read_document() -> dict[str, Any]:
    return dict(json.loads(DOCUMENT.read_text(encoding="utf-8")))


def list_operations(document: Mapping[str, Any] | None = None) -> Iterator[tuple[str, str]]:
    """(method, path) of every operation: reading first, then writing, then what ends things."""
    paths = (document or read_document())["paths"]
    names = [(verb.upper(), path) for path, item in paths.items() for verb in item]
    order = ("GET", "PUT", "PATCH", "POST", "DELETE")

    def rank(name: tuple[str, str]) -> tuple[int, int]:
        words = " ".join(name)
        return (ENDINGS.index(words) + 1 if words in ENDINGS else 0, order.index(name[0]))

    return iter(sorted(names, key=rank))


@dataclass
class Examination:
    """One run over a served API: who calls, which things exist, what was answered."""

    base_url: str
    host: str
    token_for: Callable[[str, Mapping[str, Any]], str | None]
    """The token for an operation, from its name and what the document says of it."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Ids of things that exist, by the name of the path's variable."""
    queries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Queries that find something, by path."""
    document: dict[str, Any] = field(default_factory=read_document, repr=False)
    answered: dict[str, Counter[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = SchemathesisConfig()
        config.projects.default.generation.update(with_security_parameters=False)
        self.schema = schemathesis.openapi.from_dict(self.document, config=config)

    def examine(self, method: str, path: str, examples: int) -> None:
        """Call an operation with values that fit and values that do not; raises on a lie."""
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            self._examine(method, path, mode, examples)

    def _examine(self, method: str, path: str, mode: GenerationMode, examples: int) -> None:
        operation = self.schema[path][method]
        told = self.document["paths"][path][method.lower()]
        seen = self.answered.setdefault(f"{method} {path}", Counter())

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        )
        @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
        def run(case: Any, real: bool) -> None:
            if real and mode is GenerationMode.POSITIVE:
                self._point_at_something(case, path)
            response = self._send(case, self.token_for(f"{method} {path}", told))
            seen[response.status_code] += 1
            case.validate_response(response, checks=CONFORMANCE)

        run()

    def _point_at_something(self, case: Any, path: str) -> None:
        case.path_parameters = {
            name: self.known.get(name, value)
            for name, value in (case.path_parameters or {}).items()
        }
        if path in self.queries:
            case.query = dict(self.queries[path])

    def _send(self, case: Any, token: str | None) -> Any:
        headers = {"Host": self.host}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        for _ in range(WAITS_MAX):
            response = case.call(base_url=self.base_url, headers=headers, timeout=TIMEOUT_S)
            if response.status_code != 429:
                break
            wait_s = float(response.headers.get("retry-after", ["1"])[0])
            if wait_s > WAIT_S_MAX:
                break
            time.sleep(wait_s)
        return response

    def report(self) -> str:
        """How often each status was answered, one operation a line."""
        return "\n".join(
            f"{name:55} {' '.join(f'{status}x{n}' for status, n in sorted(seen.items()))}"
            for name, seen in self.answered.items()
        )

    def list_never_successful(self) -> list[str]:
        """Operations that never answered with success."""
        return [
            name
            for name, seen in self.answered.items()
            if not any(200 <= status < 300 for status in seen)
        ]
