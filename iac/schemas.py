"""Writes each contract down as JSON Schema, so that a change of what crosses a process is seen.

`python -m iac.schemas` renews `events/schemas/<service>/<Message>.v<version>.json`; with `--check`
it changes nothing, lists what differs and exits with 1. A file describes the whole envelope, which
is EventBridge's detail.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import create_model

from contracts.envelope import Message, Meta
from contracts.registry import MESSAGES

SCHEMAS = Path(__file__).resolve().parents[1] / "events" / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render_schema(contract: type[Message]) -> str:
    """A message's envelope as JSON Schema, keys sorted, a newline at the end."""
    envelope = create_model(contract.__name__, meta=(Meta, ...), data=(contract, ...))
    schema: dict[str, Any] = envelope.model_json_schema()
    schema["$schema"] = _DIALECT
    schema["description"] = f"sinyal.{contract.service}, version {contract.schema_version}"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def render_all() -> dict[str, str]:
    """Text by path below `events/schemas`, of every message there is."""
    return {
        f"{contract.service}/{name}.v{contract.schema_version}.json": render_schema(contract)
        for name, contract in sorted(MESSAGES.items())
    }


def find_drift(folder: Path = SCHEMAS) -> list[str]:
    """What differs between the contracts and the folder: missing, changed or left over files."""
    wanted = render_all()
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.json")}
    drift = [f"missing: {name}" for name in wanted if name not in found]
    drift += [f"left over: {name}" for name in found if name not in wanted]
    drift += [
        f"changed: {name}"
        for name, text in wanted.items()
        if name in found and found[name].read_text(encoding="utf-8") != text
    ]
    return sorted(drift)


def write_schemas(folder: Path = SCHEMAS) -> None:
    """Bring the folder in line with the contracts; files of no contract are removed."""
    wanted = render_all()
    for path in sorted(folder.rglob("*.json")):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the schemas, or tell what differs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m iac.schemas", description="JSON schemas")
    parser.add_argument("--check", action="store_true", help="list what differs, change nothing")
    if not parser.parse_args(arguments).check:
        write_schemas()
        return 0
    drift = find_drift()
    for line in drift:
        sys.stdout.write(f"{line}\n")
    return 1 if drift else 0


if __name__ == "__main__":
    sys.exit(main())
