"""Cold starts: how long importing each room's handlers takes (``python -X importtime``)."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ASKED_MS = 700.0
RUNS = 3
TIMEOUT_S = 60
_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)$", re.MULTILINE)


def list_handlers() -> list[str]:
    """Modules that hold a Lambda handler."""
    doors = ("api", "consumer", "authorizer")
    return sorted(
        f"functions.{path.parent.name}.{path.stem}"
        for path in (ROOT / "functions").glob("*/*")
        if path.stem in doors and (path.suffix == ".py" or path.is_dir())
    )


def measure_import_ms(module: str) -> float:
    """Milliseconds to import a module in a new process, the interpreter's own start left out."""
    environment = {
        **os.environ,
        "STAGE": "bench",
        "WEB_URL": "https://bench.example",
        "EXPORTS_BUCKET": "bench",
        "BROKER_KEY_ID": "bench",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "EVENT_BUS_NAME": "bench",
        "PUBLIC_URL": "http://api.sinyal.localhost",
        "PYTHONPATH": os.pathsep.join(
            str(ROOT / part) for part in (".", "layers/contracts/src", "layers/kit/src")
        ),
    }
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    # Top-level rows from the first package of ours on; what the interpreter imports is before it.
    total_us, ours = 0, False
    for match in _LINE.finditer(done.stderr):
        _, cumulative, indent, name = match.groups()
        if len(indent) == 0:
            ours = ours or name.startswith("functions")
            total_us += int(cumulative) if ours else 0
    return total_us / 1_000


def run() -> dict[str, Any]:
    """Import every handler three times; the best of three, and the slowest handler."""
    modules = {m: min(measure_import_ms(m) for _ in range(RUNS)) for m in list_handlers()}
    slowest = max(modules, key=lambda module: modules[module])
    for module, ms in sorted(modules.items(), key=lambda item: -item[1]):
        print(f"{module:45} {ms:7.1f} ms")
    print(f"slowest {slowest}: {modules[slowest]:.0f} ms (asked < {ASKED_MS:.0f} ms)")
    return {"asked_ms": ASKED_MS, "slowest": slowest, "slowest_ms": modules[slowest],
            "handlers_ms": modules}  # fmt: skip


if __name__ == "__main__":
    run()
