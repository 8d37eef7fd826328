"""The provider sandboxes as a process, for tests of the rooms that call them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.iac.sandbox.stack import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 20


@contextmanager
def run_sandboxes(state: Path) -> Iterator[dict[str, str]]:
    """Start the process, wait until it answers, stop it at the end."""
    endpoints = state / "endpoints.json"
    command = [sys.executable, "-m", "iac.local.sandbox", "--state-dir", str(state)]
    process = subprocess.Popen(
        [*command, "--write-endpoints", str(endpoints)],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
    )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not endpoints.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        if not endpoints.exists():
            raise RuntimeError(f"the sandboxes are not ready, exit code {process.poll()}")
        yield json.loads(endpoints.read_text())
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0
