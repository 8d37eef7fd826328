"""Looks for planted secrets and personal data in logs, in every dress that they could wear there.

A run of the product plants values that occur nowhere else; afterwards no log may hold one, neither
as it is nor as JSON, a link, base64 or hexadecimal would write it, nor the beginning of one.
"""

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHARACTERS_MIN = 8
"""Shorter values occur by chance."""
HEAD_CHARACTERS = 24
"""So much of a long value gives it away."""
GROUPS_MAX = 200
PAGES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Leak:
    """A planted value in a log; the value is told by its name only."""

    name: str
    dress: str
    source: str
    around: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Planted:
    """The values that a run has used, by name. Raises ValueError when one would match by chance."""

    values: dict[str, str]

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if len(value) < CHARACTERS_MIN:
                raise ValueError(f"{name} has under {CHARACTERS_MIN} characters")

    def dresses(self) -> Iterator[tuple[str, str, str]]:
        """Name, dress and text of everything to look for, in lower case."""
        for name, value in self.values.items():
            seen = set()
            for dress, text in _dress(value):
                if text.lower() not in seen:
                    seen.add(text.lower())
                    yield name, dress, text.lower()


def _dress(value: str) -> Iterator[tuple[str, str]]:
    raw = value.encode()
    yield "plain", value
    if len(value) > HEAD_CHARACTERS * 1.5:
        yield "beginning", value[:HEAD_CHARACTERS]
    yield "json", json.dumps(value)[1:-1]
    yield "json in json", json.dumps(json.dumps(value)[1:-1])[1:-1]
    yield "link", urllib.parse.quote(value, safe="")
    yield "form", urllib.parse.quote_plus(value)
    yield "hexadecimal", raw.hex()
    yield "repr", repr(value)[1:-1]
    for shift in range(3):  # base64 writes three bytes at a time: the value may start at each
        start = 4 * ((shift + 2) // 3)
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        yield "base64", encoded[start:-1]
        yield "base64 of links", encoded[start:-1].replace("+", "-").replace("/", "_")


def find_leaks(planted: Planted, logs: Iterable[tuple[str, str]]) -> list[Leak]:
    """The planted values in named texts, each once for a text and a dress."""
    wanted = list(planted.dresses())
    leaks: dict[Leak, None] = {}
    for source, text in logs:
        lowered = text.lower()
        for name, dress, value in wanted:
            at = lowered.find(value)
            if at >= 0:
                around = text[max(0, at - 120) : at] + "<HERE>" + text[at + len(value) :][:60]
                leaks[Leak(name, dress, source, around)] = None
    return list(leaks)


def read_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.name, file.read_bytes().decode(errors="replace")


def read_log_events(logs: Any) -> Iterator[tuple[str, str]]:
    """Every event of every CloudWatch log group (``logs`` is boto3's client)."""
    groups = []
    for page in logs.get_paginator("describe_log_groups").paginate():
        groups += [group["logGroupName"] for group in page["logGroups"]]
    for group in groups[:GROUPS_MAX]:
        more: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            page = logs.filter_log_events(logGroupName=group, **more)
            for event in page["events"]:
                yield group, event["message"]
            if not page.get("nextToken") or page["nextToken"] == more.get("nextToken"):
                break
            more = {"nextToken": page["nextToken"]}
