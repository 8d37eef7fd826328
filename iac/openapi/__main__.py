"""The command line of `iac.openapi`: renew the files, or say what differs."""

import argparse
import sys
from collections.abc import Sequence

from iac.openapi import find_drift, write_files


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the files, or tell what differs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m iac.openapi", description="The API on paper")
    parser.add_argument("--check", action="store_true", help="list what differs, change nothing")
    if not parser.parse_args(arguments).check:
        write_files()
        return 0
    drift = find_drift()
    for line in drift:
        sys.stdout.write(f"{line}\n")
    return 1 if drift else 0


if __name__ == "__main__":
    sys.exit(main())
