"""Command line of the provider sandboxes: one process, stopped by SIGINT or SIGTERM."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from pydantic import ValidationError

from iac.local.sandbox.run import run_sandboxes
from iac.local.sandbox.settings import SandboxSettings


def main() -> int:
    """Run the sandboxes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m iac.local.sandbox", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--write-endpoints", type=Path, required=True, metavar="FILE.json")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = SandboxSettings()
    except ValidationError as error:
        wrong = ", ".join(f"SANDBOX_{str(e['loc'][0]).upper()}" for e in error.errors())
        print(f"sandbox: set these environment variables properly: {wrong}", file=sys.stderr)
        return 2
    asyncio.run(run_sandboxes(settings, arguments.state_dir, arguments.write_endpoints))
    return 0


if __name__ == "__main__":
    sys.exit(main())
