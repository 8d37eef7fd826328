"""The product's public face on paper, made from the rooms' code and the permissions table.

`python -m iac.openapi` writes three files: the OpenAPI document (`docs/openapi.json`), the same for
the gateway to serve, and the permissions table as a page (`docs/permissions.md`). With `--check` it
changes nothing, lists what differs and exits with 1.
"""

import json
from pathlib import Path
from typing import Any

from iac.openapi.document import build_document
from iac.openapi.permissions_page import write_permissions_page

ROOT = Path(__file__).resolve().parents[2]

DOCUMENT = "docs/openapi.json"
SERVED = "functions/api_gateway/api/openapi.json"
PERMISSIONS = "docs/permissions.md"


def render_document(document: dict[str, Any]) -> str:
    """The document for readers: indented, a newline at the end."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_served(document: dict[str, Any]) -> str:
    """The document for the wire: no blanks, which halves it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"


def render_all() -> dict[str, str]:
    """Text by path below the repository's root, of every file that is made here."""
    document = build_document(ROOT)
    return {
        DOCUMENT: render_document(document),
        SERVED: render_served(document),
        PERMISSIONS: write_permissions_page(),
    }


def find_drift(root: Path = ROOT) -> list[str]:
    """What differs between the code and the files: missing or changed files."""
    drift = []
    for name, text in render_all().items():
        file = root / name
        if not file.exists():
            drift.append(f"missing: {name}")
        elif file.read_text(encoding="utf-8") != text:
            drift.append(f"changed: {name}")
    return drift


def write_files(root: Path = ROOT) -> None:
    """Bring the files in line with the code."""
    for name, text in render_all().items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
