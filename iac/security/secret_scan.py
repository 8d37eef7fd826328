"""Secrets in the working copy: ``python -m iac.security.secret_scan [--accept]``. No network.

Reads every file that git tracks or would add. What was looked at and found harmless is in
``.secrets.baseline``, by the hash of the value; ``--accept`` writes it anew: look at its diff.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[2]
BASELINE = ".secrets.baseline"
OWN = Path(__file__).with_name("own_tokens.py")
GIT_S = 30.0
WHICH_FILES = ("--cached", "--others", "--exclude-standard")
FILE_BYTES_MAX = 2_000_000
PROCESSES = 2

PATTERNS = (
    "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector",
    "GitLabTokenDetector", "JwtTokenDetector", "NpmDetector", "OpenAIDetector",
    "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector",
    "StripeDetector", "TwilioKeyDetector",
)  # fmt: skip
OWN_PATTERNS = ("OwnTokenDetector", "ProviderTokenDetector")
RANDOM_TEXT = ("Base64HighEntropyString", "HexHighEntropyString")
ASSIGNMENTS = ("KeywordDetector",)
HARMLESS = (
    "allowlist.is_line_allowlisted",  # the line says `pragma: allowlist secret`
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
)

Key = tuple[str, str, str]
"""File, kind, and the SHA-1 of the value."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that looks like a secret; the value itself is never kept."""

    file: str
    kind: str
    hash: str
    line: int

    @property
    def key(self) -> Key:
        return self.file, self.kind, self.hash

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}"


def list_files(root: Path) -> list[str]:
    """What git tracks in a working copy or would add, texts of a sane size."""
    words = ["git", "-C", str(root), "ls-files", "-z", *WHICH_FILES]
    listing = subprocess.run(  # noqa: S603 - a constant command
        words, capture_output=True, check=True, timeout=GIT_S
    )
    names = {name.decode() for name in listing.stdout.split(b"\0") if name} - {BASELINE}
    return sorted(name for name in names if _is_text(root / name))


def _is_text(file: Path) -> bool:
    if not file.is_file() or file.is_symlink() or file.stat().st_size > FILE_BYTES_MAX:
        return False
    with file.open("rb") as start:
        return b"\0" not in start.read(4096)


def choose_plugins(name: str) -> tuple[str, ...]:
    """What is looked for in a file: hashes of pins are random text, and tests make up passwords."""
    if name.endswith(".txt") and name.startswith(("requirements/", "layers/third_party/")):
        return PATTERNS
    made_up = name.startswith(("tests/", "benchmarks/"))
    return PATTERNS + RANDOM_TEXT + (() if made_up else ASSIGNMENTS)


def scan(root: Path) -> list[Secret]:
    """What looks like a secret in a working copy."""
    names = list_files(root)
    parts = [names[start::PROCESSES] for start in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = [
            secret for part in pool.map(scan_files, [root] * PROCESSES, parts) for secret in part
        ]
    return sorted(found, key=lambda secret: (secret.file, secret.line, secret.kind))


def scan_files(root: Path, names: list[str]) -> list[Secret]:
    """What looks like a secret in some files of a working copy."""
    found: list[Secret] = []
    for plugins in sorted({choose_plugins(name) for name in names}):
        with transient_settings(_settings(plugins)):
            secrets = SecretsCollection(root=str(root))
            for name in names:
                if choose_plugins(name) == plugins:
                    secrets.scan_file(name)
            found += [
                Secret(name, secret.type, secret.secret_hash, secret.line_number)
                for name, secret in secrets
            ]
    return found


def _settings(plugins: tuple[str, ...]) -> dict[str, Any]:
    own = [{"name": name, "path": OWN.as_uri()} for name in OWN_PATTERNS]
    return {
        "plugins_used": [{"name": name} for name in plugins] + own,
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in HARMLESS],
    }


def read_baseline(root: Path) -> set[Key]:
    """What was looked at and found harmless."""
    file = root / BASELINE
    if not file.exists():
        return set()
    return {
        (name, row["type"], row["hashed_secret"])
        for name, rows in json.loads(file.read_text())["results"].items()
        for row in rows
    }


def write_baseline(root: Path, found: list[Secret]) -> None:
    """Call everything found harmless."""
    results: dict[str, list[dict[str, str]]] = {}
    for secret in found:
        row = {"type": secret.kind, "hashed_secret": secret.hash}
        rows = results.setdefault(secret.file, [])
        if row not in rows:
            rows.append(row)
    (root / BASELINE).write_text(json.dumps({"results": results}, indent=2) + "\n")


def judge(root: Path) -> tuple[list[Secret], set[Key]]:
    """Secrets that the baseline does not know, and what it knows in vain."""
    found, known = scan(root), read_baseline(root)
    return [row for row in found if row.key not in known], known - {row.key for row in found}


def main() -> int:
    """Report; 1 on a new finding or a stale baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="call everything found harmless")
    if parser.parse_args().accept:
        write_baseline(ROOT, scan(ROOT))
    new, stale = judge(ROOT)
    lines = [f"{row}: new; remove and revoke it, or look and use --accept" for row in new]
    lines += [
        f"{file}: {kind}: in {BASELINE} but not there any more: use --accept"
        for file, kind, _ in sorted(stale)
    ]
    lines.append(f"{len(new)} new secrets in {len(list_files(ROOT))} files")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
