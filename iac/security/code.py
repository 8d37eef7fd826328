"""Insecure code, by bandit and by the SQL check: ``python -m iac.security.code``. Nothing passes.

A finding of any severity fails unless its line says why it is none (``# noqa: S105 - ...``: ruff's
S rules are bandit's, one remark serves both) or ``accepted.toml`` does. What is accepted and no
longer found fails too, so that the list cannot outlive its reasons.
"""

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from iac.security.sql import find_built_sql

ROOT = Path(__file__).parents[2]
ACCEPTED = Path(__file__).with_name("accepted.toml")
FOLDERS = ("layers", "functions", "edge-bridge", "iac")
BANDIT_S = 120.0
BANDIT_OPTIONS = ("-q", "-c", "pyproject.toml", "-f", "json")
SQL_RULE = "SQL"
_REMARK = re.compile(r"#\s*noqa:\s*((?:[A-Z]+\d+)(?:,\s*[A-Z]+\d+)*)[\s(:,-]+\w.{4,}")


class ScanFailed(Exception):
    """A scanner could not do its work; what it said is the message."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a scanner says of a line."""

    rule: str
    file: str
    line: int
    text: str
    says: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule} {self.says}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that is none: a file's lines that contain a text (SQL: the expression), and why."""

    rule: str
    file: str
    contains: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        if (self.rule, self.file) != (finding.rule, finding.file):
            return False
        if self.rule == SQL_RULE:
            return self.contains == finding.text
        return self.contains in finding.text


def run_bandit(root: Path) -> list[Finding]:
    """Bandit's findings of any severity, by pyproject's rules. Raises ScanFailed."""
    folders = [folder for folder in FOLDERS if (root / folder).is_dir()]
    answer = subprocess.run(  # noqa: S603 - constants of this module
        [sys.executable, "-m", "bandit", "-r", *folders, *BANDIT_OPTIONS],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=BANDIT_S,
        check=False,
    )
    try:
        report = json.loads(answer.stdout)
    except json.JSONDecodeError:
        raise ScanFailed(answer.stderr[-500:] or answer.stdout[-500:]) from None
    if report["errors"]:
        raise ScanFailed(f"bandit could not read {report['errors'][:3]}")
    return [
        Finding(
            rule=row["test_id"],
            file=row["filename"].removeprefix("./"),
            line=row["line_number"],
            text=_read_lines(root / row["filename"], row["line_range"]),
            says=f"({row['issue_severity'].lower()}) {row['issue_text']}",
        )
        for row in report["results"]
    ]


def check_sql(root: Path) -> list[Finding]:
    """SQL that is built with what is no constant."""
    files = [file for folder in FOLDERS for file in sorted((root / folder).rglob("*.py"))]
    return [
        Finding(SQL_RULE, built.file, built.line, built.expression, built.says)
        for file in files
        for built in find_built_sql(file, root)
    ]


def _read_lines(file: Path, numbers: list[int]) -> str:
    lines = file.read_text().splitlines()
    return "\n".join(lines[number - 1] for number in numbers if 0 < number <= len(lines))


def is_remarked(finding: Finding) -> bool:
    """Whether the line itself says why this is no finding."""
    wanted = "S" + finding.rule.removeprefix("B")
    return any(
        wanted in [code.strip() for code in match[1].split(",")]
        for match in _REMARK.finditer(finding.text)
    )


def read_accepted(file: Path = ACCEPTED) -> list[Accepted]:
    """Read what is accepted. Raises TypeError and KeyError when the file is not in order."""
    return [Accepted(**entry) for entry in tomllib.loads(file.read_text())["accepted"]]


def judge(findings: list[Finding], accepted: list[Accepted]) -> list[str]:
    """What neither its line nor the list explains, and what the list explains in vain."""
    open_ = [finding for finding in findings if not is_remarked(finding)]
    failing = [str(row) for row in open_ if not any(entry.covers(row) for entry in accepted)]
    stale = [
        f"{entry.file}: {entry.rule} {entry.contains!r} is accepted but not found any more"
        for entry in accepted
        if not any(entry.covers(row) for row in open_)
    ]
    return failing + stale


def main() -> int:
    """Report; 1 when something is open."""
    findings = run_bandit(ROOT) + check_sql(ROOT)
    failing = judge(findings, read_accepted())
    total = f"{len(failing)} open of {len(findings)} findings (any severity)"
    sys.stdout.write("\n".join([*failing, f"{total} in {', '.join(FOLDERS)}"]) + "\n")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
